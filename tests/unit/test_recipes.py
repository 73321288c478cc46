"""What a recipe becomes, and what is said of a broken one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.errors import InvalidInput
from jobs.specs.normalise import normalise
from tests.trainer_runs import Sequences, Workshop

Document = dict[str, Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    random = np.random.default_rng(0)
    workshop.dataset(
        "mixed",
        {
            "numbers": random.normal(size=(60, 4)),
            "image": random.uniform(0, 1, size=(60, 1, 3, 3)),
            "class": np.arange(60) % 4,
            "hidden_1": np.arange(60) % 3,
            "labels": random.integers(0, 2, size=(60, 5)).astype(np.float32),
            "weight": random.uniform(0.5, 1, (60, 1)),
            "7 of 9": random.normal(size=(60, 1)),
        },
        {"train": np.arange(50), "valid": np.arange(50, 60)},
    )
    return workshop


def posted(recipe: Document, **beside: Any) -> Document:
    return {"dataset": "ds_mixed", "recipe": recipe, "training": {"epochs": 2}, **beside}


def complete(shop: Workshop, recipe: Document, **beside: Any) -> Document:
    return normalise(posted(recipe, **beside), shop.volume, shop.settings).document


CLASSIFIER: Document = {"type": "classifier", "inputs": ["numbers"], "target": "class"}
AUTOENCODER: Document = {"type": "image_autoencoder", "input": "image", "filter_sizes": [3], "pooling": [2]}
RECIPES: list[Document] = [
    CLASSIFIER,
    CLASSIFIER
    | {"inputs": ["numbers", "image", "hidden_1"], "class_weights": "balanced", "example_weight": "weight"},
    {"type": "regressor", "inputs": ["numbers"], "targets": ["7 of 9", "image"], "hidden": []},
    {"type": "multilabel_classifier", "input": "image", "labels": "labels"},
    {"type": "joint_autoencoder_classifier", "input": "image", "target": "class", "dropout": 0.1},
    AUTOENCODER,
    AUTOENCODER | {"maps": [2, 1], "pooling": [1], "images": 5},
]


@pytest.mark.parametrize("recipe", RECIPES, ids=[f"{r['type']} {len(r)}" for r in RECIPES])
def test_what_is_kept_is_a_plain_spec_that_can_be_posted_back(shop: Workshop, recipe: Document) -> None:
    document = complete(shop, recipe)
    assert "recipe" not in document
    assert normalise(document, shop.volume, shop.settings).document == document


def test_keys_beside_the_recipe_replace_what_it_says(shop: Workshop) -> None:
    network = [{"name": "scores", "type": "dense", "units": 4, "input": "numbers", "bias": False}]
    document = complete(shop, CLASSIFIER, network=network, learner={"type": "sgd"}, name="mine")
    assert [layer["name"] for layer in document["network"]] == ["scores"]
    assert document["learner"]["type"] == "sgd"
    assert document["name"] == "mine"


def test_no_recipe_at_all_is_a_plain_spec(shop: Workshop) -> None:
    plain = complete(shop, CLASSIFIER)
    assert normalise({**plain, "recipe": None}, shop.volume, shop.settings).document == plain


def test_nodes_keep_out_of_the_way_of_fields(shop: Workshop) -> None:
    document = complete(shop, CLASSIFIER | {"target": "hidden_1"})
    assert [layer["name"] for layer in document["network"]] == ["hidden_1_", "scores"]
    assert document["objective"][0]["target"] == "hidden_1"


def test_targets_are_told_apart_whatever_they_are_called(shop: Workshop) -> None:
    document = complete(shop, {"type": "regressor", "inputs": ["numbers"], "targets": ["7 of 9", "weight"]})
    assert [term["name"] for term in document["objective"]] == ["_7_of_9", "weight"]
    assert document["outputs"] == ["predicted_7_of_9", "predicted_weight"]
    assert document["watch"]["metric"] == "total"


BROKEN: list[tuple[str, Document, dict[str, tuple[str, str]]]] = [
    (
        "unknown recipe",
        posted({"type": "clasifier"}),
        {"/recipe/type": ("unknown_type", "did you mean 'classifier'?")},
    ),
    ("no recipe but a word", posted("classifier"), {"/recipe": ("model_attributes_type", "'classifier'")}),  # type: ignore[arg-type]
    (
        "everything wrong at once",
        posted({"type": "classifier", "inputs": [], "targets": "class", "hidden": [0]}, trainin={}),
        {
            "/recipe/inputs": ("too_short", "at least 1"),
            "/recipe/target": ("missing", "required"),
            "/recipe/targets": ("unknown_key", "did you mean 'target'?"),
            "/recipe/hidden/0": ("greater_than_equal", "not 0"),
            "/trainin": ("unknown_key", "did you mean 'training'?"),
        },
    ),
    (
        "fields that are not there",
        posted(CLASSIFIER | {"inputs": ["image", "number"], "example_weight": "wait"}),
        {
            "/recipe/inputs/1": ("unknown_field", "did you mean 'numbers'?"),
            "/recipe/example_weight": ("unknown_field", "did you mean 'weight'?"),
        },
    ),
    (
        "fields of another kind",
        posted(CLASSIFIER | {"target": "numbers"}),
        {"/recipe/target": ("field_kind", "takes a categorical field as target, but 'numbers' is dense, 4")},
    ),
    (
        "labels that are none",
        posted({"type": "multilabel_classifier", "input": "class", "labels": "numbers"}),
        {"/recipe/input": ("field_kind", "a dense field"), "/recipe/labels": ("field_kind", "in 0..1")},
    ),
    (
        "a field twice",
        posted(CLASSIFIER | {"inputs": ["numbers", "numbers"]}),
        {"/recipe/inputs/1": ("duplicate", "'numbers' stands in inputs twice")},
    ),
    (
        "a setting that comes to nothing",
        posted(CLASSIFIER | {"l2": 0.1}, learner={"type": "adam"}),
        {"/recipe/l2": ("exclusive", "'learner' beside the recipe")},
    ),
    (
        "a fault of the expansion that a word of the recipe made",
        posted(CLASSIFIER | {"class_weights": {"9": 2.0}}),
        {"/recipe/class_weights": ("unknown_class", "makes /objective/0/class_weights/9 of this")},
    ),
    (
        "a fault of the expansion that no word made",
        posted(CLASSIFIER, network=[{"name": "scores", "type": "dense", "units": 3, "input": "numbers"}]),
        {"/recipe": ("shape", "and there: the output 'scores' is 3")},
    ),
    (
        "no filters, and a field that holds no images",
        posted({"type": "image_autoencoder", "input": "numbers", "maps": [0]}),
        {
            "/recipe/input": ("field_kind", "(channels, height, width) as input"),
            "/recipe/maps/0": ("greater_than_equal", "not 0"),
        },
    ),
    (
        "a field that holds no images",
        posted({"type": "image_autoencoder", "input": "numbers"}),
        {"/recipe/input": ("field_kind", "(channels, height, width) as input, but 'numbers' is dense, 4")},
    ),
    (
        "more windows than stages",
        posted(AUTOENCODER | {"pooling": [1, 1]}),
        {"/recipe/pooling": ("setting", "2 values for 1 stages")},
    ),
    (
        "fewer filters than stages",
        posted(AUTOENCODER | {"maps": [1, 2, 3], "filter_sizes": [3, 3]}),
        {"/recipe/filter_sizes": ("setting", "2 values for 3 stages")},
    ),
    (
        "filters larger than the images",
        posted(AUTOENCODER | {"filter_sizes": [5]}),
        {"/recipe": ("shape", "a window of 5 x 5 does not fit into 3 x 3")},
    ),
    (
        "a picture of so many images where keep stands beside the recipe",
        posted(AUTOENCODER | {"images": 3}, keep={"values": ["code"]}),
        {"/recipe/images": ("exclusive", "'keep' beside the recipe")},
    ),
    (
        "a fault beside the recipe",
        posted(CLASSIFIER, metrics=[{"type": "accuracy", "output": "score", "target": "class"}]),
        {"/metrics/0/output": ("unknown_node", "did you mean 'scores'?")},
    ),
    (
        "neither recipe nor network",
        {"dataset": "ds_mixed", "training": {"epochs": 2}},
        {f"/{key}": ("missing", "required") for key in ("inputs", "network", "objective", "learner")},
    ),
]


@pytest.mark.parametrize(
    ("document", "expected"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_broken_recipe_is_told_where_and_what(
    shop: Workshop, document: Document, expected: dict[str, tuple[str, str]]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise(document, shop.volume, shop.settings)
    found = {fault.pointer: (fault.code, fault.detail) for fault in caught.value.faults}
    assert found.keys() == expected.keys()
    for pointer, (code, words) in expected.items():
        assert found[pointer][0] == code
        assert words in found[pointer][1]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Rows of tokens."""
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    lengths, others = np.arange(60) % 3 + 1, np.arange(60) % 4 + 1
    workshop.dataset(
        "texts",
        {
            "words": Sequences(np.arange(lengths.sum()) % 9, lengths),
            "reply": Sequences(np.arange(others.sum()) % 9, others),
            "foreign": Sequences(np.arange(others.sum()) % 7, others),
            "kind": np.arange(60) % 3,
            "grade": np.linspace(0, 5, 60).reshape(-1, 1),
        },
        {"train": np.arange(50), "valid": np.arange(50, 60)},
    )
    return workshop


