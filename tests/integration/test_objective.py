"""Losses, metrics and what the objective makes of them, against numpy and scikit-learn.

The network is one dense layer; the parameters after one step of gradient descent show that what
is minimised is what is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import sklearn.metrics

from jobs.specs.normalise import normalise
from tests.trainer_runs import Workshop
from tests.trainer_scripts import in_trainer
from trainer.parts import losses, metrics

ROWS, TRAIN, CLASSES, RATE, PIECE = 40, 25, 4, 0.5, 7
SPLITS = {"train": np.arange(TRAIN), "valid": np.arange(TRAIN, ROWS)}

Loss = Callable[..., np.ndarray]


def log_softmax(z: np.ndarray) -> np.ndarray:
    shifted = z - z.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def cross_entropy(z: np.ndarray, t: np.ndarray, label_smoothing: float = 0.0) -> np.ndarray:
    smoothed = t * (1 - label_smoothing) + label_smoothing / t.shape[1]
    return np.asarray(-(smoothed * log_softmax(z)).sum(axis=1))


def squared_error(z: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(z - t).sum(axis=1))


def smooth_l1(
    z: np.ndarray, t: np.ndarray, sigma: float = 1.0, element_weight: np.ndarray | None = None
) -> np.ndarray:
    d = (z - t) * (1 if element_weight is None else element_weight)
    near, far = (sigma * d) ** 2 / 2, np.abs(d) - 0.5 / sigma**2
    return np.asarray(np.where(np.abs(d) < 1 / sigma**2, near, far).sum(axis=1))


def logistic(z: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.asarray((np.logaddexp(0, z) - z * t).sum(axis=1))


def similarities(z: np.ndarray, t: np.ndarray, similarity: str) -> np.ndarray:
    if similarity == "cosine":
        z, t = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (z, t))
    return np.asarray(z @ t.T)


def ranking(z: np.ndarray, t: np.ndarray, scale: float = 10.0, similarity: str = "cosine") -> np.ndarray:
    return -np.diag(log_softmax(scale * similarities(z, t, similarity)))


def margin_ranking(z: np.ndarray, t: np.ndarray, margin: float = 1.0) -> np.ndarray:
    return np.asarray(np.maximum(0, margin - (z - t)).sum(axis=1))


LOSSES: dict[str, Loss] = {
    "cross_entropy_with_softmax": cross_entropy,
    "squared_error": squared_error,
    "smooth_l1": smooth_l1,
    "logistic": logistic,
    "ranking_with_negatives": ranking,
    "margin_ranking": margin_ranking,
}


def share_among_top(z: np.ndarray, t: np.ndarray, top_n: int = 1) -> float:
    labels = np.arange(CLASSES)
    return float(sklearn.metrics.top_k_accuracy_score(t.argmax(axis=1), z, k=top_n, labels=labels))


def mean_recall(z: np.ndarray, t: np.ndarray) -> float:
    true = t.argmax(axis=1)
    found = sklearn.metrics.recall_score(true, z.argmax(axis=1), labels=np.unique(true), average="macro")
    return float(found)


def said(z: np.ndarray, threshold: float) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-z)) > threshold).astype(int)


def f1(average: str) -> Callable[..., float]:
    def score(z: np.ndarray, t: np.ndarray, threshold: float = 0.5) -> float:
        found = sklearn.metrics.f1_score(t.astype(int), said(z, threshold), average=average, zero_division=0)
        return float(found)

    return score


def first_among_others(z: np.ndarray, t: np.ndarray, similarity: str = "cosine") -> float:
    right = [
        similarities(z[piece], t[piece], similarity).argmax(axis=1) == range(len(z[piece]))
        for piece in pieces(len(z))
    ]
    return float(np.concatenate(right).mean())


METRICS: dict[str, Callable[..., float]] = {
    "pearson": lambda z, t: float(np.corrcoef(z.ravel(), t.ravel())[0, 1]),
    "ranking_accuracy": first_among_others,
    "hamming_loss": lambda z, t, threshold=0.5: float(
        sklearn.metrics.hamming_loss(t.astype(int), said(z, threshold))
    ),
    "subset_accuracy": lambda z, t, threshold=0.5: float(
        sklearn.metrics.accuracy_score(t.astype(int), said(z, threshold))
    ),
    "micro_f1": f1("micro"),
    "macro_f1": f1("macro"),
    "classification_error": lambda z, t, top_n=1: 1 - share_among_top(z, t, top_n),
    "accuracy": share_among_top,
    "balanced_accuracy": mean_recall,
    "root_mean_squared_error": lambda z, t: float(
        sklearn.metrics.root_mean_squared_error(t.ravel(), z.ravel())
    ),
    "mean_image_rmse": lambda z, t: float(np.mean(np.sqrt(np.square(z - t).mean(axis=1)))),
}


def term(loss: str, target: str, **settings: Any) -> dict[str, Any]:
    return {"type": loss, "output": "scores", "target": target, **settings}


CE, SE, LOGISTIC = "cross_entropy_with_softmax", "squared_error", "logistic"
OBJECTIVES: dict[str, dict[str, Any]] = {
    "cross entropy": {"objective": [term(CE, "label")]},
    "cross entropy to a distribution": {"objective": [term(CE, "share")]},
    "label smoothing": {"objective": [term(CE, "label", label_smoothing=0.2)]},
    "class weights": {"objective": [term(CE, "label", class_weights={"0": 2.5, "3": 0.0})]},
    "balanced classes": {"objective": [term(CE, "label", class_weights="balanced")]},
    "example weights": {"objective": [term(CE, "label")], "example_weight": "weight"},
    "both weights and smoothing": {
        "objective": [term(CE, "label", class_weights={"1": 3.0}, label_smoothing=0.1, weight=0.7)],
        "example_weight": "weight",
    },
    "squared error": {"objective": [term(SE, "values")]},
    "smooth L1": {"objective": [term("smooth_l1", "values")]},
    "smooth L1 with a weight an element": {
        "objective": [term("smooth_l1", "values", sigma=1.7, element_weight="attention", weight=0.6)],
        "example_weight": "weight",
    },
    "logistic": {"objective": [term(LOGISTIC, "labels")]},
    "weighted logistic": {"objective": [term(LOGISTIC, "labels", weight=0.3)], "example_weight": "weight"},
    "several terms": {
        "objective": [
            term(CE, "label", class_weights={"2": 4.0}),
            term(SE, "values", weight=0.25),
            term(LOGISTIC, "labels", weight=2.0, name="marks"),
        ],
        "example_weight": "weight",
    },
    "metrics": {
        "objective": [term(CE, "label")],
        "metrics": [
            term("classification_error", "label"),
            term("classification_error", "label", top_n=2, name="error_2"),
            term("classification_error", "label", top_n=3, name="error_3"),
            term("accuracy", "label"),
            term("accuracy", "label", top_n=3, name="accuracy_3"),
            term("accuracy", "share", name="accuracy_share"),
            term("balanced_accuracy", "label"),
            term("balanced_accuracy", "share", name="balanced_share"),
            term("root_mean_squared_error", "values"),
            term("mean_image_rmse", "values"),
        ],
    },
    "metrics of labels": {
        "objective": [term(LOGISTIC, "labels")],
        "metrics": [
            term(metric, "labels", threshold=threshold, name=f"{metric}_{position}")
            for metric in ("hamming_loss", "subset_accuracy", "micro_f1", "macro_f1")
            for position, threshold in enumerate((0.5, 0.2, 0.9, 0.99999))
        ],
    },
    "several targets side by side": {
        "objective": [term(SE, ["weight", "triple"])],
        "metrics": [term("root_mean_squared_error", ["weight", "triple"]), term("pearson", "values")],
    },
    "ranking": {
        "objective": [term("ranking_with_negatives", "partner", scale=4.0)],
        "metrics": [term("ranking_accuracy", "partner")],
    },
    "ranking by products": {
        "objective": [term("ranking_with_negatives", "partner", scale=0.3, similarity="dot_product")],
        "metrics": [term("ranking_accuracy", "partner", similarity="dot_product")],
        "example_weight": "weight",
    },
    "ranking the other way": {
        "objective": [
            {"type": "ranking_with_negatives", "output": "partner", "target": "scores", "scale": 4.0}
        ],
    },
    "ranking by a margin": {"objective": [term("margin_ranking", "partner", margin=0.5)]},
    "mean by example weights": {
        "objective": [term(CE, "label", normalization="weighted_mean")],
        "example_weight": "weight",
    },
    "mean by class weights": {
        "objective": [term(CE, "label", class_weights={"0": 2.5}, normalization="weighted_mean")]
    },
    "mean by both, and a term with a weight of its own": {
        "objective": [
            term(CE, "label", class_weights=[2.0, 1.0, 0.5, 0.0], normalization="weighted_mean"),
            term(SE, "values", weight=0.25, example_weight="other"),
        ],
        "example_weight": "weight",
    },
    "metrics are not weighted": {
        "objective": [term(SE, "values")],
        "example_weight": "weight",
        "metrics": [term("root_mean_squared_error", "values"), term("accuracy", "label")],
    },
}


def test_every_loss_and_metric_has_a_row() -> None:
    used = {item["type"] for case in OBJECTIVES.values() for item in case["objective"]}
    assert used == set(LOSSES) == {part.name for part in losses}
    used = {item["type"] for case in OBJECTIVES.values() for item in case.get("metrics", [])}
    assert used == set(METRICS) == {part.name for part in metrics}


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    random = np.random.default_rng(8)
    share = random.uniform(size=(ROWS, CLASSES))
    label = random.integers(0, CLASSES, ROWS)
    label[:CLASSES] = np.arange(CLASSES)
    return {
        "x": random.normal(size=(ROWS, 5)).astype(np.float32),
        "label": label,
        "share": (share / share.sum(axis=1, keepdims=True)).astype(np.float32),
        "labels": random.integers(0, 2, size=(ROWS, CLASSES)).astype(np.float32),
        "values": random.normal(size=(ROWS, CLASSES)).astype(np.float32),
        "weight": random.uniform(0, 3, size=(ROWS, 1)).astype(np.float32),
        "other": random.uniform(0, 3, size=(ROWS, 1)).astype(np.float32),
        "triple": random.normal(size=(ROWS, 3)).astype(np.float32),
        "attention": random.integers(0, 3, size=(ROWS, CLASSES)).astype(np.float32) / 2,
    }


@pytest.fixture(scope="module")
def initial() -> dict[str, np.ndarray]:
    random = np.random.default_rng(9)
    return {"scores.W": random.normal(size=(5, CLASSES)), "scores.b": random.normal(size=CLASSES)}


@pytest.fixture(scope="module")
def found(
    workshop: Workshop, data: dict[str, np.ndarray], initial: dict[str, np.ndarray]
) -> dict[str, dict[str, Any]]:
    dataset = workshop.dataset("targets", data, SPLITS)
    rows = []
    for case in OBJECTIVES.values():
        spec = {
            "dataset": dataset,
            "inputs": {"x": "x", "partner": "values"},
            "network": [{"name": "scores", "type": "dense", "units": CLASSES, "input": "x"}],
            "learner": {"type": "sgd", "learning_rate": RATE},
            "training": {"epochs": 1, "minibatch_size": TRAIN, "shuffle": False},
            **case,
        }
        rows.append(
            {
                "spec": normalise(spec, workshop.volume, workshop.settings).document,
                "dataset": str(workshop.volume.dataset(dataset).path),
                "initial": {name: value.tolist() for name, value in initial.items()},
                "after": [1],
                # Splits are evaluated in pieces.
                "evaluation_minibatch": PIECE,
            }
        )
    level = {"initial": {name: np.zeros_like(value).tolist() for name, value in initial.items()}}
    rows.append(rows[list(OBJECTIVES).index("metrics")] | level)
    results = in_trainer(workshop.environment, "training", rows)
    return {
        name: row | result for name, row, result in zip([*OBJECTIVES, "level"], rows, results, strict=True)
    }


def settings(item: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("label_smoothing", "top_n", "threshold", "scale", "similarity", "margin", "sigma")
    return {key: item[key] for key in keys if key in item}


def weight_of_elements(item: Mapping[str, Any], data: dict[str, np.ndarray], rows: np.ndarray) -> Any:
    name = item.get("element_weight")
    return {"element_weight": data[name][rows]} if name else {}


def pieces(rows: int, size: int = PIECE) -> list[slice]:
    return [slice(start, start + size) for start in range(0, rows, size)]


def target(data: dict[str, np.ndarray], name: str | list[str]) -> np.ndarray:
    if isinstance(name, list):
        return np.concatenate([target(data, each) for each in name], axis=1)
    if name == "partner":
        name = "values"
    return np.eye(CLASSES)[data[name]] if name == "label" else data[name].astype(np.float64)


def expected_losses(
    spec: Mapping[str, Any],
    data: dict[str, np.ndarray],
    rows: np.ndarray,
    parameters: Mapping[str, np.ndarray],
    size: int = TRAIN,
) -> dict[str, float]:
    """Every reported loss over ``rows``, read ``size`` at a time, from the formulas."""
    scores = data["x"][rows].astype(np.float64) @ parameters["scores.W"] + parameters["scores.b"]
    total, plain, reported = 0.0, 0.0, {}
    for item in spec["objective"]:
        output = scores if item["output"] == "scores" else target(data, item["output"])[rows]
        wanted = scores if item["target"] == "scores" else target(data, item["target"])[rows]
        loss, about = LOSSES[item["type"]], settings(item)
        value = np.concatenate(
            [
                loss(output[piece], wanted[piece], **about, **weight_of_elements(item, data, rows[piece]))
                for piece in pieces(len(rows), size)
            ]
        )
        weights = wanted @ item["class_weights"] if item["class_weights"] else np.ones(len(rows))
        if item["example_weight"]:
            weights = weights * data[item["example_weight"]][rows, 0]
        divisor = weights.sum() if item["normalization"] == "weighted_mean" else len(rows)
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
    found: dict[str, dict[str, Any]],
    data: dict[str, np.ndarray],
    initial: dict[str, np.ndarray],
    case: str,
    split: str,
) -> None:
    spec, summary = found[case]["spec"], found[case]["summaries"][split]
    expected = expected_losses(spec, data, SPLITS[split], initial, PIECE)
    assert summary["losses"] == pytest.approx(expected, rel=1e-5)
    scores = data["x"][SPLITS[split]] @ initial["scores.W"] + initial["scores.b"]
    assert summary["metrics"] == pytest.approx(
        {
            item["name"]: METRICS[item["type"]](
                scores, target(data, item["target"])[SPLITS[split]], **settings(item)
            )
            for item in spec["metrics"]
        },
        rel=1e-5,
    )


@pytest.mark.parametrize("case", OBJECTIVES)
def test_one_step_goes_down_the_gradient_of_the_total(
    found: dict[str, dict[str, Any]], data: dict[str, np.ndarray], initial: dict[str, np.ndarray], case: str
) -> None:
    for name, value in initial.items():
        gradient = np.zeros_like(value)
        for at in np.ndindex(*value.shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = {key: other.copy() for key, other in initial.items()}
                moved[name][at] += step
                sides.append(expected_losses(found[case]["spec"], data, SPLITS["train"], moved)["total"])
            gradient[at] = (sides[0] - sides[1]) / 2e-5
        np.testing.assert_allclose(
            found[case]["parameters"]["1"][name], value - RATE * gradient, rtol=1e-4, atol=1e-5
        )
    assert found[case]["losses"][0] == pytest.approx(
        expected_losses(found[case]["spec"], data, SPLITS["train"], initial)["total"], rel=1e-5
    )


def test_equal_scores_count_in_the_order_of_the_classes(
    found: dict[str, dict[str, Any]], data: dict[str, np.ndarray]
) -> None:
    label = data["label"][SPLITS["train"]]
    reported = found["level"]["summaries"]["train"]["metrics"]
    assert reported["accuracy"] == pytest.approx(np.mean(label == 0))
    assert reported["accuracy_3"] == pytest.approx(np.mean(label < 3))
    assert reported["error_2"] == pytest.approx(np.mean(label >= 2))


def test_unweighted_objective_reports_one_total(found: dict[str, dict[str, Any]]) -> None:
    assert "total_unweighted" not in found["cross entropy"]["summaries"]["train"]["losses"]
    assert "total_unweighted" in found["class weights"]["summaries"]["train"]["losses"]


def test_logistic_is_exact_and_learns_at_saturated_scores(workshop: Workshop) -> None:
    """Where a clamped cross entropy would end at about 14 and pass no gradient."""
    scores = np.array([[-300.0], [-40.0], [0.0], [40.0], [300.0]], dtype=np.float32)
    marks = np.array([[1.0], [1.0], [1.0], [0.0], [0.0]], dtype=np.float32)
    dataset = workshop.dataset("saturated", {"z": scores, "mark": marks}, {"train": np.arange(5)})
    spec = {
        "dataset": dataset,
        "inputs": {"z": "z"},
        "network": [{"name": "scores", "type": "dense", "units": 1, "input": "z"}],
        "objective": [term(LOGISTIC, "mark")],
        "learner": {"type": "sgd", "learning_rate": 1.0},
        "training": {"epochs": 1, "minibatch_size": 5, "shuffle": False},
    }
    row = {
        "spec": normalise(spec, workshop.volume, workshop.settings).document,
        "dataset": str(workshop.volume.dataset(dataset).path),
        "initial": {"scores.W": [[1.0]], "scores.b": [0.0]},
        "after": [1],
    }
    (found,) = in_trainer(workshop.environment, "training", [row])
    assert found["losses"][0] == pytest.approx((300 + 40 + np.log(2) + 40 + 300) / 5, rel=1e-6)
    probability = 1 / (1 + np.exp(-scores.astype(np.float64)))
    gradient = float((scores * (probability - marks)).mean())
    assert found["parameters"]["1"]["scores.W"][0][0] == pytest.approx(1.0 - gradient, rel=1e-5)
