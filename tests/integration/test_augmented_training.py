"""Training on augmented images: what is fed, what a target is, what evaluation sees, and the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.specs.normalise import normalise
from tests.trainer_runs import Workshop, ends_the_same_when_killed, losses
from tests.trainer_scripts import in_trainer
from trainer.augmenting import AugmentedColumn
from trainer.files import read_json
from trainer.minibatches import Order

ROWS, TRAIN, MINIBATCH, SEED = 60, 44, 8, 3
EVERY: list[Any] = [
    {"type": "colour_jitter", "saturation": 0.3},
    {"type": "random_resized_crop", "aspect": 1.2},
    "flip",
    "scale_jitter",
    {"type": "random_crop", "padding": 2},
]


@pytest.fixture(scope="module")
def columns() -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    return {
        "image": random.integers(0, 256, size=(ROWS, 3, 12, 10)).astype(np.uint8),
        "kind": np.arange(ROWS) % 2,
    }


@pytest.fixture(scope="module")
def dataset(workshop: Workshop, columns: dict[str, np.ndarray]) -> str:
    return workshop.dataset(
        "photographs", columns, {"train": np.arange(TRAIN), "valid": np.arange(TRAIN, ROWS)}
    )


def halved(dataset: str, target: str) -> dict[str, Any]:
    """A network that answers with a mix of the three channels, compared with ``target``."""
    return {
        "dataset": dataset,
        "inputs": {
            "seen": {"field": "image", "augment": EVERY, "scale": 1 / 256},
            "alike": {"field": "image", "augment": EVERY, "scale": 1 / 128},
            "calm": {"field": "image", "augment": EVERY[1:], "scale": 1 / 256},
            "plain": {"field": "image", "scale": 1 / 256},
        },
        "network": [
            {"name": "mixed", "type": "convolution", "filters": 3, "filter_shape": [1, 1], "input": "seen"}
        ],
        "objective": [{"type": "squared_error", "output": "mixed", "target": target}],
        "learner": {"type": "sgd", "learning_rate": 1e-12},
        "training": {"epochs": 2, "minibatch_size": MINIBATCH, "seed": SEED},
    }


TARGETS: dict[str, tuple[int | None, float]] = {
    "seen": (0, 1 / 256),
    "alike": (0, 1 / 128),
    "calm": (1, 1 / 256),
    "plain": (None, 1 / 256),
    "image": (None, 1.0),
}
"""Each target: from which of the augmentations on it is changed (None: it is not), and its scale."""


def test_inputs_and_targets_are_what_the_page_says(
    workshop: Workshop, dataset: str, columns: dict[str, np.ndarray]
) -> None:
    weights = np.random.default_rng(1).normal(size=(3, 3, 1, 1))
    asked = [
        {
            "spec": normalise(halved(dataset, target), workshop.volume, workshop.settings).document,
            "dataset": str(workshop.volume.dataset(dataset).path),
            "initial": {"mixed.W": weights.tolist()},
            "after": [99],
        }
        for target in TARGETS
    ]
    found = in_trainer(workshop.environment, "training", asked)
    stored = columns["image"].astype(np.float32)

    class Stored:
        shape = stored.shape[1:]

        def read(self, rows: np.ndarray, epoch: int | None = None) -> np.ndarray:
            return stored[rows]

    augment = asked[0]["spec"]["inputs"]["seen"]["augment"]

    def images(rows: np.ndarray, first: int | None, epoch: int | None) -> np.ndarray:
        documents = [] if first is None else augment[first:]
        column = AugmentedColumn(Stored(), "image", {"dtype": "uint8"}, documents, SEED)
        return np.asarray(column.read(rows, epoch), dtype=np.float64)

    def loss(rows: np.ndarray, target: str, epoch: int | None) -> float:
        first, scale = TARGETS[target]
        mixed = np.einsum("oc,nchw->nohw", weights[:, :, 0, 0], images(rows, 0, epoch) / 256)
        apart = mixed - images(rows, first, epoch) * scale
        return float((apart**2).sum() / len(rows))

    order = Order(np.arange(TRAIN), MINIBATCH, SEED, "drawn")
    for target, got in zip(TARGETS, found, strict=True):
        trained = [loss(rows, target, epoch) for epoch in (0, 1) for rows in order.minibatches(epoch)]
        assert got["losses"] == pytest.approx(trained, rel=1e-4), target
        for split, rows in (("train", np.arange(TRAIN)), ("valid", np.arange(TRAIN, ROWS))):
            evaluated = got["summaries"][split]["losses"]["total"]
            assert evaluated == pytest.approx(loss(rows, target, None), rel=1e-4), target
            # A plain image is no augmented one: the two cannot be taken for each other above.
            assert evaluated != pytest.approx(loss(rows, target, 0), rel=1e-3)


def classifier(dataset: str, epochs: int) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "inputs": {"seen": {"field": "image", "standardize": True, "augment": EVERY}},
        "network": [
            {"name": "maps", "type": "convolution", "filters": 4, "filter_shape": [3, 3], "input": "seen"},
            {"name": "scores", "type": "dense", "units": 2, "input": "maps"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "kind"}],
        "learner": {"type": "adam"},
        "training": {"epochs": epochs, "minibatch_size": MINIBATCH, "seed": SEED},
        "checkpoints": {"every_minibatches": 8, "keep_last": 9},
    }


def test_reading_ahead_changes_no_bit(workshop: Workshop, dataset: str) -> None:
    document = normalise(classifier(dataset, 3), workshop.volume, workshop.settings).document
    asked = [
        {
            "spec": document,
            "dataset": str(workshop.volume.dataset(dataset).path),
            "after": [5, 18],
            "ahead": ahead,
        }
        for ahead in (False, True)
    ]
    without, within = in_trainer(workshop.environment, "training", asked)
    assert len(within["losses"]) == 18
    assert without == within


def test_interrupted_run_ends_with_the_same_bits(workshop: Workshop, dataset: str) -> None:
    """From a checkpoint in the middle of an epoch, whose last minibatch is smaller than the others."""
    whole = workshop.job("augmented", classifier(dataset, 3))
    reference = workshop.train(whole)
    resumed = workshop.job("resumed", classifier(dataset, 3), start=whole, samples=TRAIN + 2 * MINIBATCH)
    assert read_json(resumed.start.manifest)["step"] == 8
    result = workshop.train(resumed)
    assert np.array_equal(losses(resumed)[8:], losses(whole)[8:])
    for key in ("parameters_sha256", "losses", "metrics", "best"):
        assert result[key] == reference[key], key
    for artifact in ("mistakes.npz", "predictions.jsonl"):
        assert (resumed.artifacts / artifact).read_bytes() == (whole.artifacts / artifact).read_bytes()


def test_killed_and_started_again_it_ends_with_the_same_bits(workshop: Workshop, dataset: str) -> None:
    ends_the_same_when_killed(workshop, classifier(dataset, 40))


def test_a_finished_model_names_the_field_of_each_variable(workshop: Workshop, dataset: str) -> None:
    document = halved(dataset, "plain")
    del document["inputs"]["calm"]
    document["network"].append({"name": "both", "type": "sum", "inputs": ["mixed", "plain"]})
    document["objective"][0]["output"] = "both"
    run = workshop.job("two_variables", document)
    workshop.train(run)
    described = read_json(run.artifacts / "model.json")["inputs"]
    assert {name: entry["field"] for name, entry in described.items()} == {
        "image": "image",
        "image (2)": "image",
    }
