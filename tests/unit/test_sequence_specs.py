"""Specs over sequences: what fits together, what is shared, and what is said of what does not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from jobs.errors import InvalidInput
from jobs.specs.normalise import normalise
from tests.spec_documents import changed
from tests.trainer_runs import Sequences, Sparse, Workshop

Document = dict[str, Any]
ROWS = 30


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    random = np.random.default_rng(0)
    asked, answered = np.arange(ROWS) % 5 + 1, np.arange(ROWS) % 3 + 1
    shares = random.uniform(0.1, 1, (ROWS, 3))
    workshop.dataset(
        "pairs",
        {
            "question": Sequences(np.arange(asked.sum()) % 20, asked),
            "answer": Sequences(np.arange(answered.sum()) % 20, answered),
            "other": Sequences(np.arange(answered.sum()) % 7, answered),
            "tag": Sequences(np.arange(asked.sum()) % 4, asked),
            "of_step": Sequences(random.uniform(0, 1, (asked.sum(), 1)), asked),
            "rare": Sequences(Sparse.of(np.eye(asked.sum(), 9)), asked),
            "intent": np.arange(ROWS) % 3,
            "shares": shares / shares.sum(axis=1, keepdims=True),
            "marks": random.uniform(0, 1, (ROWS, 3)),
            "score": random.normal(size=(ROWS, 1)),
            "pair": random.normal(size=(ROWS, 2)),
            "of_row": random.uniform(0, 1, (ROWS, 1)),
        },
        {"train": np.arange(24), "valid": np.arange(24, ROWS)},
    )
    return workshop


def layer(name: str, kind: str, *sources: str, **settings: Any) -> Document:
    taken: Document = {"input": sources[0]} if len(sources) == 1 else {"inputs": list(sources)}
    return {"name": name, "type": kind, **taken, **settings}


CE = "cross_entropy_with_softmax"
TAGGER: Document = {
    "dataset": "ds_pairs",
    "inputs": {"question": "question"},
    "network": [
        layer("code", "embedding", "question", units=8),
        layer("read", "lstm", "code", units=6),
        layer("tags", "dense", "read", units=4),
        layer("sentence", "last", "read"),
        layer("intents", "dense", "sentence", units=3),
    ],
    "objective": [
        {"type": CE, "output": "tags", "target": "tag"},
        {"type": CE, "output": "intents", "target": "intent"},
    ],
    "learner": {"type": "adam"},
    "training": {"epochs": 1},
}
TOWERS: Document = {
    "dataset": "ds_pairs",
    "inputs": {"question": "question", "answer": "answer"},
    "network": [
        layer("words", "embedding", "question", units=8),
        layer("others", "embedding", "answer", units=8, share="words"),
        layer("asked", "sequence_mean", "words"),
        layer("said", "sequence_mean", "others"),
        layer("likeness", "cosine", "asked", "said"),
    ],
    "objective": [{"type": "squared_error", "output": "likeness", "target": "score"}],
    "learner": {"type": "adam"},
    "training": {"epochs": 1},
}


def complete(shop: Workshop, document: Document) -> Document:
    return normalise(document, shop.volume, shop.settings).document


@pytest.mark.parametrize("document", [TAGGER, TOWERS], ids=["tagger", "towers"])
def test_a_complete_spec_normalises_to_itself(shop: Workshop, document: Document) -> None:
    once = complete(shop, document)
    assert complete(shop, once) == once


def test_shared_parameters_count_once(shop: Workshop) -> None:
    found = normalise(TOWERS, shop.volume, shop.settings).estimate
    assert found["parameters"] == 20 * 8
    assert [made["parameters"] for made in found["layers"]] == [160, 0, 0, 0, 0]


def test_a_layer_is_built_behind_the_one_that_it_shares(shop: Workshop) -> None:
    document = complete(shop, changed(TOWERS, network=list(reversed(TOWERS["network"]))))
    names = [made["name"] for made in document["network"]]
    assert names.index("words") < names.index("others")


def test_both_towers_are_outputs_of_a_ranking(shop: Workshop) -> None:
    ranking = {"type": "ranking_with_negatives", "output": "asked", "target": "said"}
    document = changed(TOWERS, network=TOWERS["network"][:4], objective=[ranking])
    assert complete(shop, document)["outputs"] == ["asked", "said"]


def test_each_term_gets_the_weight_that_counts(shop: Workshop) -> None:
    document = changed(TAGGER, example_weight="of_row", objective__0__example_weight="of_step")
    assert [term["example_weight"] for term in complete(shop, document)["objective"]] == ["of_step", "of_row"]


def test_several_targets_stand_side_by_side(shop: Workshop) -> None:
    term = {"type": "squared_error", "output": "values", "target": ["score", "pair"]}
    network = [*TOWERS["network"][:4], layer("values", "dense", "asked", units=3)]
    network[3] = layer("said", "sequence_mean", "words")
    document = changed(TOWERS, network=network, objective=[term], inputs={"question": "question"})
    document["network"] = [made for made in network if made["name"] in ("words", "asked", "values")]
    assert complete(shop, document)["objective"][0]["target"] == ["score", "pair"]


def test_what_has_one_value_a_row_goes_to_each_step(shop: Workshop) -> None:
    network = [
        *TAGGER["network"],
        layer("told", "splice", "read", "intents"),
        layer("out", "dense", "told", units=4),
    ]
    document = changed(TAGGER, network=network, objective__0__output="out", outputs=["out"])
    document["network"] = [made for made in network if made["name"] != "tags"]
    assert complete(shop, document)["network"][-1]["name"] == "out"


BROKEN: list[tuple[str, Document, dict[str, tuple[str, str]]]] = [
    (
        "one value a row where steps are needed",
        changed(TAGGER, network__1__input="sentence", network__3__input="code"),
        {"/network/1": ("shape", "lstm runs over a sequence, but 'sentence' has one value a row")},
    ),
    (
        "steps against a row",
        changed(
            TAGGER, objective__1__output="tags", objective__1__name="other", objective__1__target="intent"
        ),
        {
            "/objective/1": (
                "axis",
                "'tags' has one value a step of 'question' but the target 'intent' one a row",
            )
        },
    ),
    (
        "steps of another sequence as target",
        changed(TAGGER, objective__0__target="other"),
        {"/objective/0": ("axis", "one a step of 'answer'")},
    ),
    (
        "towers whose steps cannot be compared",
        changed(TOWERS, network__4__inputs=["words", "others"]),
        {"/network/4": ("shape", "make each one vector first, by a layer such as last or sequence_mean")},
    ),
    (
        "towers of two shapes",
        changed(TOWERS, network__1={"name": "others", "type": "embedding", "input": "answer", "units": 5}),
        {"/network/4": ("shape", "inputs of 8 and 5 cannot be compared")},
    ),
    (
        "a ranking of two shapes",
        changed(
            TOWERS,
            network=[
                TOWERS["network"][0],
                layer("others", "embedding", "answer", units=5),
                *TOWERS["network"][2:4],
            ],
            objective=[{"type": "ranking_with_negatives", "output": "asked", "target": "said"}],
        ),
        {"/objective/0": ("shape", "'asked' is 8 and 'said' is 5: towers can be compared only where")},
    ),
    (
        "a ranking of steps",
        changed(
            TOWERS,
            objective=[
                {"type": "squared_error", "output": "likeness", "target": "score"},
                {"type": "ranking_with_negatives", "output": "words", "target": "said"},
            ],
        ),
        {"/objective/1": ("axis", "compares one vector a row, but 'words' has one a step of 'question'")},
    ),
    (
        "a ranking against a field",
        changed(TOWERS, objective__0={"type": "margin_ranking", "output": "likeness", "target": "score"}),
        {"/objective/0/target": ("unknown_node", "margin_ranking compares two layers, not 'score'")},
    ),
    (
        "a ranking without negatives",
        changed(
            TOWERS,
            network=TOWERS["network"][:4],
            objective=[{"type": "ranking_with_negatives", "output": "asked", "target": "said"}],
            training__minibatch_size=1,
        ),
        {"/training/minibatch_size": ("too_small", "from the other rows of a minibatch")},
    ),
    (
        "sharing with nobody",
        changed(TOWERS, network__1__share="word"),
        {"/network/1/share": ("unknown_node", "no layer is named 'word'")},
    ),
    (
        "sharing what is of another type",
        changed(TOWERS, network__1={**layer("others", "lstm", "answer", units=8), "share": "words"}),
        {"/network/1": ("shape", "'words', which is a layer of type embedding; both must be of one type")},
    ),
    (
        "sharing what has another shape",
        changed(TOWERS, network__1__units=9),
        {
            "/network/1": (
                "shape",
                "its parameters are E 20 x 9 and those of 'words', which it shares, are E 20 x 8",
            )
        },
    ),
    (
        "sharing what is shared",
        changed(
            TOWERS,
            network__5=layer("third", "embedding", "answer", units=8, share="others"),
        ),
        {"/network/5": ("shape", "'others' itself shares those of 'words'; share that one")},
    ),
    (
        "sharing each other",
        changed(TOWERS, network__0__share="others"),
        {"/network/0": ("cycle", "words, others")},
    ),
    (
        "sharing a layer without parameters",
        changed(TOWERS, network__3__share="asked"),
        {"/network/3": ("shape", "of one that has parameters")},
    ),
    (
        "a weight a step for a term of rows",
        changed(TAGGER, example_weight="of_step"),
        {
            "/example_weight": (
                "axis",
                "'intents' has one value a row; give this term an example_weight of its own",
            )
        },
    ),
    (
        "labels that do not sum to one",
        changed(TAGGER, objective__1__target="marks"),
        {"/objective/1/target": ("not_a_distribution", "use the loss logistic")},
    ),
    (
        "targets of two kinds",
        changed(
            TOWERS,
            objective=[{"type": "squared_error", "output": "likeness", "target": ["score", "of_step"]}],
        ),
        {"/objective/0/target": ("two_kinds", "the targets of one term must be of one kind")},
    ),
    (
        "a target that is no number among others",
        changed(
            TOWERS,
            objective=[{"type": "squared_error", "output": "likeness", "target": ["score", "intent"]}],
        ),
        {"/objective/0/target": ("two_kinds", "'intent' is categorical")},
    ),
    (
        "several targets of a classifier",
        changed(TAGGER, objective__1__target=["intent", "intent"]),
        {"/objective/1/target": ("several_targets", "takes one target")},
    ),
    (
        "sparse steps and a learner without them",
        changed(
            TAGGER,
            inputs={"rare": "rare"},
            network__0={"name": "code", "type": "embedding", "input": "rare", "units": 8},
        ),
        {"/learner/type": ("sparse_input", "these can: sgd, momentum, adagrad")},
    ),
]


@pytest.mark.parametrize(
    ("document", "expected"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_broken_spec_is_told_where_and_what(
    shop: Workshop, document: Document, expected: dict[str, tuple[str, str]]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        complete(shop, document)
    found: dict[str, list[tuple[str, str]]] = {}
    for fault in caught.value.faults:
        found.setdefault(fault.pointer, []).append((fault.code, fault.detail))
    for pointer, (code, words) in expected.items():
        assert any(c == code and words in detail for c, detail in found.get(pointer, [])), found


def test_rows_without_a_step_are_not_fed(shop: Workshop) -> None:
    """CNTK has no empty sequences, so a field that has some is refused where it would be read."""
    path = shop.volume.dataset("ds_pairs").schema
    whole = path.read_text(encoding="utf-8")
    document = json.loads(whole)
    for field in ("question", "tag"):
        document["fields"][field]["min_length"] = 0
    try:
        path.write_text(json.dumps(document), encoding="utf-8")
        with pytest.raises(InvalidInput) as caught:
            complete(shop, TAGGER)
    finally:
        path.write_text(whole, encoding="utf-8")
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [
        ("/inputs/question/field", "empty_sequences"),
        ("/objective/0/target", "empty_sequences"),
    ]
