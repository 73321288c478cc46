"""Predictions and report where an output has a value a step: tags of words beside one intent a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from tests.integration.test_report import predictions
from tests.trainer_runs import Sequences, Workshop
from trainer.files import read_json, write_json

ROWS, WORDS, TAGS = 90, 9, 3
SPLITS = {"train": np.arange(60), "test": np.arange(60, ROWS)}


def columns(longest: int) -> dict[str, Any]:
    random = np.random.default_rng(7)
    lengths = random.integers(1, longest + 1, ROWS) if longest > 4 else np.full(ROWS, longest)
    words = random.integers(0, WORDS, lengths.sum())
    words[:WORDS] = np.arange(WORDS)
    firsts = np.cumsum(lengths) - lengths
    return {
        "word": Sequences(words, lengths),
        "tag": Sequences(words % TAGS, lengths),
        "weight": Sequences((words / 3.0)[:, None], lengths),
        "intent": (words[firsts] > 4).astype(int),
    }


def spec(dataset: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "inputs": {"word": "word"},
        "network": [
            {"name": "code", "type": "embedding", "units": 8, "input": "word"},
            {"name": "read", "type": "lstm", "units": 8, "input": "code"},
            {"name": "tags", "type": "dense", "units": TAGS, "input": "read"},
            {"name": "weights", "type": "dense", "units": 1, "input": "read"},
            {"name": "end", "type": "last", "input": "read"},
            {"name": "intents", "type": "dense", "units": 2, "input": "end"},
        ],
        "objective": [
            {"type": "cross_entropy_with_softmax", "output": "tags", "target": "tag", "name": "tagging"},
            {"type": "cross_entropy_with_softmax", "output": "intents", "target": "intent", "name": "intent"},
            {"type": "squared_error", "output": "weights", "target": "weight"},
        ],
        "metrics": [
            {"type": "accuracy", "output": "tags", "target": "tag", "name": "tags"},
            {"type": "accuracy", "output": "intents", "target": "intent", "name": "intents"},
        ],
        "learner": {"type": "adam", "alpha": 0.02},
        "training": {"epochs": 6, "minibatch_size": 8, "seed": 1},
    }


@pytest.mark.parametrize("longest", [7, 3], ids=["of any length", "all of one length"])
def test_steps_are_told_row_by_row_and_counted_one_by_one(workshop: Workshop, longest: int) -> None:
    data = columns(longest)
    run = workshop.job(f"tagging{longest}", spec(workshop.dataset(f"utterances{longest}", data, SPLITS)))
    result = workshop.train(run)
    told, report = predictions(run), read_json(run.artifacts / "report.json")
    tags, offsets = data["tag"].steps, data["tag"].offsets
    assert [row["row"] for row in told] == SPLITS["test"].tolist()
    for row in told:
        mine = slice(offsets[row["row"]], offsets[row["row"] + 1])
        assert [step["true"] for step in row["tags"]] == [str(tag) for tag in tags[mine]]
        assert [step["true"] for step in row["weights"]] == pytest.approx(data["weight"].steps[mine, 0])
        assert row["intents"]["true"] == str(data["intent"][row["row"]])
    steps = [step for row in told for step in row["tags"]]
    true, said = [step["true"] for step in steps], [step["predicted"] for step in steps]
    found = report["heads"]["tags"]
    assert found["examples"] == len(steps) == data["tag"].lengths[SPLITS["test"]].sum()
    assert found["confusion"] == sk.confusion_matrix(true, said).tolist()
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(true, said), abs=1e-12)
    assert found["accuracy"] == pytest.approx(result["metrics"]["test"]["tags"], abs=1e-12)
    assert report["heads"]["intents"]["examples"] == len(told)
    assert report["heads"]["intents"]["accuracy"] == pytest.approx(
        result["metrics"]["test"]["intents"], abs=1e-12
    )
    residuals = [step["predicted"] - step["true"] for row in told for step in row["weights"]]
    assert report["heads"]["weights"]["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(residuals))))
    model = read_json(run.artifacts / "model.json")
    assert model["inputs"]["word"]["fed_as"] == "codes"
    assert model["inputs"]["word"]["sequence"]


def test_a_data_set_without_tags_is_tagged(workshop: Workshop) -> None:
    data = columns(7)
    trained = workshop.job("tagging", spec(workshop.dataset("tagged", data, SPLITS)))
    workshop.train(trained)
    untagged = workshop.dataset("untagged", {"word": data["word"]}, SPLITS)
    samples = trained.published_checkpoints()[-1]
    run = workshop.job("untagged", read_json(trained.spec), start=trained, samples=samples)
    asked = {"dataset": untagged, "evaluation": {"split": "test", "thresholds": {}}}
    write_json(run.spec, read_json(run.spec) | asked)
    assert workshop.train(run)["outcome"] == "succeeded"
    for found, expected in zip(predictions(run), predictions(trained), strict=True):
        assert [step["predicted"] for step in found["tags"]] == [
            step["predicted"] for step in expected["tags"]
        ]
        assert "true" not in found["tags"][0]
