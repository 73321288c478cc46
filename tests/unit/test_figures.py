"""Figures of a whole split where real runs do not lead: nothing there, nothing varies, very many."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as sk

from trainer.figures import ClassFigures, LabelFigures, ValueFigures
from trainer.heads import Head
from trainer.predictions import documents


def named(count: int) -> list[str]:
    return [f"n{k}" for k in range(count)]


@pytest.mark.parametrize("pieces", [1, 3, 50])
def test_values_do_not_depend_on_the_minibatches(pieces: int) -> None:
    """Far from zero, where sums of squares would have lost the spread."""
    random = np.random.default_rng(3)
    true = random.normal(loc=[1e4, 0], size=(50, 2)).astype(np.float32)
    said = (true + random.normal(scale=0.5, size=true.shape)).astype(np.float32)
    figures = ValueFigures(named(2))
    for output, target in zip(np.array_split(said, pieces), np.array_split(true, pieces), strict=True):
        figures.add(output, target)
    found = figures.report()
    said, true = said.astype(np.float64), true.astype(np.float64)
    assert found["r2"] == pytest.approx(sk.r2_score(true, said), rel=1e-9)
    for k, element in enumerate(found["elements"]):
        assert element["pearson"] == pytest.approx(
            scipy.stats.pearsonr(true[:, k], said[:, k]).statistic, rel=1e-9
        )


def test_ranks_of_equals_are_shared() -> None:
    said, true = np.array([[1.0], [2], [2], [3], [0]]), np.array([[1.0], [1], [2], [5], [1]])
    figures = ValueFigures(["x"])
    figures.add(said, true)
    expected = scipy.stats.spearmanr(said[:, 0], true[:, 0]).statistic
    assert figures.report()["spearman"] == pytest.approx(expected)


def test_what_does_not_vary_has_no_correlation() -> None:
    figures = ValueFigures(["flat", "true"])
    figures.add(np.array([[1.0, 1], [1, 2]]), np.array([[1.0, 3], [2, 3]]))
    flat, true = figures.report()["elements"]
    assert (flat["pearson"], flat["spearman"]) == (None, None)
    assert flat["r2"] == -1
    assert (true["r2"], true["pearson"]) == (None, None)
    json.dumps(figures.report(), allow_nan=False)


def test_very_many_elements_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.figures.values.RANKED_NUMBERS", 500)
    figures = ValueFigures(named(101))
    random = np.random.default_rng(1)
    for _ in range(6):
        figures.add(*random.normal(size=(2, 1, 101)))
    found = figures.report()
    assert "elements" not in found
    assert "101 elements" in found["elements_omitted"]
    assert (found["spearman"], found["residual_quantiles"]) == (None, None)
    assert "500" in found["ranks_omitted"]
    assert found["rmse"] > 0


def test_very_many_classes_have_no_matrix() -> None:
    figures = ClassFigures(named(201))
    figures.add(np.eye(201)[:50] * 9, np.eye(201)[np.arange(50) // 2])
    found = figures.report()
    assert found["confusion"] is None
    assert "201 classes" in found["confusion_omitted"]
    assert found["accuracy"] == pytest.approx(1 / 50)
    with pytest.warns(UserWarning, match="not in y_true"):
        balanced = sk.balanced_accuracy_score(np.arange(50) // 2, np.arange(50))
    assert found["balanced_accuracy"] == pytest.approx(balanced)
    assert found["macro_f1"] == pytest.approx(sk.f1_score(np.arange(50) // 2, np.arange(50), average="macro"))
    never_true, never_said = found["classes"][30], found["classes"][60]
    assert (never_true["recall"], never_true["precision"]) == (None, 0)
    assert (never_said["recall"], never_said["precision"], never_said["f1"]) == (None, None, 0)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    "figures", [ClassFigures(named(3)), ValueFigures(named(3)), LabelFigures(named(3), [0.5] * 3)]
)
def test_nothing_at_all(figures: ClassFigures | ValueFigures | LabelFigures) -> None:
    found = figures.report()
    assert found["examples"] == 0
    json.dumps(found, allow_nan=False)


def test_scores_beyond_any_power() -> None:
    figures, scores = LabelFigures(named(2), [0.5, 0.5]), np.array([[1e4, -1e4]], dtype=np.float32)
    figures.add(scores, np.array([[1.0, 0]]))
    assert figures.report()["calibration"]["expected_calibration_error"] == 0
    classes = ClassFigures(named(2))
    classes.add(scores, np.array([[1.0, 0]]))
    assert classes.report()["calibration"]["bins"][9]["accuracy"] == 1


def head(kind: str, count: int) -> Head:
    return Head("head", kind, "output", "target", True, named(count))


def test_of_many_classes_the_likeliest_five_are_told() -> None:
    scores = np.arange(150, dtype=np.float32)[None] / 10
    [told] = documents(head("classes", 150), scores, np.eye(150)[:1])
    assert list(told["probabilities"]) == ["n149", "n148", "n147", "n146", "n145"]
    assert (told["predicted"], told["true"]) == ("n149", "n0")


def test_of_many_numbers_how_far_off_they_are() -> None:
    output, target = np.zeros((1, 101)), np.zeros((1, 101))
    target[0, 7] = -2
    [told] = documents(head("values", 101), output, target)
    assert told == {"elements": 101, "rmse": pytest.approx(2 / np.sqrt(101)), "max_error": 2}
    [told] = documents(head("values", 1), np.array([[2.5]]), None)
    assert told == {"predicted": 2.5}
