"""What validation says a job will take is what it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.specs.normalise import normalise
from tests.drawn_shapes import drawn
from tests.trainer_runs import Sequences, Workshop

ROWS, CLASSES, WORDS = 384, 5, 300
SPLITS = {"train": np.arange(256), "valid": np.arange(256, ROWS)}
FACTOR = 1.5
"""How far an estimate may be off: interpreters and allocators differ."""

RECIPES: dict[str, dict[str, Any]] = {
    "classifier": {"inputs": ["numbers"], "target": "kind", "hidden": [1200]},
    "joint_autoencoder_classifier": {"input": "numbers", "target": "kind", "code": 1200},
    "image_autoencoder": {"input": "image", "maps": [32, 16], "filter_sizes": [3], "pooling": [2]},
    "sequence_classifier": {"input": "words", "target": "kind", "units": 100},
    "sequence_tagger": {"input": "words", "target": "tags", "encoder": "gru", "units": 100},
    "slot_and_intent": {"input": "words", "slots": "tags", "intent": "kind", "units": 100},
    "regressor": {"inputs": ["numbers"], "targets": ["grade"], "hidden": [1200]},
    "multilabel_classifier": {"input": "numbers", "labels": "labels", "hidden": [1200]},
    "transfer_classifier": {"input": "image", "target": "kind", "last_hidden_node": "p2", "freeze": "none"},
    "fast_rcnn": {"maps": [32, 32], "roi_size": 6, "hidden": [512]},
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
    columns: dict[str, Any] = {
        "numbers": random.normal(size=(ROWS, 2000)),
        "image": random.integers(0, 255, (ROWS, 3, 32, 32)).astype(np.uint8),
        "words": Sequences(np.arange(steps) % WORDS, lengths),
        "tags": Sequences(np.arange(steps) % CLASSES, lengths),
        "kind": np.arange(ROWS) % CLASSES,
        "grade": random.normal(size=(ROWS, 1)),
        "labels": random.integers(0, 2, (ROWS, 20)).astype(np.float32),
    }
    return workshop.dataset("recipes", columns, SPLITS)


@pytest.fixture(scope="module")
def drawings(workshop: Workshop) -> str:
    """Images with boxes, and proposals."""
    return workshop.dataset(
        "drawings",
        drawn(48, seed=1, side=96, proposals=200),
        {"train": np.arange(32), "valid": np.arange(32, 48)},
    )


@pytest.fixture(scope="module")
def base(workshop: Workshop, dataset: str) -> str:
    """A model of two convolutions."""
    network = [
        convolution("c1", "image", 32, activation="relu"),
        {"name": "p1", "type": "max_pooling", "window": [2, 2], "input": "c1"},
        convolution("c2", "p1", 32, activation="relu"),
        {"name": "p2", "type": "max_pooling", "window": [2, 2], "input": "c2"},
        {"name": "said", "type": "dense", "units": CLASSES, "input": "p2"},
    ]
    teacher = workshop.job("teacher", spec_of(dataset, network))
    workshop.train(teacher)
    return workshop.base_model(teacher.artifacts / "model.dnn")


def convolution(name: str, source: str, filters: int, **more: Any) -> dict[str, Any]:
    shape = {"filters": filters, "filter_shape": [3, 3]}
    return {"name": name, "type": "convolution", "input": source, **shape, **more}


def normalized(name: str, source: str) -> list[dict[str, Any]]:
    return [
        convolution(f"{name}_conv", source, 16, bias=False),
        {"name": name, "type": "batch_normalization", "input": f"{name}_conv"},
    ]


def activated(name: str, source: str) -> dict[str, Any]:
    return {"name": name, "type": "activation", "function": "relu", "input": source}


def spec_of(dataset: str, network: list[dict[str, Any]]) -> dict[str, Any]:
    """A spec of a network that tells kinds of images."""
    return {
        "dataset": dataset,
        "inputs": {"image": {"field": "image", "scale": 0.004}},
        "network": network,
        "objective": [{"type": "cross_entropy_with_softmax", "output": "said", "target": "kind"}],
        "learner": "adam",
        "training": {"epochs": 1, "minibatch_size": 32},
    }


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_s_memory_is_as_estimated(
    workshop: Workshop, dataset: str, drawings: str, base: str, recipe: str
) -> None:
    of_base = {"model": base} if recipe == "transfer_classifier" else {}
    of_boxes = recipe == "fast_rcnn"
    spec = {
        "dataset": drawings if of_boxes else dataset,
        "recipe": {"type": recipe, **RECIPES[recipe], **of_base},
        "training": {"epochs": 1, "minibatch_size": 8 if of_boxes else 128},
    }
    estimate = normalise(spec, workshop.volume, workshop.settings).estimate["memory_bytes"]
    peak = workshop.peak(workshop.job(f"of_{recipe}", spec))
    assert peak > 80 << 20, "too small to tell"
    assert 1 / FACTOR < estimate / peak < FACTOR, (estimate, peak)


@pytest.mark.parametrize("kernels", [True, False])
def test_a_residual_network_s_memory_is_as_estimated(
    workshop: Workshop, dataset: str, kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes behind another in it uses the same buffers, and evaluation keeps nearly nothing of it."""
    network = [*normalized("n0", "image"), activated("k0", "n0")]
    for before, here in (("k0", "k1"), ("k1", "k2"), ("k2", "k3")):
        network += [*normalized(f"{here}a", before), activated(f"{here}r", f"{here}a")]
        network += normalized(f"{here}b", f"{here}r")
        network += [{"name": f"{here}s", "type": "sum", "inputs": [f"{here}b", before]}]
        network += [activated(here, f"{here}s")]
    network += [{"name": "pooled", "type": "global_average_pooling", "input": "k3"}]
    network += [{"name": "said", "type": "dense", "units": CLASSES, "input": "pooled"}]
    spec = spec_of(dataset, network)
    monkeypatch.setitem(workshop.variables, "CNTK_JOBS_KERNELS", str(kernels))
    settings = workshop.settings.model_copy(update={"kernels": kernels})
    estimate = normalise(spec, workshop.volume, settings).estimate["memory_bytes"]
    peak = workshop.peak(workshop.job(f"residual_{kernels}", spec))
    assert 1 / FACTOR < estimate / peak < FACTOR, (estimate, peak)
