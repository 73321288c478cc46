"""Layers that are parts of base models, in specs: what is planned, and what is said of broken ones."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from jobs.base_models.in_jobs import lookup
from jobs.base_models.operations import shape_of
from jobs.base_models.records import ModelNode
from jobs.dataset import load_schema
from jobs.errors import InvalidInput
from jobs.features import forget
from jobs.specs.checks import check
from jobs.specs.models import parse
from jobs.specs.normalise import normalise
from jobs.specs.threads import multiplications
from tests.trainer_runs import Workshop
from trainer.files import write_json
from trainer.parts import PlanError

Document = dict[str, Any]
MODEL, WAITING, TWO_INPUTS = (f"mdl_{number:024x}" for number in (1, 2, 3))


def node(
    name: str, op: str, shape: list[int], inputs: list[str], parameters: int = 0, **attributes: Any
) -> Any:
    return {
        "name": name,
        "op": op,
        "shape": shape,
        "inputs": inputs,
        "parameters": parameters,
        "attributes": attributes,
    }


PADDED = {"auto_padding": [False, True, True], "strides": [1, 1, 1]}
NODES = [
    node("conv", "Convolution", [4, 8, 8], ["image"], 108, kernel_shape=[3, 3, 3], **PADDED),
    node("relu", "ReLU", [4, 8, 8], ["conv"]),
    node("side", "Convolution", [4, 8, 8], ["relu"], 16, kernel_shape=[4, 1, 1], strides=[1]),
    node("both", "Splice", [8, 8, 8], ["relu", "side"], axis=0),
    node("pool", "Pooling", [8, 4, 4], ["both"], pooling_window_shape=[2, 2], strides=[2, 2]),
    node("drop", "Dropout", [8, 4, 4], ["pool"]),
    node("z", "Times", [5], ["drop"], 640),
]
RECORD = {
    "id": MODEL,
    "name": "small",
    "status": "ready",
    "created_at": "2026-01-01T00:00:00Z",
    "source": {"format": "cntk", "size": 1, "sha256": "0" * 64},
    "sha256": "a" * 64,
    "preprocessing": {"shift": [1.0, 2.0, 3.0], "scale": 0.5, "channel_order": "bgr"},
    "inputs": [{"name": "image", "shape": [3, 8, 8]}],
    "outputs": ["z"],
    "nodes": NODES,
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    random = np.random.default_rng(0)
    rows = {
        "image": random.integers(0, 255, size=(40, 3, 8, 8)).astype(np.uint8),
        "wide": random.integers(0, 255, size=(40, 3, 8, 12)).astype(np.uint8),
        "gray": random.integers(0, 255, size=(40, 1, 8, 8)).astype(np.uint8),
        "class": np.arange(40) % 3,
    }
    workshop.dataset("images", rows, {"train": np.arange(40)})
    second = [*RECORD["inputs"], {"name": "other", "shape": [4, 8, 8]}]
    joined = [*NODES, node("joined", "Plus", [4, 8, 8], ["relu", "other"])]
    for record in (
        RECORD,
        RECORD | {"id": WAITING, "status": "importing"},
        RECORD | {"id": TWO_INPUTS, "inputs": second, "nodes": joined},
    ):
        write_json(workshop.volume.model(record["id"]).record, record)
    return workshop


def recipe(**settings: Any) -> Document:
    given = {"type": "transfer_classifier", "model": MODEL, "last_hidden_node": "pool", **settings}
    return {"dataset": "ds_images", "recipe": given, "training": {"epochs": 1}}


def plain(shop: Workshop, **layer: Any) -> Document:
    """The spec of the recipe, whose layer says something else."""
    document = copy.deepcopy(normalise(recipe(), shop.volume, shop.settings).document)
    document["cached"] = None
    document["network"][0].update(layer)
    return document


def complete(shop: Workshop, document: Document) -> Document:
    return normalise(document, shop.volume, shop.settings).document


def faults(shop: Workshop, document: Document) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        complete(shop, document)
    return {fault.pointer: f"{fault.code}: {fault.detail}" for fault in caught.value.faults}


def test_the_record_says_what_the_recipe_does_not(shop: Workshop) -> None:
    image = complete(shop, recipe())["inputs"]["image"]
    assert {word: image[word] for word in ("shift", "scale", "channel_order")} == RECORD["preprocessing"]
    image = complete(shop, recipe(scale=[1.0, 2.0, 3.0], channel_order="rgb"))["inputs"]["image"]
    assert (image["shift"], image["scale"], image["channel_order"]) == ([1.0, 2.0, 3.0],) * 2 + ("rgb",)


def test_the_digest_is_in_the_fingerprint_and_the_spec_can_be_posted_back(shop: Workshop) -> None:
    document = complete(shop, recipe())
    assert document["network"][0]["sha256"] == "a" * 64
    assert complete(shop, document) == document
    other = copy.deepcopy(document)
    other["network"][0]["sha256"] = "b" * 64
    assert complete(shop, other) == document


@pytest.mark.parametrize(
    ("settings", "cached"),
    [
        ({}, ["pooled"]),
        ({"last_hidden_node": "z"}, ["base"]),
        ({"freeze": "side"}, ["pooled"]),
        ({"freeze": "conv"}, []),
        ({"freeze": "none"}, []),
        ({"freeze": "side", "last_hidden_node": "drop"}, []),
        ({"dropout": 0.5}, ["pooled"]),
    ],
    ids=str,
)
def test_what_is_cached_is_what_nothing_moves(shop: Workshop, settings: Document, cached: list[str]) -> None:
    """Dropout of a part that is not frozen moves what lies behind it."""
    assert complete(shop, recipe(**settings))["cached"] == cached


def test_augmented_images_are_not_cached(shop: Workshop) -> None:
    document = plain(shop)
    document["inputs"]["image"]["augment"] = [{"type": "flip"}]
    assert complete(shop, document)["cached"] == []
    document["cached"] = ["pooled", "prediction", "pooed"]
    found = faults(shop, document)
    assert set(found) == {"/cached/0", "/cached/1", "/cached/2"}
    assert found["/cached/0"].startswith("not_fixed: the values of 'pooled' cannot be cached")
    assert found["/cached/2"] == "unknown_node: no layer is named 'pooed'; did you mean 'pooled'?"


def test_what_is_learned_is_counted_by_the_node(shop: Workshop) -> None:
    for freeze, count in (("all", 0), ("conv", 16), ("none", 124)):
        estimate = normalise(recipe(freeze=freeze), shop.volume, shop.settings).estimate
        assert estimate["layers"][0] == {"name": "base", "shape": [8, 4, 4], "parameters": count}


def test_images_of_another_size(shop: Workshop) -> None:
    document = plain(shop)
    document["inputs"]["image"]["field"] = "wide"
    estimate = normalise(document, shop.volume, shop.settings).estimate
    assert estimate["layers"][0]["shape"] == [8, 4, 6]
    document["network"][0]["last"] = "z"
    (detail,) = faults(shop, document).values()
    assert "'z' (Times)" in detail
    assert "it takes 8 x 4 x 4 only" in detail
    document["inputs"]["image"] = {"field": "gray"}
    (detail,) = faults(shop, document).values()
    assert "is 3 x 8 x 8, but the input is 1 x 8 x 8; there must be as many channels" in detail


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (
            {"last": "pol"},
            {"last": "unknown_node: mdl_000000000000000000000001 has no node 'pol'; did you mean"},
        ),
        (
            {"first": "cov", "last": "x", "freeze": "reul"},
            {
                "first": "did you mean 'conv'",
                "last": "there are: conv, relu",
                "freeze": "did you mean 'relu'",
            },
        ),
        ({"first": "pool", "last": "relu"}, {"last": "order: 'relu' of mdl"}),
        ({"first": "pool", "last": "pool"}, {"last": "order: 'pool' of mdl"}),
        ({"first": "side", "last": "pool"}, {"first": "other_way: 'pool' of mdl"}),
        ({"freeze": "z"}, {"freeze": "order: 'z' of mdl"}),
        ({"first": "relu", "freeze": "conv"}, {"freeze": "order: 'conv' of mdl"}),
        ({"model": "mdl_" + "f" * 24}, {"model": "unknown_model: there is no model"}),
        ({"model": "../models"}, {"model": "unknown_model: there is no model"}),
        ({"model": WAITING}, {"model": "model_not_ready: model"}),
        ({"model": TWO_INPUTS, "last": "joined"}, {"first": "other_way: 'joined' of mdl"}),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_layer_is_said_of_its_place(
    shop: Workshop, layer: Document, expected: dict[str, str]
) -> None:
    found = faults(shop, plain(shop, **layer))
    assert set(found) == {f"/network/0/{word}" for word in expected}
    for word, text in expected.items():
        assert text in found[f"/network/0/{word}"]


def test_what_is_wrong_with_a_recipe_is_said_of_its_words(shop: Workshop) -> None:
    found = faults(shop, recipe(last_hidden_node="pol", freeze="cnv", feature_node="imag"))
    assert set(found) == {"/recipe/last_hidden_node", "/recipe/freeze", "/recipe/feature_node"}
    assert "did you mean 'pool'" in found["/recipe/last_hidden_node"]
    found = faults(shop, recipe(model="mdl_" + "e" * 24))
    assert found["/recipe/model"].startswith("unknown_model: there is no model")


def test_numbers_by_channel_fit_the_channels(shop: Workshop) -> None:
    document = plain(shop)
    document["inputs"]["image"] = {
        "field": "image",
        "shift": [1.0, 2.0],
        "scale": [1.0],
        "channel_order": "rgb",
    }
    document["inputs"]["other"] = {"field": "gray", "channel_order": "bgr"}
    found = faults(shop, document)
    assert found["/inputs/image/shift"].startswith(
        "length: shift has 2 numbers, but 'image' is dense, 3 x 8 x 8"
    )
    assert set(found) == {"/inputs/image/shift", "/inputs/image/scale", "/inputs/other/channel_order"}


ONE_SIDE = {"lower_pad": [0, 1, 1], "upper_pad": [0]}
OPERATIONS = [
    (
        node("n", "Pooling", [4, 3, 3], [], pooling_window_shape=[3, 3], strides=[2, 2]),
        [(4, 10, 7)],
        (4, 4, 3),
    ),
    (
        node("n", "Pooling", [4, 3, 3], [], pooling_window_shape=[3, 3], strides=[2], ceil_out_dim=True),
        [(4, 10, 7)],
        (4, 5, 3),
    ),
    (
        node("n", "Convolution", [6, 1, 1], [], 9, kernel_shape=[4, 3, 3], strides=[4, 2, 2], **ONE_SIDE),
        [(4, 10, 7)],
        (6, 5, 3),
    ),
    (node("n", "Plus", [4, 3, 3], []), [(4, 5, 6), (4, 1, 1)], (4, 5, 6)),
    (node("n", "ReduceElements", [4], [], axis_vec=[1, 2]), [(4, 5, 6)], (4,)),
    (
        node("n", "ReduceElements", [4], [], axis_vec=[1, 2], reduction_keep_dimensions=True),
        [(4, 5, 6)],
        (4, 1, 1),
    ),
    (node("n", "Reshape", [36], [], new_shape=[-1], begin_axis=0, end_axis=3), [(4, 5, 6)], (120,)),
]


@pytest.mark.parametrize(("given", "inputs", "shape"), OPERATIONS, ids=[row[0]["op"] for row in OPERATIONS])
def test_shape_of_an_operation(given: Any, inputs: list[tuple[int, ...]], shape: tuple[int, ...]) -> None:
    own = [tuple(7 for _ in one) for one in inputs]
    assert shape_of(ModelNode.model_validate(given), inputs, own) == shape


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        (node("n", "Splice", [4, 3, 3], [], axis=0), [(4, 5, 6), (4, 5, 5)]),
        (node("n", "Plus", [4, 3, 3], []), [(4, 5, 6), (4, 5, 5)]),
        (node("n", "Pooling", [4, 3, 3], [], pooling_window_shape=[3, 3], strides=[2]), [(4, 2, 9)]),
        (node("n", "Reshape", [36], [], new_shape=[36], begin_axis=0, end_axis=3), [(4, 5, 6)]),
        (node("n", "Plus", [4, 3, 3], [], 36), [(4, 5, 6)]),
        (node("n", "Slice", [4, 3, 3], []), [(4, 5, 6)]),
    ],
    ids=lambda value: value["op"] if isinstance(value, dict) else "",
)
def test_what_does_not_fit_an_operation(given: Any, inputs: list[tuple[int, ...]]) -> None:
    with pytest.raises(PlanError):
        shape_of(ModelNode.model_validate(given), inputs, [(4, 7, 7)] * len(inputs))


def test_features_go_with_their_data_set_and_with_their_model(shop: Workshop) -> None:
    volume = shop.volume
    for key, about in (
        ("one", {"dataset": "ds_one", "models": ["a", "b"]}),
        ("two", {"dataset": "ds_two", "models": ["b"]}),
        ("three", {"dataset": "ds_two", "models": ["c"]}),
    ):
        write_json(volume.feature(key).about, about)
        volume.feature(key).values.write_bytes(b"numbers")
    volume.feature("half").path.mkdir()
    assert forget(volume, dataset="ds_none") == 0
    assert forget(volume, dataset="ds_one") == 1
    assert forget(volume, model_sha256="b") == 1
    assert sorted(path.name for path in volume.features.iterdir()) == ["half", "three"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # 256 * 27 multiplications of conv and 256 * 4 of side a row, and 3 * 24 of the layer behind them.
        ({"freeze": "none"}, 3 * (256 * 31) + 3 * 24),
        ({"freeze": "conv"}, 256 * 27 + 3 * (256 * 4) + 3 * 24),
        # Features are cached.
        ({"freeze": "all"}, 2 * 24),
        ({"freeze": "all", "cached": []}, 256 * 31 + 2 * 24),
        ({"freeze": "none", "field": "wide"}, 3 * (384 * 31) + 3 * 24),
    ],
    ids=str,
)
def test_a_steps_multiplications_are_those_of_what_is_computed_in_it(
    shop: Workshop, settings: Document, expected: int
) -> None:
    document = plain(shop, freeze=settings["freeze"])
    document["cached"] = settings.get("cached")
    document["inputs"]["image"]["field"] = settings.get("field", "image")
    document["training"]["minibatch_size"] = 1
    spec = parse(document).model_dump()
    schema = load_schema(shop.volume, "ds_images")
    planned, found = check(spec, schema, lookup(shop.volume))
    assert not found
    assert multiplications(spec, planned, schema) == expected
