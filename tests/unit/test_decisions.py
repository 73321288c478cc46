"""Decisions of a spec: what becomes of them, what is wrong with them, and that no bit hangs on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.errors import InvalidInput
from jobs.specs.normalise import normalise
from tests.trainer_runs import Workshop

Document = dict[str, Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    columns = {
        "x": np.random.default_rng(1).random((20, 4)),
        "labels": np.eye(20, 3),
        "kind": np.arange(20) % 2,
    }
    workshop.dataset("whole", columns, {"train": np.arange(15), "valid": np.arange(15, 20)})
    workshop.dataset("unsplit", columns, {"train": np.arange(20)})
    return workshop


def spec(decisions: Any = None, dataset: str = "ds_whole") -> Document:
    document: Document = {
        "dataset": dataset,
        "inputs": {"x": "x"},
        "network": [
            {"name": "said", "type": "dense", "units": 3, "input": "x"},
            {"name": "scores", "type": "dense", "units": 2, "input": "x"},
        ],
        "objective": [
            {"type": "logistic", "output": "said", "target": "labels"},
            {"type": "cross_entropy_with_softmax", "output": "scores", "target": "kind"},
        ],
        "learner": {"type": "sgd"},
        "training": {"epochs": 1},
    }
    return document if decisions is None else document | {"decisions": decisions}


def complete(shop: Workshop, document: Document) -> Document:
    return normalise(document, shop.volume, shop.settings).document


@pytest.mark.parametrize("decisions", [None, []])
def test_one_half_is_the_default(shop: Workshop, decisions: Any) -> None:
    assert complete(shop, spec(decisions))["decisions"] == [
        {"output": "said", "threshold": 0.5, "per_label": False, "by": "hamming_loss"}
    ]


@pytest.mark.parametrize("threshold", [0, 0.3, 1, "tuned"])
def test_what_is_given_stays(shop: Workshop, threshold: Any) -> None:
    given = {"output": "said", "threshold": threshold, "per_label": True, "by": "macro_f1"}
    document = complete(shop, spec([given]))
    assert document["decisions"] == [given]
    assert complete(shop, document) == document


def test_they_decide_no_bit_of_the_training(shop: Workshop) -> None:
    tuned = spec([{"output": "said", "threshold": "tuned"}])
    assert complete(shop, tuned)["fingerprint"] == complete(shop, spec())["fingerprint"]


@pytest.mark.parametrize(
    ("decisions", "dataset", "pointer", "says"),
    [
        ([{"output": "said", "threshold": 1.5}], "ds_whole", "/decisions/0/threshold", "not 1.5"),
        ([{"output": "said", "threshold": -0.1}], "ds_whole", "/decisions/0/threshold", "0..1, or 'tuned'"),
        ([{"output": "said", "threshold": "best"}], "ds_whole", "/decisions/0/threshold", "not 'best'"),
        ([{"output": "said", "threshold": True}], "ds_whole", "/decisions/0/threshold", "not true"),
        ([{"output": "said", "by": "f1"}], "ds_whole", "/decisions/0/by", "not 'f1'"),
        ([{"output": "said", "treshold": 0.5}], "ds_whole", "/decisions/0/treshold", "'threshold'"),
        ([{"output": "scores"}], "ds_whole", "/decisions/0/output", "the output of a logistic term"),
        ([{"output": "sad"}], "ds_whole", "/decisions/0/output", "did you mean 'said'?"),
        ([{"output": "said"}, {"output": "said"}], "ds_whole", "/decisions/1/output", "decided on twice"),
        (
            [{"output": "said", "threshold": "tuned"}],
            "ds_unsplit",
            "/decisions/0/threshold",
            "upload the data with a split named valid",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    shop: Workshop, decisions: Any, dataset: str, pointer: str, says: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        complete(shop, spec(decisions, dataset))
    assert [fault.pointer for fault in caught.value.faults] == [pointer]
    assert says in caught.value.faults[0].detail


def test_a_network_without_labels_has_none(shop: Workshop, tmp_path: Path) -> None:
    document = spec([{"output": "scores"}])
    document["network"], document["objective"] = document["network"][1:], document["objective"][1:]
    with pytest.raises(InvalidInput) as caught:
        complete(shop, document)
    assert "the objective has no such term" in caught.value.faults[0].detail
    del document["decisions"]
    assert complete(shop, document)["decisions"] == []
