"""Terms and metrics over steps and rows of sequences, against numpy.

The network scores each step by one dense layer, and the mean of a row's steps by another; the
parameters after one step of gradient descent show that what is minimised is what is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from jobs.specs.normalise import normalise
from tests.trainer_runs import Sequences, Workshop
from tests.trainer_scripts import in_trainer

ROWS, TRAIN, CLASSES, RATE, PIECE = 12, 7, 3, 0.5, 4
SPLITS = {"train": np.arange(TRAIN), "valid": np.arange(TRAIN, ROWS)}
LENGTHS = np.array([3, 1, 5, 2, 2, 7, 4, 1, 1, 6, 3, 2])
CE, SE = "cross_entropy_with_softmax", "squared_error"
Parameters = Mapping[str, np.ndarray]


def tags(**settings: Any) -> dict[str, Any]:
    return {"type": CE, "output": "tags", "target": "tag", "name": "tags", **settings}


def kinds(**settings: Any) -> dict[str, Any]:
    return {"type": CE, "output": "kinds", "target": "kind", "name": "kinds", **settings}


BY_WEIGHTS = {"normalization": "weighted_mean"}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "steps": {"objective": [tags()]},
    "rows": {"objective": [kinds()]},
    "steps and rows": {"objective": [tags(weight=0.7), kinds(weight=2.0)]},
    "a weight a row": {"objective": [tags(), kinds()], "example_weight": "of_row"},
    "a weight a step": {"objective": [tags(example_weight="of_step"), kinds()]},
    "weights of classes": {
        "objective": [tags(class_weights=[0.5, 3.0, 1.0]), kinds(class_weights="balanced")]
    },
    "a mean by weights of steps": {"objective": [tags(example_weight="of_step", **BY_WEIGHTS)]},
    "a mean by weights of rows": {"objective": [tags(**BY_WEIGHTS), kinds()], "example_weight": "of_row"},
    "a mean by all weights": {
        "objective": [
            tags(example_weight="of_step", class_weights=[0.5, 3.0, 0.0], weight=0.3, **BY_WEIGHTS),
            kinds(example_weight="of_row", class_weights=[1.0, 0.0, 2.0], **BY_WEIGHTS),
        ]
    },
    "numbers a step": {
        "objective": [{"type": SE, "output": "tags", "target": "numbers", "name": "numbers"}],
        "metrics": [{"type": "root_mean_squared_error", "output": "tags", "target": "numbers"}],
    },
}
METRICS = [
    {"type": "classification_error", "output": "tags", "target": "tag", "name": "tag_error"},
    {"type": "classification_error", "output": "kinds", "target": "kind", "name": "kind_error"},
]


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    random = np.random.default_rng(5)
    steps = int(LENGTHS.sum())
    kind = np.arange(ROWS) % CLASSES
    return {
        "x": Sequences(random.normal(size=(steps, 4)).astype(np.float32), LENGTHS),
        "tag": Sequences(np.concatenate([np.arange(3), random.integers(0, CLASSES, steps - 3)]), LENGTHS),
        "numbers": Sequences(random.normal(size=(steps, CLASSES)).astype(np.float32), LENGTHS),
        "of_step": Sequences(random.uniform(0, 3, size=(steps, 1)).astype(np.float32), LENGTHS),
        "kind": kind,
        "of_row": random.uniform(0, 3, size=(ROWS, 1)).astype(np.float32),
    }


@pytest.fixture(scope="module")
def initial() -> dict[str, np.ndarray]:
    random = np.random.default_rng(6)
    shapes = {"W": (4, CLASSES), "b": (CLASSES,)}
    return {
        f"{layer}.{name}": random.normal(size=shape)
        for layer in ("tags", "kinds")
        for name, shape in shapes.items()
    }


@pytest.fixture(scope="module")
def found(workshop: Workshop, data: dict[str, Any], initial: Parameters) -> dict[str, dict[str, Any]]:
    dataset = workshop.dataset("sentences", data, SPLITS)
    rows = []
    for case in OBJECTIVES.values():
        used = {item["output"] for item in case["objective"]}
        network = [
            {"name": "pooled", "type": "sequence_mean", "input": "x"},
            {"name": "tags", "type": "dense", "units": CLASSES, "input": "x"},
            {"name": "kinds", "type": "dense", "units": CLASSES, "input": "pooled"},
        ]
        spec = {
            "dataset": dataset,
            "inputs": {"x": "x"},
            "network": [layer for layer in network if layer["name"] in {"pooled"} | used],
            "learner": {"type": "sgd", "learning_rate": RATE},
            "training": {"epochs": 1, "minibatch_size": TRAIN, "shuffle": False},
            "metrics": [metric for metric in METRICS if metric["output"] in used],
            **case,
        }
        rows.append(
            {
                "spec": normalise(spec, workshop.volume, workshop.settings).document,
                "dataset": str(workshop.volume.dataset(dataset).path),
                "initial": {
                    name: value.tolist() for name, value in initial.items() if name.partition(".")[0] in used
                },
                "after": [1],
                "evaluation_minibatch": PIECE,
            }
        )
    results = in_trainer(workshop.environment, "training", rows)
    return {name: row | result for name, row, result in zip(OBJECTIVES, rows, results, strict=True)}


def scores(data: dict[str, Any], output: str, rows: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Of each step of the rows, or of each row."""
    x = data["x"].steps.astype(np.float64)
    if output == "tags":
        inputs = x[data["x"].of(rows)]
    else:
        inputs = np.array([x[data["x"].of(np.array([row]))].mean(axis=0) for row in rows])
    return np.asarray(inputs @ parameters[f"{output}.W"] + parameters[f"{output}.b"])


