"""Every recipe for plain rows on real CNTK: compared with a reference, and resumed to the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from jobs.specs.normalise import normalise
from tests.trainer_runs import Workshop, losses
from tests.trainer_scripts import in_trainer
from trainer.files import read_json
from trainer.parts import recipes

ROWS, MINIBATCH = 120, 16

RESUMED: dict[str, dict[str, Any]] = {
    "classifier": {
        "inputs": ["numbers", "kind"],
        "target": "class",
        "dropout": 0.3,
        "class_weights": "balanced",
        "example_weight": "weight",
    },
    "regressor": {"inputs": ["numbers", "kind"], "targets": ["heat", "grid"], "dropout": 0.2, "l2": 0.01},
    "multilabel_classifier": {"input": "numbers", "labels": "labels", "threshold": 0.4},
    "joint_autoencoder_classifier": {"input": "grid", "target": "class", "code": 3, "dropout": 0.3},
}


@pytest.fixture(scope="module")
def columns() -> dict[str, np.ndarray]:
    random = np.random.default_rng(4)
    numbers = random.normal(size=(160, 5)).astype(np.float32) * [1, 3, 0.2, 5, 1] + [0, 10, 0, -3, 1]
    signal = (numbers - numbers.mean(0)) / numbers.std(0)
    return {
        "numbers": numbers,
        "kind": random.integers(0, 3, 160),
        "class": (signal[:, :3] + random.normal(size=(160, 3))).argmax(axis=1),
        "labels": (signal[:, :2] + random.normal(size=(160, 2)) > 0.3).astype(np.float32),
        "heat": (signal[:, :1] * 4 + 20 + random.normal(size=(160, 1))).astype(np.float32),
        "grid": random.normal(size=(160, 2, 2)).astype(np.float32),
        "weight": random.uniform(0.5, 2, size=(160, 1)),
    }


@pytest.fixture(scope="module")
def dataset(workshop: Workshop, columns: dict[str, np.ndarray]) -> str:
    return workshop.dataset("mixed", columns, {"train": np.arange(ROWS), "valid": np.arange(ROWS, 160)})


def test_every_recipe_is_resumed_and_compared() -> None:
    names = {part.name for part in recipes if part.function.__module__.endswith(".tables")}
    assert set(RESUMED) == names
    assert set(COMPARED) == names


@pytest.mark.parametrize("name", RESUMED)
def test_interrupted_run_ends_with_the_same_bits(workshop: Workshop, dataset: str, name: str) -> None:
    document = {
        "dataset": dataset,
        "recipe": {"type": name, **RESUMED[name]},
        "training": {"epochs": 3, "minibatch_size": MINIBATCH, "seed": 3},
        "checkpoints": {"every_minibatches": 11, "keep_last": 9},
    }
    whole = workshop.job(name, document)
    reference = workshop.train(whole)
    samples = ROWS + 3 * MINIBATCH
    resumed = workshop.job(f"{name}_resumed", document, start=whole, samples=samples)
    assert read_json(resumed.start.manifest)["step"] == 11
    result = workshop.train(resumed)
    assert np.array_equal(losses(resumed)[11:], losses(whole)[11:])
    for key in ("parameters_sha256", "losses", "metrics", "best"):
        assert result[key] == reference[key], key


def converged(
    workshop: Workshop, dataset: str, name: str, recipe: dict[str, Any], epochs: int = 150
) -> dict[str, Any]:
    """The result of a linear model, trained on whole epochs until it stands still."""
    document = {
        "dataset": dataset,
        "recipe": {"type": name, "hidden": [], **recipe},
        "learner": {"type": "adam", "alpha": {"type": "cosine", "rate": 0.1, "epochs": epochs}},
        "training": {"epochs": epochs, "minibatch_size": ROWS, "seed": 1},
        "checkpoints": {"keep_last": 1, "every_epochs": None},
    }
    result = workshop.train(workshop.job(f"{name}_converged", document))
    assert result["outcome"] == "succeeded"
    return result


def table(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Standardized numbers beside one-hot kinds."""
    numbers = columns["numbers"]
    train = numbers[:ROWS]
    return np.hstack([(numbers - train.mean(0)) / train.std(0), np.eye(3)[columns["kind"]]])


def log_loss(probabilities: np.ndarray, codes: np.ndarray) -> float:
    return float(-np.log(probabilities[np.arange(len(codes)), codes]).mean())


