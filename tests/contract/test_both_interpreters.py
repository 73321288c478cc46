"""The same job on every interpreter that CNTK runs on: equal bits, and checkpoints that change sides."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import trainer_environments
from tests.trainer_runs import Sequences, Sparse, Workshop, losses
from trainer.files import read_json
from trainer.layout import RunDirectory

ROWS, MIDDLE = 60, 5 * 8
"""Minibatches of 8; a checkpoint in the middle of an epoch."""
SOME_ROWS = {"train": np.arange(ROWS), "valid": np.arange(ROWS, 80)}

pytestmark = pytest.mark.skipif(
    len(trainer_environments()) < 2,
    reason="one trainer environment only: nothing to compare (scripts/setup makes a second where it can)",
)


def layer(name: str, kind: str, source: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "input": source, **settings}


NETWORKS: dict[str, list[dict[str, Any]]] = {
    "dense": [
        layer("hidden", "dense", "features", units=16, activation="param_relu"),
        layer("thinned", "dropout", "hidden", rate=0.3),
        layer("scores", "dense", "thinned", units=3),
    ],
    "convolution": [
        layer(
            "maps",
            "convolution",
            "image",
            filters=4,
            filter_shape=[3, 3],
            init="he_normal",
            activation="relu",
        ),
        layer("even", "batch_normalization", "maps"),
        layer("small", "max_pooling", "even", window=[2, 2]),
        layer("scores", "dense", "small", units=3),
    ],
    "unpooling": [
        layer("maps", "convolution", "image", filters=3, filter_shape=[3, 3], activation="relu"),
        layer("small", "max_pooling", "maps", window=[2, 2]),
        {"name": "large", "type": "max_unpooling", "inputs": ["small", "maps"], "window": [2, 2]},
        layer("rebuilt", "convolution_transpose", "large", filters=1, filter_shape=[3, 3]),
        layer("even", "convolution_transpose", "small", filters=2, filter_shape=[3, 3], strides=2),
        layer("scores", "dense", "even", units=3),
    ],
    "words": [
        layer("code", "embedding", "words", units=5),
        layer("other", "embedding", "label", units=5, init="normal"),
        {"name": "both", "type": "splice", "inputs": ["code", "other"]},
        layer("scores", "dense", "both", units=3),
    ],
    "towers": [
        layer("question_words", "embedding", "question", units=6, init="normal"),
        layer("answer_words", "embedding", "answer", units=6, share="question_words"),
        layer("read_question", "lstm", "question_words", units=5),
        layer("read_answer", "lstm", "answer_words", units=5, share="read_question"),
        layer("asked", "last", "read_question"),
        layer("said", "sequence_max", "read_answer"),
        {"name": "likeness", "type": "cosine", "inputs": ["asked", "said"]},
        {"name": "apart", "type": "difference", "inputs": ["asked", "said"], "absolute": True},
        {"name": "both", "type": "splice", "inputs": ["likeness", "apart"]},
        layer("thinned", "dropout", "both", rate=0.2),
        layer("scores", "dense", "thinned", units=3),
    ],
    "tagger": [
        layer("code", "embedding", "question", units=6),
        layer("thinned", "dropout", "code", rate=0.3),
        layer("forward", "gru", "thinned", units=5),
        layer("backward", "lstm", "thinned", units=5, reverse=True),
        layer("around", "rnn", "thinned", units=4, reverse=True),
        {"name": "both", "type": "splice", "inputs": ["forward", "backward", "around", "code"]},
        layer("attention", "dense", "both", units=1),
        layer("shares", "sequence_softmax", "attention"),
        {"name": "attended", "type": "product", "inputs": ["both", "shares"]},
        layer("sentence", "sequence_sum", "attended"),
        layer("scores", "dense", "sentence", units=3),
        layer("tags", "dense", "both", units=4),
    ],
}
FURTHER = {
    "unpooling": [{"type": "squared_error", "output": "rebuilt", "target": "image", "weight": 0.1}],
    "towers": [
        {
            "type": "ranking_with_negatives",
            "output": "asked",
            "target": "said",
            "scale": 5.0,
            "weight": 0.5,
        }
    ],
    "tagger": [
        {
            "type": "cross_entropy_with_softmax",
            "output": "tags",
            "target": "tag",
            "name": "tags",
            "class_weights": "balanced",
            "normalization": "weighted_mean",
        }
    ],
}
"""Terms beside the one that all have."""
LEARNERS = {
    "dense": {"type": "adam", "alpha": {"type": "cosine", "rate": 0.02, "epochs": 3.0}},
    "convolution": {"type": "momentum", "l2": 0.001},
    "unpooling": {"type": "adam", "alpha": 0.01},
    "words": {"type": "adagrad", "learning_rate": 0.1, "l1": 0.01},
    "towers": {"type": "adam", "alpha": 0.01},
    "tagger": {"type": "nesterov", "learning_rate": {"type": "step", "rate": 0.1, "every_epochs": 1}},
}


@pytest.fixture(scope="module")
def workshops(tmp_path_factory: pytest.TempPathFactory) -> list[Workshop]:
    """One for each interpreter, over one volume."""
    home = tmp_path_factory.mktemp("home")
    made = [Workshop(home, read_json(path / "trainer.json")) for path in trainer_environments()]
    random = np.random.default_rng(2)
    asked, answered = random.integers(1, 9, 80), random.integers(1, 7, 80)

    def tokens(lengths: np.ndarray, classes: int) -> Sequences:
        # Both ends of the classes occur, so that two fields have equally many.
        codes = random.integers(0, classes, lengths.sum())
        codes[:2] = 0, classes - 1
        return Sequences(codes, lengths)

    words = np.where(random.random((80, 30)) < 0.1, random.normal(size=(80, 30)), 0)
    made[0].dataset(
        "mixed",
        {
            "features": random.normal(size=(80, 7)),
            "image": random.integers(0, 256, size=(80, 1, 8, 8)).astype(np.uint8),
            "words": Sparse.of(words),
            "label": random.integers(0, 3, 80),
            "weight": random.uniform(0.5, 2, size=(80, 1)),
            "question": tokens(asked, 20),
            "answer": tokens(answered, 20),
            "tag": tokens(asked, 4),
        },
        SOME_ROWS,
    )
    return made


def spec(network: str) -> dict[str, Any]:
    inputs = {
        "features": "features",
        "image": {"field": "image", "standardize": True},
        "words": "words",
        "label": "label",
        "question": "question",
        "answer": "answer",
    }
    taken = {source for made in NETWORKS[network] for source in made.get("inputs", [made.get("input")])}
    return {
        "dataset": "ds_mixed",
        "inputs": {name: value for name, value in inputs.items() if name in taken},
        "network": NETWORKS[network],
        "objective": [
            {
                "type": "cross_entropy_with_softmax",
                "output": "scores",
                "target": "label",
                "class_weights": "balanced",
                "label_smoothing": 0.1,
            },
            *FURTHER.get(network, []),
        ],
        "example_weight": "weight",
        "metrics": [{"type": "accuracy", "output": "scores", "target": "label", "top_n": 2}],
        "learner": LEARNERS[network],
        "training": {"epochs": 3, "minibatch_size": 8, "seed": 4},
        "checkpoints": {"every_minibatches": 5, "keep_last": 20},
    }


@pytest.mark.parametrize("network", NETWORKS)
def test_bits_agree_and_checkpoints_change_sides(workshops: list[Workshop], network: str) -> None:
    document = spec(network)
    runs: list[RunDirectory] = []
    for side, workshop in enumerate(workshops):
        runs.append(workshop.job(f"{network}_{side}", document))
        assert workshop.train(runs[-1])["outcome"] == "succeeded"
    results = [read_json(run.result) for run in runs]
    for run, result in zip(runs[1:], results[1:], strict=True):
        assert result["parameters_sha256"] == results[0]["parameters_sha256"]
        assert run.losses.read_bytes() == runs[0].losses.read_bytes()
        assert result["losses"] == results[0]["losses"]
        assert result["metrics"] == results[0]["metrics"]
        told = [(one.artifacts / "predictions.jsonl").read_bytes() for one in (run, runs[0])]
        assert told[0] == told[1]
    for side, workshop in enumerate(workshops):
        other = runs[side - 1]
        resumed = workshop.job(f"{network}_on_{side}", document, start=other, samples=MIDDLE)
        assert workshop.train(resumed)["parameters_sha256"] == results[0]["parameters_sha256"]
        assert np.array_equal(losses(resumed)[5:], losses(other)[5:])


def test_an_attempt_goes_on_where_another_interpreter_stopped(workshops: list[Workshop]) -> None:
    """As after a crash, on a machine whose environment was made anew."""
    whole = workshops[0].job("undisturbed", spec("dense"))
    workshops[0].train(whole)
    run = workshops[1].job("changing", spec("dense"))
    Path(run.checkpoints).mkdir()
    shutil.copytree(whole.checkpoint(MIDDLE).path, run.checkpoint(MIDDLE).path)
    result = workshops[1].train(run, attempt=2)
    assert result["parameters_sha256"] == read_json(whole.result)["parameters_sha256"]
