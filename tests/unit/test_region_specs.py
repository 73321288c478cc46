"""What a spec with regions becomes, alone and from its recipe, and what is said of a broken one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.errors import InvalidInput
from jobs.specs.normalise import normalise
from tests.drawn_shapes import drawn
from tests.trainer_runs import Sequences, Workshop

Document = dict[str, Any]
IMAGES = 12


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    columns = drawn(IMAGES, seed=1)
    others = np.arange(IMAGES) % 3 + 1
    columns["others"] = Sequences(np.arange(others.sum()) % 3, others)
    columns["kind"] = np.arange(IMAGES) % 2
    workshop.dataset("shapes", columns, {"train": np.arange(IMAGES)})
    empty = drawn(IMAGES, seed=1, most=0)
    del empty["difficult"]
    empty["box_class"] = Sequences(np.arange(IMAGES) % 3, np.ones(IMAGES, dtype=int))
    workshop.dataset("empty", empty, {"train": np.arange(IMAGES)})
    workshop.dataset("taken", columns | {"rois": np.arange(IMAGES) % 3}, {"train": np.arange(IMAGES)})
    return workshop


def plain(**regions: Any) -> Document:
    return {
        "dataset": "ds_shapes",
        "inputs": {"image": "image", "rois": "rois"},
        "regions": {"proposals": "proposals", **regions},
        "network": [
            {
                "name": "pooled",
                "type": "roi_pooling",
                "inputs": ["image", "rois"],
                "size": [4, 4],
                "stride": 1.0,
            },
            {"name": "scores", "type": "dense", "units": 4, "input": "pooled"},
            {"name": "corrections", "type": "dense", "units": 16, "input": "pooled"},
        ],
        "objective": [
            {"type": "cross_entropy_with_softmax", "output": "scores", "target": "region_class"},
            {
                "type": "smooth_l1",
                "output": "corrections",
                "target": "region_targets",
                "element_weight": "region_weights",
            },
        ],
        "learner": "adam",
        "training": {"epochs": 1, "minibatch_size": 2},
    }


def changed(document: Document, at: str, value: Any) -> Document:
    *way, last = [int(step) if step.isdigit() else step for step in at.split("/")]
    inner: Any = document
    for step in way:
        inner = inner[step]
    inner[last] = value
    return document


def recipe(**given: Any) -> Document:
    return {
        "dataset": "ds_shapes",
        "recipe": {"type": "fast_rcnn", **given},
        "training": {"epochs": 1, "minibatch_size": 2},
    }


def test_regions_are_fields_to_the_rest_of_the_spec(shop: Workshop) -> None:
    spec = normalise(plain(), shop.volume, shop.settings)
    assert [layer["shape"] for layer in spec.estimate["layers"]] == [[3, 4, 4], [4], [16]]
    assert spec.document["regions"]["target_deviations"] == [0.1, 0.1, 0.2, 0.2]
    assert normalise(spec.document, shop.volume, shop.settings).document == spec.document


def test_networks_that_pool_regions_have_one_thread(shop: Workshop) -> None:
    settings = shop.settings.model_copy(update={"threads": "auto"})
    found = []
    for pooling in (True, False):
        document = changed(plain(), "training/minibatch_size", 5000)
        if not pooling:
            del document["regions"], document["inputs"]["rois"], document["objective"][1]
            wide = {"name": "wide", "type": "dense", "units": 1000, "input": "image"}
            document["network"] = [wide, {"name": "scores", "type": "dense", "units": 2, "input": "wide"}]
            document["objective"][0]["target"] = "kind"
        spec = normalise(document, shop.volume, settings, allowance=lambda requires: 3)
        found.append(spec.document["training"]["threads"])
    assert found == [1, 3]


@pytest.mark.parametrize("key", ["regions_per_image", "proposals_per_image"])
def test_more_regions_take_more_memory(shop: Workshop, key: str) -> None:
    """In training, and where all proposals of an image are looked at."""
    found = []
    for count in (4, 400):
        document = changed(plain(**{"regions_per_image": 1, key: count}), "training/minibatch_size", 1)
        estimate = normalise(document, shop.volume, shop.settings).estimate
        found.append(estimate["memory_bytes"])
    assert found[1] > found[0]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"difficult": "difficult", "proposals": None, "regions_per_image": None, "flip": "random"},
        {"maps": [4], "hidden": [], "dropout": 0.1, "roi_size": 3, "scale": 0.1},
        {"learning_rates": [0.1], "until_epochs": [], "l2": 0.0},
    ],
)
def test_recipe_becomes_a_spec_that_can_be_posted_back(shop: Workshop, given: Document) -> None:
    document = normalise(recipe(**given), shop.volume, shop.settings).document
    assert normalise(document, shop.volume, shop.settings).document == document
    assert document["training"]["bias_rate_factor"] == 2.0


def test_training_beside_the_recipe_is_added_to_its_own(shop: Workshop) -> None:
    document = recipe() | {"training": {"epochs": 3, "bias_rate_factor": 1.0}}
    training = normalise(document, shop.volume, shop.settings).document["training"]
    assert (training["epochs"], training["bias_rate_factor"]) == (3, 1.0)


BROKEN: list[tuple[str, Document, dict[str, tuple[str, str]]]] = [
    (
        "fields that are not there",
        plain(image="imgae", boxes="boxs", proposals="candidates"),
        {
            "/regions/image": ("unknown_field", "did you mean 'image'?"),
            "/regions/boxes": ("unknown_field", "did you mean 'boxes'?"),
            "/regions/proposals": ("unknown_field", "no field 'candidates'"),
        },
    ),
    (
        "fields of another kind",
        plain(image="kind", boxes="difficult", difficult="boxes", proposals="box_class"),
        {
            "/regions/image": ("field_kind", "(channels, height, width) here, but 'kind' is categorical"),
            "/regions/boxes": ("field_kind", "a sequence of boxes x1, y1, x2, y2 here"),
            "/regions/difficult": ("field_kind", "one number for each box"),
            "/regions/proposals": ("field_kind", "'box_class' is sequences of categorical, 3"),
        },
    ),
    (
        "classes of other boxes",
        plain(classes="others"),
        {"/regions/classes": ("axis", "'others' has not as many steps a row as 'boxes'")},
    ),
    (
        "a background that nothing can be",
        plain(background_overlap=[0.5, 0.5]),
        {"/regions/background_overlap": ("order", "0.5, must be below the second, 0.5")},
    ),
    (
        "numbers out of their range",
        plain(foreground_share=0.0, regions_per_image=0, target_deviations=[0.1, 0.1, 0.0, 0.2], flip="yes"),
        {
            "/regions/foreground_share": ("greater_than", "not 0.0"),
            "/regions/regions_per_image": ("greater_than_equal", "not 0"),
            "/regions/target_deviations/2": ("greater_than", "not 0.0"),
            "/regions/flip": ("literal_error", "'yes'"),
        },
    ),
    ("an unknown setting", plain(flips=True), {"/regions/flips": ("unknown_key", "did you mean 'flip'?")}),
    (
        "no box anywhere",
        plain() | {"dataset": "ds_empty"},
        {
            "/regions/boxes": ("nothing_to_learn", "no image has a box in 'boxes'"),
            "/regions/classes": ("axis", "has not as many steps"),
        },
    ),
    (
        "a name that is taken",
        plain() | {"dataset": "ds_taken"},
        {"/regions": ("duplicate_name", "regions make a field 'rois'")},
    ),
    (
        "boxes where the network would take them in",
        changed(plain(), "inputs/boxes", "boxes"),
        {"/inputs/boxes/field": ("empty_sequences", "such fields go into 'regions'")},
    ),
    (
        "images that would move without their boxes",
        changed(plain(), "inputs/image", {"field": "image", "augment": ["colour_jitter", "flip"]}),
        {"/inputs/image/augment/1": ("moves_objects", "'flip' in regions mirrors both")},
    ),
    (
        "regions of nothing",
        changed(plain(), "network/0/inputs", ["rois", "image"]),
        {"/network/0": ("shape", "features of (channels, height, width), not 4")},
    ),
    (
        "regions that are rows",
        changed(changed(plain(), "inputs/rois", "image"), "network/0/inputs", ["image", "rois"]),
        {"/network/0": ("shape", "a region is x1, y1, x2, y2")},
    ),
    (
        "a weight for other elements",
        changed(plain(), "objective/1/element_weight", "region_class"),
        {"/objective/1/element_weight": ("shape", "as the output 'corrections' is, 16")},
    ),
    (
        "a weight that is a layer",
        changed(plain(), "objective/1/element_weight", "scores"),
        {"/objective/1/element_weight": ("target_kind", "'scores' is a layer")},
    ),
    (
        "a weight that is not there",
        changed(plain(), "objective/1/element_weight", "region_weight"),
        {"/objective/1/element_weight": ("unknown_field", "did you mean 'region_weights'?")},
    ),
    (
        "region fields without regions",
        {**plain(), "regions": None},
        {
            "/inputs/rois/field": ("unknown_field", "no field 'rois'"),
            "/objective/0/target": ("unknown_field", "no field 'region_class'"),
            "/objective/1/target": ("unknown_field", "no field 'region_targets'"),
            "/objective/1/element_weight": ("unknown_field", "no field 'region_weights'"),
        },
    ),
    (
        "recipe: fields of another kind",
        recipe(image="kind", classes="boxes", difficult="proposals"),
        {
            "/recipe/image": ("field_kind", "takes a dense field of (channels, height, width) as image"),
            "/recipe/classes": ("field_kind", "a class for each box as classes, but 'boxes' is"),
            "/recipe/difficult": ("field_kind", "as difficult, but 'proposals' is"),
        },
    ),
    (
        "recipe: a node without a model",
        recipe(last_hidden_node="fc7"),
        {"/recipe/last_hidden_node": ("setting", "no base_model whose node it could be")},
    ),
    (
        "recipe: a model that is not there",
        recipe(base_model="mdl_1"),
        {"/recipe/base_model": ("unknown_model", "there is no model 'mdl_1'")},
    ),
    (
        "recipe: rates without their epochs",
        recipe(learning_rates=[0.1, 0.2]),
        {"/recipe/until_epochs": ("setting", "2 rates need 1 epochs at which they change, not 2")},
    ),
    (
        "recipe: means of something else",
        recipe(target_means=[0.0]),
        {"/recipe/target_means": ("setting", "1 numbers, but a correction has 4")},
    ),
    (
        "recipe: a setting that comes to nothing",
        recipe(momentum=0.5) | {"learner": "adam"},
        {"/recipe/momentum": ("exclusive", "'learner' beside the recipe")},
    ),
    (
        "recipe: regions larger than the features",
        recipe(roi_size=30),
        {"/recipe": ("shape", "size 30 x 30 is larger than the features, which are 24 x 24")},
    ),
]


@pytest.mark.parametrize(
    ("document", "expected"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_broken_regions_are_told_where_and_what(
    shop: Workshop, document: Document, expected: dict[str, tuple[str, str]]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise(document, shop.volume, shop.settings)
    found = {fault.pointer: (fault.code, fault.detail) for fault in caught.value.faults}
    assert found.keys() == expected.keys(), found
    for pointer, (code, words) in expected.items():
        assert found[pointer][0] == code, found[pointer]
        assert words in found[pointer][1]


@pytest.mark.parametrize(
    ("at", "value", "expected"),
    [
        ("training/epochs", 0, {"/training/epochs"}),
        ("regions/regions_per_image", 0, {"/regions/regions_per_image"}),
        ("regoins", {}, {"/regoins"}),
    ],
)
def test_fields_of_regions_are_not_missed_where_the_structure_is_wrong(
    shop: Workshop, at: str, value: Any, expected: set[str]
) -> None:
    document = changed(plain(), at, value)
    if "regoins" in document:
        del document["regions"]
    with pytest.raises(InvalidInput) as caught:
        normalise(document, shop.volume, shop.settings)
    assert {fault.pointer for fault in caught.value.faults} == expected
    with pytest.raises(InvalidInput) as caught:
        normalise(changed(plain(boxes="bxoes"), "training/epochs", 0), shop.volume, shop.settings)
    assert {fault.pointer for fault in caught.value.faults} == {"/regions/boxes", "/training/epochs"}
