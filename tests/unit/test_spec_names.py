"""What is said of names in a spec that has structural faults, too: what is certain, in the same answer."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from jobs.errors import InvalidInput, NotFound
from jobs.specs.models import parse
from jobs.specs.normalise import normalise
from tests.trainer_runs import Workshop

Document = dict[str, Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    random = np.random.default_rng(0)
    workshop.dataset(
        "table",
        {"x": random.normal(size=(12, 2)), "y": np.arange(12) % 3, "weight": np.ones((12, 1))},
        {"train": np.arange(12)},
    )
    return workshop


SPEC: Document = {
    "dataset": "ds_table",
    "inputs": {"features": {"field": "x"}, "answer": {"field": "y"}},
    "network": [
        {"name": "hidden", "type": "dense", "units": 4, "input": "features"},
        {"name": "scores", "type": "dense", "units": 3, "input": "hidden"},
        {"name": "marked", "type": "dense", "units": 1, "input": "hidden"},
    ],
    "objective": [
        {
            "type": "cross_entropy_with_softmax",
            "output": "scores",
            "target": "answer",
            "class_weights": {"1": 2.0},
        },
        {"type": "logistic", "name": "marks", "output": "marked", "target": "weight", "weight": 0.5},
    ],
    "metrics": [{"type": "accuracy", "output": "scores", "target": "y"}],
    "learner": {"type": "sgd"},
    "training": {"epochs": 2},
    "watch": {"metric": "accuracy"},
    "decisions": [{"output": "marked", "threshold": 0.4}],
    "cached": [],
}
LOST = object()
"""In ``changed``: the key is left out."""


def changed(changes: dict[str, Any]) -> Document:
    """SPEC with values replaced at JSON pointers."""
    document = copy.deepcopy(SPEC)
    for pointer, value in changes.items():
        *steps, last = [int(step) if step.isdigit() else step for step in pointer.split("/")[1:]]
        place: Any = document
        for step in steps:
            place = place[step]
        if value is LOST:
            del place[last]
        else:
            place[last] = value
    return document


def faults(shop: Workshop, document: Document) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        normalise(document, shop.volume, shop.settings)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def test_both_kinds_in_the_order_of_the_document(shop: Workshop) -> None:
    document = changed(
        {
            "/inputs/features/field": "z",
            "/inputs/features/scael": 2,
            "/network/0/units": "four",
            "/network/0/input": "feature",
            "/network/1/type": "desne",
            "/network/1/input": "hiden",
            "/objective/0/output": "score",
            "/objective/0/weight": 0,
            "/objective/0/element_weight": "w",
            "/metrics/0/type": "acuracy",
            "/metrics/0/output": "scroes",
            "/training/epochs": 0,
            "/training/rate_factors": {"hidden": 2.0, "hiden": 2.0},
            "/example_weight": "heft",
            "/outputs": ["scores", "soures"],
            "/keep": {"values": ["hidden", "hiden"]},
        }
    )
    document["objective"][0]["target"] = "digit"
    assert faults(shop, document) == [
        ("/inputs/features/field", "unknown_field"),
        ("/inputs/features/scael", "unknown_key"),
        ("/network/0/units", "int_type"),
        ("/network/0/input", "unknown_node"),
        ("/network/1/type", "unknown_type"),
        ("/network/1/input", "unknown_node"),
        ("/objective/0/output", "unknown_node"),
        ("/objective/0/target", "unknown_field"),
        ("/objective/0/weight", "greater_than"),
        ("/objective/0/element_weight", "unknown_key"),
        ("/metrics/0/type", "unknown_type"),
        ("/metrics/0/output", "unknown_node"),
        ("/training/epochs", "greater_than_equal"),
        ("/training/rate_factors/hiden", "unknown_node"),
        ("/example_weight", "unknown_field"),
        ("/outputs/1", "unknown_node"),
        ("/keep/values/1", "unknown_node"),
    ]


EPOCHS = ("/training/epochs", "greater_than_equal")


def test_names_in_the_rest_of_a_spec_are_told_too(shop: Workshop) -> None:
    document = changed(
        {
            "/training/epochs": 0,
            "/objective/0/class_weights": {"1": 2.0, "one": 3.0},
            "/objective/1/weight": 0,
            "/watch": {"metric": "acuracy"},
            "/decisions": [{"output": "scores"}, {"output": "marked", "threshold": 2}],
            "/cached": ["hidden", "hiden"],
        }
    )
    base = {
        "name": "base",
        "type": "pretrained",
        "model": "mdl_" + "0" * 24,
        "last": "x",
        "input": "features",
    }
    document["network"].append(base)
    assert faults(shop, document) == [
        ("/network/3/model", "unknown_model"),
        ("/objective/0/class_weights/one", "unknown_class"),
        ("/objective/1/weight", "greater_than"),
        EPOCHS,
        ("/watch/metric", "unknown_metric"),
        ("/decisions/0/output", "no_labels"),
        ("/decisions/1/threshold", "value_error"),
        ("/cached/1", "unknown_node"),
    ]


@pytest.mark.parametrize("damage", ["/metrics/0/type", "/metrics/0/nmae", "/objective/1/output", "/metrics"])
def test_what_is_watched_is_only_judged_where_all_terms_can_be_told(shop: Workshop, damage: str) -> None:
    found = faults(shop, changed({damage: 3, "/watch/metric": "who knows"}))
    assert "/watch/metric" not in [pointer for pointer, _ in found]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [], id="nothing but the structural one"),
        pytest.param(
            {"/network/0/name": "hid den"},
            [("/network/0/name", "string_pattern_mismatch")],
            id="a name that is none, so that the layer behind it finds nothing",
        ),
        pytest.param(
            {"/network/0/name": LOST}, [("/network/0/name", "missing")], id="a layer without a name"
        ),
        pytest.param({"/network/0": 3}, [("/network/0", "model_attributes_type")], id="a layer that is none"),
        pytest.param({"/network": LOST}, [("/network", "missing")], id="no network"),
        pytest.param({"/inputs": {}}, [("/inputs", "too_short")], id="no inputs"),
        pytest.param(
            {"/inputs/features": 3},
            [("/inputs/features", "model_type")],
            id="an input that is none has a name",
        ),
        pytest.param(
            {"/inputs/answer/field": 3},
            [("/inputs/answer/field", "string_type")],
            id="a target by way of an input that cannot be read",
        ),
        pytest.param(
            {"/inputs/answer/field": "z"},
            [("/inputs/answer/field", "unknown_field")],
            id="a target by way of an input of an unknown field",
        ),
        pytest.param(
            {"/network/1/type": "desne", "/network/1/units": "three"},
            [("/network/1/type", "unknown_type")],
            id="a layer of an unknown type is there",
        ),
        pytest.param(
            {"/network/1/type": "summ", "/network/1/inputs": ["hidden", 3], "/network/1/input": LOST},
            [("/network/1/type", "unknown_type")],
            id="inputs of an unknown type that cannot be read",
        ),
        pytest.param(
            {"/objective/0/type": "hinge", "/objective/0/target": "z"},
            [("/objective/0/type", "unknown_type")],
            id="what an unknown loss compares with is not known",
        ),
        pytest.param(
            {"/objective/0/type": "hinge", "/objective/0/output": LOST, "/metrics": 3},
            [("/objective/0/type", "unknown_type"), ("/metrics", "list_type")],
            id="no output",
        ),
        pytest.param(
            {"/objective/0/target": ["z", 3]},
            [("/objective/0/target", "string_type"), ("/objective/0/target/1", "string_type")],
            id="a target that is partly wrong",
        ),
        pytest.param({"/network/1/units": 7}, [], id="shapes wait until the structure is right"),
    ],
)
def test_no_fault_follows_from_another(
    shop: Workshop, changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = faults(shop, changed({"/training/epochs": 0, **changes}))
    assert sorted(found) == sorted([*expected, EPOCHS])


def places(value: Any, at: str = "") -> Iterator[str]:
    """Pointers to all that is in a document, at any depth."""
    steps = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in steps:
        yield f"{at}/{step}"
        yield from places(value[step], f"{at}/{step}")


def refusal(document: Document) -> set[tuple[str, str]]:
    """The structural faults alone."""
    try:
        parse(document)
    except InvalidInput as error:
        return {(fault.pointer, fault.code) for fault in error.faults}
    return set()


@pytest.mark.parametrize("wrong", [-1, [], {}, [3], {"unheard_of": 1}, LOST], ids=repr)
def test_damage_at_any_one_place_is_all_that_is_blamed(shop: Workshop, wrong: Any) -> None:
    """No name in SPEC is wrong, so whatever is done to its structure, the faults are those of structure."""
    refused = 0
    # Inputs of other names, or fewer of them, are faults of their own.
    for place in (place for place in places(SPEC) if place.count("/") > 2 or "/inputs" not in place):
        if wrong is LOST and place.rpartition("/")[2].isdecimal():
            continue
        document = changed({place: wrong})
        structural = refusal(document)
        if structural:
            refused += 1
            assert set(faults(shop, document)) == structural, place
    assert refused > 15


def test_a_data_set_that_is_not_there_is_one_fault_among_the_others(shop: Workshop) -> None:
    document = changed({"/dataset": "ds_other", "/training/epochs": 0, "/objective/0/output": "score"})
    expected = [("/dataset", "unknown_dataset"), ("/objective/0/output", "unknown_node"), EPOCHS]
    assert faults(shop, document) == expected
    document["training"]["epochs"] = 1
    assert faults(shop, document) == expected[:2]
    document["objective"][0]["output"] = "scores"
    with pytest.raises(NotFound, match="ds_other"):
        normalise(document, shop.volume, shop.settings)


def test_faults_of_a_recipe_and_of_what_stands_beside_it(shop: Workshop) -> None:
    document = {
        "dataset": "ds_table",
        "recipe": {"type": "classifier", "inputs": ["x", "z"], "target": 3, "hidden": [0]},
        "metrics": [{"type": "accuracy", "output": "made_by_the_recipe", "target": "y"}],
        "training": {"epochs": 0},
    }
    found = faults(shop, document)
    assert found == [
        ("/recipe/inputs/1", "unknown_field"),
        ("/recipe/target", "string_type"),
        ("/recipe/hidden/0", "greater_than_equal"),
        EPOCHS,
    ]
    assert faults(shop, document | {"dataset": "ds_other"}) == [
        ("/dataset", "unknown_dataset"),
        *found[1:],
    ]
    document["recipe"] = {"type": "clasifier", "inputs": ["z"]}
    assert faults(shop, document) == [("/recipe/type", "unknown_type"), EPOCHS]
