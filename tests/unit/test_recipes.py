"""What a recipe becomes, and what is said of a broken one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.errors import InvalidInput
from jobs.spec import normalise
from tests.trainer_runs import Workshop

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
RECIPES: list[Document] = [
    CLASSIFIER,
    CLASSIFIER
    | {"inputs": ["numbers", "image", "hidden_1"], "class_weights": "balanced", "example_weight": "weight"},
    {"type": "regressor", "inputs": ["numbers"], "targets": ["7 of 9", "image"], "hidden": []},
    {"type": "multilabel_classifier", "input": "image", "labels": "labels"},
    {"type": "joint_autoencoder_classifier", "input": "image", "target": "class", "dropout": 0.1},
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
        {"/recipe": ("unknown_type", "did you mean 'classifier'?")},
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
