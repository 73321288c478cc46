"""What validation says a job will take is what it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.specs.normalise import normalise
from tests.trainer_runs import Sequences, Workshop

ROWS, CLASSES, WORDS = 384, 5, 300
FACTOR = 1.5
"""How far an estimate may be off: interpreters and allocators differ."""

RECIPES: dict[str, dict[str, Any]] = {
    "classifier": {"inputs": ["numbers"], "target": "kind", "hidden": [1200]},
    "joint_autoencoder_classifier": {"input": "numbers", "target": "kind", "code": 1200},
    "image_autoencoder": {"input": "image", "maps": [32, 16], "filter_sizes": [3], "pooling": [2]},
    "sequence_classifier": {"input": "words", "target": "kind", "units": 100},
    "sequence_tagger": {"input": "words", "target": "tags", "encoder": "gru", "units": 100},
    "slot_and_intent": {"input": "words", "slots": "tags", "intent": "kind", "units": 100},
    "two_towers": {"left": "words", "right": "words", "target": "grade", "encoder": "lstm", "units": 100},
}


@pytest.mark.parametrize("learner", ["sgd", "adam", "rmsprop"])
def test_checkpoint_and_memory_are_as_estimated(workshop: Workshop, learner: str) -> None:
    random = np.random.default_rng(0)
    dataset = workshop.dataset(
        learner,
        {"x": random.normal(size=(256, 784)), "y": np.arange(256) % 10},
        {"train": np.arange(256)},
    )
    spec = {
        "dataset": dataset,
        "inputs": {"x": "x"},
        "network": [
            {"name": "wide", "type": "dense", "units": 1024, "input": "x"},
            {"name": "wider", "type": "dense", "units": 1024, "input": "wide"},
            {"name": "scores", "type": "dense", "units": 10, "input": "wider"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "y"}],
        "learner": {"type": learner},
        "training": {"epochs": 2, "minibatch_size": 64},
    }
    estimate = normalise(spec, workshop.volume, workshop.settings).estimate
    run = workshop.job(learner, spec)
    peak = workshop.peak(run)
    newest = run.checkpoint(run.published_checkpoints()[-1])
    written = newest.model.stat().st_size + newest.learners.stat().st_size
    assert written == pytest.approx(estimate["checkpoint_bytes"], rel=0.02)
    assert 1 / FACTOR < estimate["memory_bytes"] / peak < FACTOR


@pytest.fixture(scope="module")
def dataset(workshop: Workshop) -> str:
    random = np.random.default_rng(1)
    lengths = random.integers(5, 30, ROWS)
    steps = int(lengths.sum())
    columns = {
        "numbers": random.normal(size=(ROWS, 2000)),
        "image": random.integers(0, 255, (ROWS, 3, 32, 32)).astype(np.uint8),
        "words": Sequences(np.arange(steps) % WORDS, lengths),
        "tags": Sequences(np.arange(steps) % CLASSES, lengths),
        "kind": np.arange(ROWS) % CLASSES,
        "grade": random.normal(size=(ROWS, 1)),
    }
    half = ROWS // 3 * 2
    return workshop.dataset("recipes", columns, {"train": np.arange(half), "valid": np.arange(half, ROWS)})


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_s_memory_is_as_estimated(workshop: Workshop, dataset: str, recipe: str) -> None:
    spec = {
        "dataset": dataset,
        "recipe": {"type": recipe, **RECIPES[recipe]},
        "training": {"epochs": 1, "minibatch_size": 128},
    }
    estimate = normalise(spec, workshop.volume, workshop.settings).estimate["memory_bytes"]
    peak = workshop.peak(workshop.job(f"of_{recipe}", spec))
    assert peak > 80 << 20, "too small to tell"
    assert 1 / FACTOR < estimate / peak < FACTOR, (estimate, peak)
