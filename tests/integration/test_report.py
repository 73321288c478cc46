"""What is left after a training: predictions, report, thresholds and bundle, on real CNTK.

The figures are compared with scikit-learn and scipy on the predictions that were written.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as sk

from tests.trainer_runs import ROOT, Workshop
from trainer.files import read_json
from trainer.layout import RunDirectory

ROWS = 700
SPLITS = {"train": np.arange(400), "valid": np.arange(400, 500), "test": np.arange(500, ROWS)}
CLASSES, LABELS, VALUES = 4, 3, 2

Document = dict[str, Any]


def columns() -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    x = random.normal(size=(ROWS, 6))
    noisy = x + random.normal(scale=0.8, size=x.shape)
    return {
        "x": x * 3 + 1,
        "kind": noisy[:, :CLASSES].argmax(axis=1),
        "labels": (noisy[:, :LABELS] > [0, 0.5, 1.5]).astype(np.float32),
        "numbers": np.stack([noisy[:, 0] * 10, np.round(noisy[:, 1])], axis=1),
    }


def spec(dataset: str, **more: Any) -> Document:
    return {
        "dataset": dataset,
        "inputs": {"x": {"field": "x", "standardize": True}},
        "network": [
            {"name": "hidden", "type": "dense", "units": 16, "activation": "tanh", "input": "x"},
            {"name": "scores", "type": "dense", "units": CLASSES, "input": "hidden"},
            {"name": "said", "type": "dense", "units": LABELS, "input": "hidden"},
            {"name": "guesses", "type": "dense", "units": VALUES, "input": "hidden"},
        ],
        "objective": [
            {"type": "cross_entropy_with_softmax", "output": "scores", "target": "kind"},
            {"type": "logistic", "output": "said", "target": "labels"},
            {"type": "squared_error", "output": "guesses", "target": "numbers", "weight": 0.1},
        ],
        "metrics": [
            {"type": "accuracy", "output": "scores", "target": "kind"},
            {"type": "micro_f1", "output": "said", "target": "labels"},
            {"type": "macro_f1", "output": "said", "target": "labels"},
            {"type": "hamming_loss", "output": "said", "target": "labels"},
            {"type": "root_mean_squared_error", "output": "guesses", "target": "numbers"},
        ],
        "learner": {"type": "adam", "alpha": 0.01},
        "training": {"epochs": 8, "minibatch_size": 32, "seed": 1},
        **more,
    }


def predictions(run: RunDirectory) -> list[Document]:
    path = run.artifacts / "predictions.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def dataset(workshop: Workshop) -> str:
    return workshop.dataset("mixed", columns(), SPLITS)


@pytest.fixture(scope="module")
def run(workshop: Workshop, dataset: str) -> RunDirectory:
    run = workshop.job("reported", spec(dataset))
    assert workshop.train(run)["outcome"] == "succeeded"
    return run


@pytest.fixture(scope="module")
def report(run: RunDirectory) -> Document:
    return dict(read_json(run.artifacts / "report.json"))


def test_every_row_of_the_test_split_is_there_in_order(run: RunDirectory, report: Document) -> None:
    told = predictions(run)
    assert [row["row"] for row in told] == SPLITS["test"].tolist()
    assert set(told[0]) == {"row", "scores", "said", "guesses"}
    assert (report["split"], report["rows"]) == ("test", 200)
    assert not list(run.artifacts.glob(".writing*"))
    truth = columns()
    assert [row["scores"]["true"] for row in told] == [str(k) for k in truth["kind"][SPLITS["test"]]]
    numbers = np.array([row["guesses"]["true"] for row in told])
    assert np.allclose(numbers, truth["numbers"][SPLITS["test"]], rtol=1e-6)


def test_classes(run: RunDirectory, report: Document) -> None:
    told = [row["scores"] for row in predictions(run)]
    names = [str(k) for k in range(CLASSES)]
    true, said = [one["true"] for one in told], [one["predicted"] for one in told]
    probabilities = np.array([[one["probabilities"][name] for name in names] for one in told])
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert [names[k] for k in probabilities.argmax(axis=1)] == said
    found = report["heads"]["scores"]
    assert found["confusion"] == sk.confusion_matrix(true, said, labels=names).tolist()
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(true, said), abs=1e-12)
    assert found["accuracy"] == pytest.approx(report["metrics"]["accuracy"], abs=1e-12)
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(true, said), abs=1e-12)
    assert found["macro_f1"] == pytest.approx(sk.f1_score(true, said, average="macro"), abs=1e-12)
    table = np.array(sk.precision_recall_fscore_support(true, said, labels=names)).T
    listed = [[entry[key] for key in ("precision", "recall", "f1", "support")] for entry in found["classes"]]
    assert np.allclose(listed, table, rtol=0, atol=1e-12)
    confidence, right = probabilities.max(axis=1), np.array(true) == np.array(said)
    error = 0.0
    for k, entry in enumerate(found["calibration"]["bins"]):
        inside = (confidence >= k / 10) & (confidence < (k + 1) / 10 + (k == 9))
        assert entry["count"] == inside.sum()
        if inside.any():
            assert entry["mean_confidence"] == pytest.approx(confidence[inside].mean())
            assert entry["accuracy"] == pytest.approx(right[inside].mean())
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
        else:
            assert entry["mean_confidence"] is entry["accuracy"] is None
    assert found["calibration"]["expected_calibration_error"] == pytest.approx(error)


def test_labels(run: RunDirectory, report: Document) -> None:
    told = [row["said"] for row in predictions(run)]
    names = [str(k) for k in range(LABELS)]
    true, said = (
        np.array([[name in one[key] for name in names] for one in told]) for key in ("true", "predicted")
    )
    probabilities = np.array([list(one["probabilities"].values()) for one in told])
    assert np.array_equal(probabilities > 0.5, said)
    found = report["heads"]["said"]
    assert found["hamming_loss"] == pytest.approx(sk.hamming_loss(true, said), abs=1e-12)
    assert found["subset_accuracy"] == pytest.approx(sk.accuracy_score(true, said), abs=1e-12)
    for average in ("micro", "macro"):
        expected = sk.f1_score(true, said, average=average)
        assert found[f"{average}_f1"] == pytest.approx(expected, abs=1e-12)
        assert found[f"{average}_f1"] == pytest.approx(report["metrics"][f"{average}_f1"], abs=1e-12)
    table = np.array(sk.precision_recall_fscore_support(true, said)).T
    listed = [[entry[key] for key in ("precision", "recall", "f1", "support")] for entry in found["labels"]]
    assert np.allclose(listed, table, rtol=0, atol=1e-12)
    assert [entry["threshold"] for entry in found["labels"]] == [0.5] * LABELS
    share, mean = sklearn_calibration(true.ravel(), probabilities.ravel())
    bins = [entry for entry in found["calibration"]["bins"] if entry["count"]]
    assert np.allclose([entry["share_true"] for entry in bins], share)
    assert np.allclose([entry["mean_probability"] for entry in bins], mean)


def sklearn_calibration(true: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.calibration import calibration_curve

    share, mean = calibration_curve(true, probabilities, n_bins=10)
    return share, mean


def test_values(run: RunDirectory, report: Document) -> None:
    told = [row["guesses"] for row in predictions(run)]
    true, said = (np.array([one[key] for one in told]) for key in ("true", "predicted"))
    found = report["heads"]["guesses"]
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(true.ravel(), said.ravel()))
    assert found["rmse"] == pytest.approx(report["metrics"]["root_mean_squared_error"], rel=1e-5)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(true, said))
    assert found["r2"] == pytest.approx(sk.r2_score(true, said))
    residuals = said - true
    expected = np.quantile(residuals, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
    assert np.allclose(list(found["residual_quantiles"].values()), expected)
    for k, entry in enumerate(found["elements"]):
        assert entry["rmse"] == pytest.approx(sk.root_mean_squared_error(true[:, k], said[:, k]))
        assert entry["mae"] == pytest.approx(sk.mean_absolute_error(true[:, k], said[:, k]))
        assert entry["r2"] == pytest.approx(sk.r2_score(true[:, k], said[:, k]))
        assert entry["pearson"] == pytest.approx(scipy.stats.pearsonr(true[:, k], said[:, k]).statistic)
        assert entry["spearman"] == pytest.approx(scipy.stats.spearmanr(true[:, k], said[:, k]).statistic)
        assert entry["residual_quantiles"]["0.5"] == pytest.approx(np.median(residuals[:, k]))
    for key in ("pearson", "spearman"):
        assert found[key] == pytest.approx(np.mean([entry[key] for entry in found["elements"]]))


def test_the_model_comes_with_what_is_needed_to_use_it(
    workshop: Workshop, run: RunDirectory, dataset: str
) -> None:
    model = read_json(run.artifacts / "model.json")
    assert model["inputs"] == {
        "x": {
            "field": "x",
            "kind": "dense",
            "shape": [6],
            "sparse": False,
            "sequence": False,
            "fed_as": "values",
            "classes": None,
        }
    }
    assert set(model["outputs"]) == {"scores", "said", "guesses"}
    [scores] = model["outputs"]["scores"]["meaning"]
    assert scores["classes"] == [str(k) for k in range(CLASSES)]
    [said] = model["outputs"]["said"]["meaning"]
    assert said["thresholds"] == [0.5] * LABELS
    assert model["fingerprint"] == read_json(run.spec)["fingerprint"]
    assert model["parameters_sha256"] == read_json(run.result)["parameters_sha256"]
    fitted = read_json(run.artifacts / "preprocessing.json")
    assert fitted == read_json(workshop.volume.dataset(dataset).schema)


def keys(document: Any) -> set[str]:
    """Every key anywhere in a document, but for names of classes, labels, fields and figures of the job."""
    if isinstance(document, list):
        return set().union(*map(keys, document)) if document else set()
    if not isinstance(document, dict):
        return set()
    own = {"heads", "losses", "metrics", "inputs", "outputs", "probabilities", "residual_quantiles"}
    inside = [keys(list(v.values()) if k in own else v) for k, v in document.items() if k != "runtime"]
    return set(document).union(*inside)


def test_the_page_names_every_field(run: RunDirectory, report: Document) -> None:
    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    # What is drawn, and what there is of images and of the objects on them.
    elsewhere = {"curves.png", "confusion.png", "image_predictions.jsonl", "detections.json"}
    left = {path.name for path in run.artifacts.iterdir()} | elsewhere
    assert set(re.findall(r"^\| `(\w+\.\w+)` \|", page, re.MULTILINE)) == left
    found = keys(report) | keys(read_json(run.artifacts / "model.json"))
    for row in predictions(run):
        found |= keys({"heads": {name: told for name, told in row.items() if name != "row"}})
    common = {"format", "created_at", "runtime", "spec_version", "fingerprint", "from", "to", "count", "bins"}
    assert {key for key in found - common if f"`{key}`" not in page and f'"{key}"' not in page} == set()


@pytest.mark.parametrize("by", ["hamming_loss", "micro_f1", "macro_f1"])
@pytest.mark.parametrize("per_label", [False, True])
def test_tuned_thresholds_come_from_the_validation_split(
    workshop: Workshop, dataset: str, by: str, per_label: bool
) -> None:
    """A job without a test split tells what the validation split says: nothing on a grid is better."""
    without = workshop.dataset(
        f"untested_{by}_{per_label}", columns(), {key: SPLITS[key] for key in ("train", "valid")}
    )
    decision = {"output": "said", "threshold": "tuned", "by": by, "per_label": per_label}
    tuned = workshop.job(f"tuned_{by}_{per_label}", spec(without, decisions=[decision]))
    result = workshop.train(tuned)
    report = read_json(tuned.artifacts / "report.json")
    assert report["split"] == "valid"
    thresholds = result["thresholds"]["said"]
    assert [entry["threshold"] for entry in report["heads"]["said"]["labels"]] == thresholds
    assert per_label or len(set(thresholds)) == 1
    told = [row["said"] for row in predictions(tuned)]
    true = np.array([[str(k) in one["true"] for k in range(LABELS)] for one in told])
    probabilities = np.array([list(one["probabilities"].values()) for one in told])

    def figure(chosen: Any) -> float:
        said = probabilities > np.asarray(chosen)
        if by == "hamming_loss":
            return -float(sk.hamming_loss(true, said))
        return float(sk.f1_score(true, said, average=by.removesuffix("_f1"), zero_division=0))

    reached = figure(thresholds)
    assert reached == pytest.approx(
        -report["heads"]["said"][by] if by == "hamming_loss" else report["heads"]["said"][by]
    )
    grid = np.linspace(0.02, 0.98, 17)
    if per_label:
        choices = np.stack(np.meshgrid(grid[::2], grid[::2], grid[::2]), axis=-1).reshape(-1, LABELS)
    else:
        choices = np.repeat(grid[:, None], LABELS, axis=1)
    assert reached >= max(map(figure, choices)) - 1e-12