TOWERS: Document = {"type": "two_towers", "left": "words", "right": "reply"}
MISFITS: list[tuple[str, Document, dict[str, tuple[str, str]]]] = [
    (
        "fields of rows where sequences are needed",
        {"type": "sequence_tagger", "input": "kind", "target": "grade"},
        {
            "/recipe/input": ("field_kind", "a categorical field of sequences as input"),
            "/recipe/target": ("field_kind", "but 'grade' is dense"),
        },
    ),
    (
        "a sequence where rows are needed",
        {"type": "sequence_classifier", "input": "words", "target": "reply"},
        {"/recipe/target": ("field_kind", "'reply' is sequences of categorical, 9")},
    ),
    (
        "tags of other lengths",
        {"type": "sequence_tagger", "input": "words", "target": "reply"},
        {"/recipe": ("axis", "one value a step of 'words' but the target 'reply' one a step of 'reply'")},
    ),
    ("other tokens", TOWERS | {"right": "foreign"}, {"/recipe/share": ("setting", "vocabulary_of")}),
    (
        "a similarity for classes",
        TOWERS | {"target": "kind", "score": "cosine"},
        {"/recipe/score": ("setting", "classes take the score 'dense'")},
    ),
    (
        "a dense score for ranking",
        TOWERS | {"score": "dense"},
        {"/recipe/score": ("setting", "'cosine' or 'dot_product', not 'dense'")},
    ),
    (
        "a direction of a bag",
        TOWERS | {"target": "grade", "bidirectional": True},
        {"/recipe/bidirectional": ("setting", "no direction")},
    ),
    ("a score of its own", TOWERS | {"score": "euclid"}, {"/recipe/score": ("literal_error", "'euclid'")}),
]


@pytest.mark.parametrize(
    ("recipe", "expected"), [row[1:] for row in MISFITS], ids=[row[0] for row in MISFITS]
)
def test_recipe_for_sequences_says_what_does_not_fit(
    library: Workshop, recipe: Document, expected: dict[str, tuple[str, str]]
) -> None:
    document = posted(recipe) | {"dataset": "ds_texts"}
    with pytest.raises(InvalidInput) as caught:
        normalise(document, library.volume, library.settings)
    found = {fault.pointer: (fault.code, fault.detail) for fault in caught.value.faults}
    assert found.keys() == expected.keys()
    for pointer, (code, words) in expected.items():
        assert found[pointer][0] == code
        assert words in found[pointer][1]


def test_towers_share_what_they_are_told_to(library: Workshop) -> None:
    for share, shared in {"all": 2, "embedding": 1, "nothing": 0}.items():
        document = posted(TOWERS | {"encoder": "gru", "share": share}) | {"dataset": "ds_texts"}
        network = normalise(document, library.volume, library.settings).document["network"]
        assert [layer["share"] for layer in network if layer["share"]] == ["left_embedding", "left_forward"][
            :shared
        ]
