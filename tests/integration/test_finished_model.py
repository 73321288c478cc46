"""model.dnn by itself: every output of a joint model can be evaluated by its name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.trainer_runs import Sequences, Workshop
from tests.trainer_scripts import in_trainer
from trainer.files import read_json

ROWS = 40


def test_each_tower_and_their_score_by_name(workshop: Workshop) -> None:
    random = np.random.default_rng(0)
    lengths, others = random.integers(1, 6, ROWS), random.integers(1, 4, ROWS)

    def words(count: np.ndarray) -> Sequences:
        codes = random.integers(0, 12, count.sum())
        codes[:2] = 0, 11
        return Sequences(codes, count)

    columns: dict[str, Any] = {
        "question": words(lengths),
        "answer": words(others),
        "grade": random.uniform(0, 1, (ROWS, 1)),
    }
    dataset = workshop.dataset("pairs", columns, {"train": np.arange(30), "test": np.arange(30, ROWS)})
    run = workshop.job(
        "towers",
        {
            "dataset": dataset,
            "recipe": {
                "type": "two_towers",
                "left": "question",
                "right": "answer",
                "target": "grade",
                "encoder": "lstm",
                "embedding": 6,
                "units": 5,
            },
            "training": {"epochs": 2, "minibatch_size": 8},
        },
    )
    assert workshop.train(run)["outcome"] == "succeeded"
    described = read_json(run.artifacts / "model.json")
    names = read_json(run.spec)["outputs"]
    assert set(names) == set(described["outputs"])
    rows = {
        field: [columns[field].steps[columns[field].of(np.array([row]))].tolist() for row in range(30, ROWS)]
        for field in described["inputs"]
    }
    asked = {"model": str(run.artifacts / "model.dnn"), "outputs": names, "feed": rows}
    found = {
        name: np.array(values) for name, values in in_trainer(workshop.environment, "finished", asked).items()
    }
    left, right, score = (found[name] for name in names)
    assert left.shape == right.shape == (10, 5)
    told = [
        json.loads(line)[names[2]]["predicted"]
        for line in (run.artifacts / "predictions.jsonl").read_text().splitlines()
    ]
    assert score[:, 0] == pytest.approx(told, rel=1e-5)
    cosine = (left * right).sum(axis=1) / (np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1))
    assert abs(np.corrcoef(cosine, told)[0, 1]) == pytest.approx(1, abs=1e-5)
