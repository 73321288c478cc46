"""What the terms of an objective say of the outputs: names of heads, their elements, and what is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from trainer.heads import heads

FITTED: dict[str, dict[str, Any]] = {
    "pixels": {"shape": [1, 2, 2]},
    "digit": {"shape": [2], "classes": ["zero", "one"]},
    "shares": {"shape": [2], "columns": ["calm", "sad"]},
    "heating": {"shape": [1], "columns": ["h"]},
    "cooling": {"shape": [2]},
}


def described(*terms: tuple[str, str, Any], lacking: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    spec = {
        "inputs": {"image": {"field": "pixels"}},
        "objective": [{"type": kind, "output": output, "target": target} for kind, output, target in terms],
    }
    fields = {name: field for name, field in FITTED.items() if name not in lacking}
    dataset = SimpleNamespace(fields=fields, fitted=FITTED)
    return [(head.name, head.kind, head.names, head.known) for head in heads(spec, dataset)]


def test_a_head_is_called_by_its_output() -> None:
    assert described(
        ("cross_entropy_with_softmax", "scores", "digit"),
        ("squared_error", "rebuilt", "image"),
        ("logistic", "said", "shares"),
    ) == [
        ("scores", "classes", ["zero", "one"], True),
        ("rebuilt", "values", ["0", "1", "2", "3"], True),
        ("said", "labels", ["calm", "sad"], True),
    ]


def test_of_several_targets_each_is_named() -> None:
    found = described(
        ("cross_entropy_with_softmax", "out", "shares"),
        ("squared_error", "out", "shares"),
        ("squared_error", "out", "cooling"),
        ("squared_error", "out", "cooling"),
    )
    assert [name for name, *_ in found] == ["out:shares:classes", "out:shares:values", "out:cooling"]


def test_targets_side_by_side_name_their_elements() -> None:
    terms = ("squared_error", "loads", ["heating", "cooling"])
    names = ["heating", "cooling.0", "cooling.1"]
    assert described(terms) == [("loads", "values", names, True)]
    assert described(terms, lacking=("heating",)) == [("loads", "values", names, False)]


def test_towers_have_none() -> None:
    assert described(("ranking_with_negatives", "question", "answer")) == []