def classifier(workshop: Workshop, dataset: str, columns: dict[str, np.ndarray]) -> None:
    result = converged(
        workshop, dataset, "classifier", {"inputs": ["numbers", "kind"], "target": "class"}, epochs=400
    )
    x, codes = table(columns), columns["class"]
    model = LogisticRegression(C=1e9, tol=1e-8, max_iter=2000).fit(x[:ROWS], codes[:ROWS])
    predicted = model.predict_proba(x[ROWS:])
    found = result["losses"]["valid"]["total"]
    assert found == pytest.approx(log_loss(predicted, codes[ROWS:]), rel=1e-3)
    wrong = float(np.mean(predicted.argmax(1) != codes[ROWS:]))
    assert result["metrics"]["valid"]["classification_error"] == pytest.approx(wrong)


def regressor(workshop: Workshop, dataset: str, columns: dict[str, np.ndarray]) -> None:
    result = converged(
        workshop, dataset, "regressor", {"inputs": ["numbers", "kind"], "targets": ["heat", "grid"]}, 400
    )
    x = table(columns)
    for target in ("heat", "grid"):
        y = columns[target].reshape(160, -1)
        rest = LinearRegression().fit(x[:ROWS], y[:ROWS]).predict(x[ROWS:]) - y[ROWS:]
        expected = float(np.sqrt(np.square(rest).mean()))
        assert result["metrics"]["valid"][f"rmse_{target}"] == pytest.approx(expected, rel=1e-3)


def multilabel_classifier(workshop: Workshop, dataset: str, columns: dict[str, np.ndarray]) -> None:
    result = converged(
        workshop, dataset, "multilabel_classifier", {"input": "numbers", "labels": "labels"}, epochs=400
    )
    x, labels = table(columns)[:, :5], columns["labels"]
    total, wrong = 0.0, 0.0
    for label in labels.T:
        model = LogisticRegression(C=1e9, tol=1e-8, max_iter=2000).fit(x[:ROWS], label[:ROWS])
        total += log_loss(model.predict_proba(x[ROWS:]), label[ROWS:].astype(int))
        wrong += float(np.mean(model.predict(x[ROWS:]) != label[ROWS:])) / labels.shape[1]
    assert result["losses"]["valid"]["total"] == pytest.approx(total, rel=1e-3)
    assert result["metrics"]["valid"]["hamming_loss"] == pytest.approx(wrong)


def joint_autoencoder_classifier(workshop: Workshop, dataset: str, columns: dict[str, np.ndarray]) -> None:
    """Its objective, computed by hand from given weights."""
    random = np.random.default_rng(8)
    shapes = {"code.W": (2, 2, 3), "code.b": (3,), "scores.W": (3, 3), "scores.b": (3,)}
    shapes |= {"rebuilt.W": (3, 4), "rebuilt.b": (4,)}
    weights = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    recipe = {"type": "joint_autoencoder_classifier", "input": "grid", "target": "class", "code": 3}
    document = {"dataset": dataset, "recipe": recipe, "training": {"epochs": 1}}
    row = {
        "spec": normalise(document, workshop.volume, workshop.settings).document,
        "dataset": str(workshop.volume.dataset(dataset).path),
        "initial": {name: value.tolist() for name, value in weights.items()},
        "after": [],
    }
    [found] = in_trainer(workshop.environment, "training", [row])
    grid = columns["grid"].reshape(160, 4)
    x = (grid - grid[:ROWS].mean(0)) / grid[:ROWS].std(0)
    code = np.maximum(x @ weights["code.W"].reshape(4, 3) + weights["code.b"], 0)
    scores = code @ weights["scores.W"] + weights["scores.b"]
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rest = code @ weights["rebuilt.W"] + weights["rebuilt.b"] - x
    for split, rows in {"train": slice(0, ROWS), "valid": slice(ROWS, 160)}.items():
        losses = found["summaries"][split]["losses"]
        entropy = log_loss(shares[rows], columns["class"][rows])
        rebuilding = float(np.square(rest[rows]).sum(axis=1).mean())
        assert losses["cross_entropy_with_softmax"] == pytest.approx(entropy, rel=1e-5)
        assert losses["squared_error"] == pytest.approx(rebuilding, rel=1e-5)
        assert losses["total"] == pytest.approx(entropy + 0.3 * rebuilding, rel=1e-5)


Comparison = Callable[[Workshop, str, dict[str, np.ndarray]], None]
COMPARED: dict[str, Comparison] = {
    made.__name__: made
    for made in (classifier, regressor, multilabel_classifier, joint_autoencoder_classifier)
}


@pytest.mark.parametrize("name", COMPARED)
def test_recipe_computes_what_the_reference_does(
    workshop: Workshop, dataset: str, columns: dict[str, np.ndarray], name: str
) -> None:
    COMPARED[name](workshop, dataset, columns)
