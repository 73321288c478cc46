"""What a spec becomes, and what is said of a broken one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.errors import InvalidInput, NotFound
from jobs.specs.fingerprint import changes, diff, fingerprint
from jobs.specs.normalise import normalise
from tests import spec_documents
from tests.trainer_runs import Sparse, Workshop
from trainer.files import read_json, write_json

Document = dict[str, Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    random = np.random.default_rng(0)
    splits = {"train": np.arange(60), "valid": np.arange(60, 80)}
    workshop.dataset(
        "images",
        {
            "pixels": random.uniform(0, 16, (80, 1, 8, 8)),
            "digit": np.arange(80) % 10,
            "half": random.uniform(0, 1, (80, 3)),
            "weight": random.uniform(0.5, 2, (80, 1)),
            "signed": random.normal(size=(80, 1)),
            "nothing": np.zeros((80, 1)),
            "position": random.normal(size=(80, 2)),
            "grid": random.uniform(0, 1, (80, 2, 3)),
            "words": Sparse.of(np.eye(80, 10)),
        },
        splits,
    )
    workshop.dataset(
        "unsplit", {"x": random.normal(size=(9, 2)), "y": np.arange(9) % 3}, {"train": np.arange(9)}
    )
    return workshop


SPEC: Document = {
    "name": "digits",
    "dataset": "ds_images",
    "inputs": {"pixels": {"field": "pixels", "scale": 0.0625}},
    "network": [
        {"name": "maps", "type": "convolution", "filters": 4, "filter_shape": [3, 3], "input": "pixels"},
        {"name": "pooled", "type": "max_pooling", "window": [2, 2], "input": "maps"},
        {"name": "scores", "type": "dense", "units": 10, "input": "pooled"},
    ],
    "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "digit"}],
    "metrics": [{"type": "accuracy", "output": "scores", "target": "digit"}],
    "learner": {"type": "adam", "alpha": 0.01},
    "training": {"epochs": 2},
}


def changed(**changes: Any) -> Document:
    """SPEC with values replaced, at paths such as ``network__0__units``."""
    return spec_documents.changed(SPEC, **changes)


def faults(shop: Workshop, document: Document) -> dict[str, tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        normalise(document, shop.volume, shop.settings)
    return {fault.pointer: (fault.code, fault.detail) for fault in caught.value.faults}


def complete(shop: Workshop, document: Document) -> Document:
    return normalise(document, shop.volume, shop.settings).document


def test_defaults_are_filled_in(shop: Workshop) -> None:
    document = complete(shop, SPEC)
    assert document["training"] == {
        "epochs": 2,
        "minibatch_size": 64,
        "seed": 1,
        "shuffle": True,
        "permutation": "drawn",
        "threads": 1,
        "mkl_code": "auto",
        "blocktime_ms": 0,
        "early_stopping": None,
        "rate_factors": None,
        "bias_rate_factor": None,
    }
    assert document["learner"]["alpha"] == {"type": "constant", "rate": 0.01}
    assert document["network"][2]["init"] == {"type": "glorot_uniform", "scale": 1.0}
    assert document["watch"] == {"metric": "accuracy", "split": "valid", "better": "higher"}
    assert document["outputs"] == ["scores"]
    assert document["objective"][0]["name"] == "cross_entropy_with_softmax"


def test_a_complete_spec_normalises_to_itself(shop: Workshop) -> None:
    once = complete(shop, SPEC)
    assert complete(shop, once) == once
    weighted = complete(shop, changed(objective__0__class_weights="balanced"))
    assert complete(shop, weighted) == weighted


def test_estimate_counts_parameters(shop: Workshop) -> None:
    found = normalise(SPEC, shop.volume, shop.settings).estimate
    assert found["parameters"] == (4 * 9 + 4) + (4 * 4 * 4 * 10 + 10)
    assert found["checkpoint_bytes"] == 3 * 4 * found["parameters"]
    assert found["layers"][0] == {"name": "maps", "shape": [4, 8, 8], "parameters": 40}


def test_layers_are_put_into_building_order(shop: Workshop) -> None:
    document = complete(shop, changed(network=list(reversed(SPEC["network"]))))
    assert [layer["name"] for layer in document["network"]] == ["maps", "pooled", "scores"]


def test_class_weights_follow_the_order_of_the_classes(shop: Workshop) -> None:
    weights = complete(shop, changed(objective__0__class_weights={"3": 2.0}))["objective"][0]["class_weights"]
    assert weights == [1, 1, 1, 2, 1, 1, 1, 1, 1, 1]
    balanced = complete(shop, changed(objective__0__class_weights="balanced"))["objective"][0][
        "class_weights"
    ]
    assert balanced == [1.0] * 10


@pytest.mark.parametrize(
    "budget",
    [
        {"training__epochs": 9},
        {"name": "other"},
        {"checkpoints": {"keep_last": 5}},
        {"training__early_stopping": {"patience": 2}},
        {"start_from": {"job": "job_x", "mode": "exact"}},
    ],
)
def test_the_budget_is_no_part_of_the_fingerprint(shop: Workshop, budget: Document) -> None:
    here, there = (normalise(document, shop.volume, shop.settings) for document in (SPEC, changed(**budget)))
    assert here.fingerprint == there.fingerprint
    assert diff(here.document, there.document) == []


def test_everything_else_is_and_is_named_with_both_values(shop: Workshop) -> None:
    here, there = (
        normalise(document, shop.volume, shop.settings)
        for document in (SPEC, changed(training__seed=2, network__0__activation="relu"))
    )
    assert here.fingerprint != there.fingerprint
    assert diff(here.document, there.document) == [
        {"pointer": "/network/0/activation/type", "here": "none", "there": "relu"},
        {"pointer": "/training/seed", "here": 1, "there": 2},
    ]


@pytest.fixture(scope="module")
def many(shop: Workshop) -> Document:
    """A spec on a data set that says it has two million rows."""
    columns = {"half": np.zeros((4, 3)), "weight": np.ones((4, 1))}
    dataset = shop.dataset("many", columns, {"train": np.arange(4)})
    schema = read_json(shop.volume.dataset(dataset).schema)
    schema["rows"] = schema["splits"]["train"]["rows"] = 2_000_000
    write_json(shop.volume.dataset(dataset).schema, schema)
    return {
        "dataset": dataset,
        "inputs": {"half": {"field": "half"}},
        "network": [{"name": "guess", "type": "dense", "units": 1, "input": "half"}],
        "objective": [{"type": "squared_error", "output": "guess", "target": "weight"}],
        "learner": {"type": "sgd", "learning_rate": 0.1},
        "training": {"epochs": 1},
    }


def test_the_order_of_many_rows_is_computed_and_that_is_part_of_the_fingerprint(
    shop: Workshop, many: Document
) -> None:
    computed = complete(shop, many)
    drawn = complete(shop, many | {"training": {"epochs": 1, "permutation": "drawn"}})
    assert computed["training"]["permutation"] == "computed"
    assert computed["fingerprint"] != drawn["fingerprint"]
    assert diff(drawn, computed) == [
        {"pointer": "/training/permutation", "here": None, "there": "computed"},
    ]


def test_specs_from_before_there_was_a_choice_keep_their_order_and_fingerprint(
    shop: Workshop, many: Document
) -> None:
    old = complete(shop, many | {"training": {"epochs": 1, "permutation": "drawn"}})
    del old["training"]["permutation"]
    run = shop.volume.job("job_old")
    run.path.mkdir(parents=True)
    write_json(run.spec, old)
    continuing = many | {"start_from": {"job": "job_old", "mode": "exact"}}
    assert complete(shop, continuing)["fingerprint"] == old["fingerprint"] == fingerprint(old)
    assert normalise(old, shop.volume, shop.settings, run).document["fingerprint"] == old["fingerprint"]
    anew = many | {"start_from": {"job": "job_old", "mode": "weights"}}
    assert complete(shop, anew)["training"]["permutation"] == "computed"


def test_what_a_spec_leaves_open_is_as_the_service_is_set_or_as_in_the_job_that_it_continues(
    shop: Workshop, many: Document
) -> None:
    old = complete(shop, many)
    del old["training"]["mkl_code"], old["training"]["blocktime_ms"]
    assert fingerprint(old) == old["fingerprint"]
    run = shop.volume.job("job_before")
    run.path.mkdir(parents=True)
    write_json(run.spec, old)
    settings = shop.settings.model_copy(update={"threads": 3, "mkl_code": "avx2", "blocktime_ms": 7})
    wanted = {"threads": 3, "mkl_code": "avx2", "blocktime_ms": 7}
    fresh = normalise(many, shop.volume, settings).document
    assert {key: fresh["training"][key] for key in wanted} == wanted
    assert [change["pointer"] for change in diff(fresh, old)] == ["/training/mkl_code", "/training/threads"]
    continuing = many | {"start_from": {"job": "job_before", "mode": "exact"}}
    found = normalise(continuing, shop.volume, settings).document
    assert found["fingerprint"] == old["fingerprint"]
    assert found["training"]["blocktime_ms"] == 7
    named = many | {"training": {"epochs": 1, "threads": 2, "mkl_code": "library", "blocktime_ms": 0}}
    assert normalise(named, shop.volume, settings).document["training"]["mkl_code"] == "library"


def test_wrong_settings_of_the_machine_are_named(shop: Workshop) -> None:
    found = faults(shop, changed(training__mkl_code="avx", training__blocktime_ms=-1))
    assert set(found) == {"/training/mkl_code", "/training/blocktime_ms"}
    assert all(word in found["/training/mkl_code"][1] for word in ("auto", "library", "avx2", "avx512"))


def test_changes_list_the_budget_too_but_not_which_job_it_is(shop: Workshop) -> None:
    here, there = (
        normalise(document, shop.volume, shop.settings).document
        for document in (
            changed(name="longer", training__epochs=9, start_from={"job": "job_x", "mode": "exact"}),
            SPEC,
        )
    )
    assert changes(here, there) == [
        {"pointer": "/training/epochs", "here": 9, "there": there["training"]["epochs"]}
    ]


BROKEN: list[tuple[str, Document, dict[str, tuple[str, str]]]] = [
    (
        "unknown layer",
        changed(network__0__type="convolutoin"),
        {"/network/0/type": ("unknown_type", "did you mean 'convolution'?")},
    ),
    (
        "unknown loss",
        changed(objective__0__type="hinge"),
        {"/objective/0/type": ("unknown_type", "logistic")},
    ),
    (
        "unknown activation",
        changed(network__0__activation="gelu"),
        {"/network/0/activation": ("unknown_type", "'gelu'")},
    ),
    (
        "unknown key",
        changed(network__0__filtres=3),
        {"/network/0/filtres": ("unknown_key", "did you mean 'filters'?")},
    ),
    ("unknown top-level key", changed(lerner={}), {"/lerner": ("unknown_key", "did you mean 'learner'?")}),
    ("wrong type", changed(network__2__units="ten"), {"/network/2/units": ("int_type", "'ten'")}),
    ("number as text", changed(training__epochs="2"), {"/training/epochs": ("int_type", "not '2'")}),
    ("zero budget", changed(training__epochs=0), {"/training/epochs": ("greater_than_equal", "1, not 0")}),
    (
        "negative budget",
        changed(training__minibatch_size=-4),
        {"/training/minibatch_size": ("greater_than_equal", "not -4")},
    ),
    (
        "several at once",
        changed(network__0__filters=0, learner__alpha=-1, training__epochs=0),
        {
            "/network/0/filters": ("greater_than_equal", "not 0"),
            "/learner/alpha": ("greater_than", "not -1"),
            "/training/epochs": ("greater_than_equal", "not 0"),
        },
    ),
    (
        "unknown field",
        changed(inputs__pixels__field="pixel"),
        {"/inputs/pixels/field": ("unknown_field", "did you mean 'pixels'?")},
    ),
    ("unknown node", changed(network__2__input="poled"), {"/network/2/input": ("unknown_node", "pooled")}),
    (
        "shape against the target",
        changed(network__2__units=7),
        {"/objective/0": ("shape", "7"), "/metrics/0": ("shape", "10")},
    ),
    (
        "shape of a layer",
        changed(network__1__window=[9, 9]),
        {"/network/1": ("shape", "9 x 9 does not fit into 8 x 8")},
    ),
    ("rank of a layer", changed(network__0__filter_shape=[3]), {"/network/0": ("shape", "1 x 8 x 8")}),
    (
        "sum of two shapes",
        changed(network__3={"name": "both", "type": "sum", "inputs": ["pixels", "maps"]}),
        {"/network/3": ("shape", "1 x 8 x 8 and 4 x 8 x 8")},
    ),
    (
        "kind of target: classes",
        changed(objective__0__target="position"),
        {"/objective/0/target": ("target_kind", "categorical"), "/objective/0": ("shape", "2")},
    ),
    (
        "kind of target: values",
        changed(objective__0__type="squared_error"),
        {"/objective/0/target": ("target_kind", "dense field of numbers")},
    ),
    (
        "kind of target: labels",
        changed(objective__0__type="logistic", objective__0__target="position"),
        {"/objective/0/target": ("target_kind", "labels in 0..1"), "/objective/0": ("shape", "2")},
    ),
    (
        "target that is a layer",
        changed(objective__0__target="pooled"),
        {"/objective/0/target": ("target_kind", "layer")},
    ),
    ("cycle", changed(network__0__input="pooled"), {"/network/0": ("cycle", "maps, pooled, scores")}),
    (
        "duplicate name",
        changed(network__3={**SPEC["network"][0], "name": "pooled"}),
        {"/network/3/name": ("duplicate_name", "pooled")},
    ),
    (
        "name of an input",
        changed(network__3={**SPEC["network"][0], "name": "pixels"}),
        {"/network/3/name": ("duplicate_name", "pixels")},
    ),
    (
        "negative weights",
        changed(example_weight="signed"),
        {"/example_weight": ("negative", "may not be negative")},
    ),
    ("weights of zero", changed(example_weight="nothing"), {"/example_weight": ("all_zero", "every weight")}),
    (
        "weights of another shape",
        changed(example_weight="position"),
        {"/example_weight": ("shape", "one number")},
    ),
    (
        "class weights of another length",
        changed(objective__0__class_weights=[1.0, 2.0]),
        {"/objective/0/class_weights": ("length", "10 classes, not 2")},
    ),
    (
        "unknown class",
        changed(objective__0__class_weights={"11": 2.0}),
        {"/objective/0/class_weights/11": ("unknown_class", "'11'")},
    ),
    (
        "top_n over the classes",
        changed(metrics__0__top_n=11),
        {"/metrics/0/top_n": ("too_large", "10 classes")},
    ),
    (
        "unknown watch",
        changed(watch={"metric": "acuracy"}),
        {"/watch/metric": ("unknown_metric", "'accuracy'")},
    ),
    (
        "two clippings",
        changed(learner__clip_norm=1.0, learner__clip_value=1.0),
        {"/learner/clip_value": ("exclusive", "not both")},
    ),
    (
        "piecewise lengths",
        changed(learner__alpha={"type": "piecewise", "rates": [0.1], "until_epochs": [1.0]}),
        {"/learner/alpha/rates": ("length", "2 rates")},
    ),
    (
        "rmsprop's limits",
        changed(learner={"type": "rmsprop", "max": 0.1}),
        {"/learner/max": ("order", "above min, which is 0.1")},
    ),
    (
        "layer beside the objective",
        changed(network__3={"name": "aside", "type": "dense", "units": 2, "input": "maps"}),
        {"/network/3": ("untrained", "depends on 'aside'")},
    ),
    (
        "nothing to learn",
        changed(
            network=[{"name": "scores", "type": "activation", "input": "position"}],
            inputs={"position": "position"},
            objective=[{"type": "squared_error", "output": "scores", "target": "position"}],
            metrics=[],
        ),
        {"/network": ("nothing_to_learn", "no layer has parameters")},
    ),
    (
        "one example left to normalize by",
        changed(
            network__2={"name": "even", "type": "batch_normalization", "spatial": False, "input": "pooled"},
            network__3={"name": "scores", "type": "dense", "units": 10, "input": "even"},
            training__minibatch_size=59,
        ),
        {"/training/minibatch_size": ("too_small", "'even' needs two to normalize by")},
    ),
    (
        "distribution of several axes",
        changed(
            network=[{"name": "scores", "type": "dense", "units": 6, "input": "pixels"}],
            objective__0__target="grid",
            metrics=[],
        ),
        {"/objective/0/target": ("target_kind", "a vector in 0..1"), "/objective/0": ("shape", "2 x 3")},
    ),
    (
        "sparse input",
        changed(
            inputs={"words": "words"},
            network=[
                {"name": "thinned", "type": "dropout", "input": "words"},
                {"name": "scores", "type": "dense", "units": 10, "input": "thinned"},
            ],
            learner={"type": "adam", "l2": 0.1},
        ),
        {
            "/network/0": ("sparse_input", "dropout cannot take the sparse input 'words'"),
            "/learner/type": ("sparse_input", "these can: sgd, momentum, adagrad"),
            "/learner/l2": ("sparse_input", "no l2"),
        },
    ),
    (
        "sparse input, scaled",
        changed(
            inputs={"words": {"field": "words", "scale": 0.5}},
            network=[{"name": "scores", "type": "dense", "units": 10, "input": "words"}],
            learner={"type": "sgd"},
        ),
        {"/inputs/words/scale": ("not_dense", "cannot be shifted or scaled")},
    ),
    (
        "schedule without its part",
        changed(learner__alpha={"type": "warm_up", "epochs": 1}),
        {"/learner/alpha/then": ("missing", "required")},
    ),
    (
        "rate factors of what is no layer or learns nothing",
        changed(training__rate_factors={"mapps": 2.0, "pooled": 0.5}),
        {
            "/training/rate_factors/mapps": ("unknown_node", "did you mean 'maps'?"),
            "/training/rate_factors/pooled": ("nothing_to_learn", "these layers have: maps, scores"),
        },
    ),
    (
        "rate factors that stand still",
        changed(training__rate_factors={"maps": 0.0}, training__bias_rate_factor=-1.0),
        {
            "/training/rate_factors/maps": ("greater_than", "not 0.0"),
            "/training/bias_rate_factor": ("greater_than", "not -1.0"),
        },
    ),
    (
        "a name that is no name",
        changed(network__0__name="a b"),
        {"/network/0/name": ("string_pattern_mismatch", "'a b'")},
    ),
    (
        "several kinds would do",
        changed(inputs__pixels__scale={"by": 2}),
        {"/inputs/pixels/scale": ("float_type", "a number or a list is needed, not {'by': 2}")},
    ),
    (
        "a number as text",
        changed(learner__alpha="0.1"),
        {"/learner/alpha": ("unknown_type", "without quotes")},
    ),
    (
        "a learner that has a key of its own name",
        changed(
            learner={
                "type": "momentum",
                "learning_rate": {"type": "cosine", "rat": 0.1, "epochs": "2"},
                "momentum": 1.5,
            }
        ),
        {
            "/learner/learning_rate/rat": ("unknown_key", "did you mean 'rate'?"),
            "/learner/learning_rate/rate": ("missing", "'rate'"),
            "/learner/learning_rate/epochs": ("float_type", "a number is needed, not '2'"),
            "/learner/momentum": ("less_than", "less than 1, not 1.5"),
        },
    ),
    (
        "a schedule of a learner that has a key of its own name",
        changed(learner={"type": "momentum", "learning_rate": {"type": "cosin"}, "momentum": 0.9}),
        {"/learner/learning_rate/type": ("unknown_type", "did you mean 'cosine'?")},
    ),
    (
        "a layer as text",
        changed(network__0="dense"),
        {"/network/0": ("model_attributes_type", "an object is")},
    ),
    ("null", changed(training=None), {"/training": ("model_type", "an object is needed, not null")}),
    (
        "an axis too long",
        changed(network__2__units=2**31),
        {"/network/2": ("shape", "its output would be 2,147,483,648; an axis has at most 2,147,483,647")},
    ),
    (
        "a time too long",
        changed(limits={"max_queue_s": 1e308}),
        {"/limits/max_queue_s": ("less_than_equal", "")},
    ),
    ("no layers", changed(network=[]), {"/network": ("too_short", "at least 1")}),
    ("NaN", changed(learner__alpha=float("nan")), {"/learner/alpha": ("finite_number", "finite")}),
    (
        "standardize and scale",
        changed(inputs__pixels__standardize=True),
        {"/inputs/pixels/standardize": ("exclusive", "not both")},
    ),
]


@pytest.mark.parametrize(
    ("document", "expected"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_broken_spec_is_told_where_and_what(
    shop: Workshop, document: Document, expected: dict[str, tuple[str, str]]
) -> None:
    found = faults(shop, document)
    for pointer, (code, words) in expected.items():
        assert pointer in found, found
        assert found[pointer][0] == code, found[pointer]
        assert words in found[pointer][1]
    # Nothing else is blamed, but for what stands on the fault (a metric on the output that is wrong).
    assert {p for p in found if not p.startswith("/metrics")} == {
        p for p in expected if not p.startswith("/metrics")
    }


def test_unknown_dataset_is_not_found(shop: Workshop) -> None:
    with pytest.raises(NotFound, match="ds_other"):
        normalise(changed(dataset="ds_other"), shop.volume, shop.settings)


def test_watching_a_split_that_is_not_there(shop: Workshop) -> None:
    document = {
        "dataset": "ds_unsplit",
        "inputs": {"x": "x"},
        "network": [{"name": "scores", "type": "dense", "units": 3, "input": "x"}],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "y"}],
        "learner": {"type": "sgd"},
        "training": {"epochs": 1},
        "watch": {"metric": "total", "split": "valid"},
    }
    assert faults(shop, document)["/watch/split"][0] == "unknown_split"
    del document["watch"]
    assert complete(shop, document)["watch"] == {"metric": "total", "split": "train", "better": "lower"}