def values(data: dict[str, Any], name: str, rows: np.ndarray, output: str) -> np.ndarray:
    """A field's values for each step of the rows or each row, classes as one-hot vectors."""
    column = data[name]
    if isinstance(column, Sequences):
        picked = column.steps[column.of(rows)]
    else:
        picked = column[rows]
        if output == "tags":
            picked = np.repeat(picked, LENGTHS[rows], axis=0)
    return np.eye(CLASSES)[picked] if picked.dtype.kind == "i" else picked.astype(np.float64)


def expected_losses(
    spec: Mapping[str, Any], data: dict[str, Any], rows: np.ndarray, parameters: Parameters
) -> dict[str, float]:
    reported, total, plain = {}, 0.0, 0.0
    for item in spec["objective"]:
        z = scores(data, item["output"], rows, parameters)
        wanted = values(data, item["target"], rows, item["output"])
        if item["type"] == CE:
            value = np.log(np.exp(z).sum(axis=1)) - (z * wanted).sum(axis=1)
        else:
            value = np.square(z - wanted).sum(axis=1)
        weights = np.ones(len(z))
        if item["example_weight"]:
            weights = weights * values(data, item["example_weight"], rows, item["output"])[:, 0]
        if item["class_weights"]:
            weights = weights * (wanted @ item["class_weights"])
        divisor = weights.sum() if item["normalization"] == "weighted_mean" else len(z)
        total += item["weight"] * float((weights * value).sum() / divisor)
        plain += item["weight"] * float(value.mean())
        reported[item["name"]] = float(value.mean())
    reported["total"] = total
    if any(item["class_weights"] or item["example_weight"] for item in spec["objective"]):
        reported["total_unweighted"] = plain
    return reported


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("case", OBJECTIVES)
def test_reported_numbers_are_the_formulas(
    found: dict[str, dict[str, Any]], data: dict[str, Any], initial: Parameters, case: str, split: str
) -> None:
    spec, summary = found[case]["spec"], found[case]["summaries"][split]
    assert summary["losses"] == pytest.approx(expected_losses(spec, data, SPLITS[split], initial), rel=1e-5)
    for metric in spec["metrics"]:
        z = scores(data, metric["output"], SPLITS[split], initial)
        wanted = values(data, metric["target"], SPLITS[split], metric["output"])
        if metric["type"] == "classification_error":
            expected = np.mean(z.argmax(axis=1) != wanted.argmax(axis=1))
        else:
            expected = np.sqrt(np.square(z - wanted).mean())
        assert summary["metrics"][metric["name"]] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("case", OBJECTIVES)
def test_one_step_goes_down_the_gradient_of_the_total(
    found: dict[str, dict[str, Any]], data: dict[str, Any], initial: Parameters, case: str
) -> None:
    after = found[case]["parameters"]["1"]
    assert after
    for name in after:
        gradient = np.zeros_like(initial[name])
        for at in np.ndindex(*gradient.shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = {key: other.copy() for key, other in initial.items()}
                moved[name][at] += step
                sides.append(expected_losses(found[case]["spec"], data, SPLITS["train"], moved)["total"])
            gradient[at] = (sides[0] - sides[1]) / 2e-5
        np.testing.assert_allclose(after[name], initial[name] - RATE * gradient, rtol=1e-4, atol=1e-5)
    assert found[case]["losses"][0] == pytest.approx(
        expected_losses(found[case]["spec"], data, SPLITS["train"], initial)["total"], rel=1e-5
    )
