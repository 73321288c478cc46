"""Fast R-CNN on real CNTK: the same bits after an interruption, and what the formulas say."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest

from jobs.spec import normalise
from tests.drawn_shapes import drawn
from tests.trainer_runs import Workshop, facts, losses
from tests.trainer_scripts import in_trainer
from trainer.detection.regions import opened
from trainer.layout import read_json

IMAGES, TRAIN, MINIBATCH = 50, 34, 4
SPLITS = {"train": np.arange(TRAIN), "valid": np.arange(TRAIN, 42), "test": np.arange(42, IMAGES)}


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    return drawn(IMAGES, seed=2, proposals=20)


@pytest.fixture(scope="module")
def dataset(workshop: Workshop, columns: dict[str, Any]) -> str:
    assert (columns["boxes"].lengths == 0).any()
    assert (columns["proposals"].lengths == 0).any()
    return workshop.dataset("shapes", columns, SPLITS)


COLOURED = {
    "image": {"field": "image", "scale": 0.00390625, "augment": [{"type": "colour_jitter"}]},
    "rois": "rois",
}
CASES: dict[str, dict[str, Any]] = {
    "as it stands": {},
    "by chance": {"flip": "random", "dropout": 0.3, "regions_per_image": None},
    "without boxes of its own": {"proposals": None, "add_annotated": True, "hidden": []},
}


def spec(dataset: str, case: str, **beside: Any) -> dict[str, Any]:
    small: dict[str, Any] = {"maps": [6], "hidden": [12], "roi_size": 3, "regions_per_image": 8}
    if case == "by chance":
        beside["inputs"] = COLOURED
    if "learner" not in beside:
        small["learning_rate_factor"] = 10.0
    return {
        "dataset": dataset,
        "recipe": {"type": "fast_rcnn", "difficult": "difficult", **small, **CASES[case]},
        "training": {"epochs": 3, "minibatch_size": MINIBATCH, "seed": 3},
        "checkpoints": {"every_minibatches": 11, "keep_last": 9},
        **beside,
    }


@pytest.mark.parametrize("case", CASES)
def test_interrupted_run_ends_with_the_same_bits(workshop: Workshop, dataset: str, case: str) -> None:
    """From a checkpoint in the middle of an epoch, whose images are drawn and mirrored as before."""
    document, name = spec(dataset, case), case.replace(" ", "_")
    whole = workshop.job(name, document)
    reference = workshop.train(whole)
    assert np.mean(losses(whole)[-9:]) < np.mean(losses(whole)[:9])
    samples = TRAIN + 2 * MINIBATCH
    resumed = workshop.job(f"{name}_resumed", document, start=whole, samples=samples)
    assert read_json(resumed.start.manifest)["step"] == 11
    result = workshop.train(resumed)
    assert np.array_equal(losses(resumed)[11:], losses(whole)[11:])
    for key in ("parameters_sha256", "losses", "metrics", "best"):
        assert result[key] == reference[key], key


def test_killed_and_started_again_it_ends_with_the_same_bits(workshop: Workshop, dataset: str) -> None:
    document = spec(dataset, "by chance")
    document["training"] |= {"epochs": 12}
    whole = workshop.job("undisturbed", document)
    reference = workshop.train(whole)
    killed = workshop.job("killed", document)
    assert workshop.interrupt(killed, 1, signal.SIGKILL, after="checkpoint") == -signal.SIGKILL
    result = workshop.train(killed, attempt=2)
    assert next(fact for fact in facts(killed, 2) if fact["type"] == "restored")["step"] > 0
    assert np.array_equal(losses(killed), losses(whole))
    assert result["parameters_sha256"] == reference["parameters_sha256"]


def test_other_seeds_draw_other_regions(workshop: Workshop, dataset: str) -> None:
    found = set()
    for seed in (3, 4):
        document = spec(dataset, "as it stands")
        document["training"] |= {"seed": seed, "epochs": 1}
        run = workshop.job(f"seed_{seed}", document)
        workshop.train(run)
        found.add(losses(run).tobytes())
    assert len(found) == 2


def log_softmax(z: np.ndarray) -> np.ndarray:
    shifted = z - z.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def test_losses_are_means_over_regions(workshop: Workshop, dataset: str) -> None:
    """Of one layer on the pooled pixels, by numpy: of minibatches with images of different lengths."""
    document = spec(dataset, "as it stands", learner={"type": "sgd", "learning_rate": 1e-12})
    document |= {
        "network": [
            {
                "name": "pooled",
                "type": "roi_pooling",
                "inputs": ["image", "rois"],
                "size": [1, 1],
                "stride": 1.0,
            },
            {"name": "scores", "type": "dense", "units": 4, "input": "pooled"},
            {"name": "corrections", "type": "dense", "units": 16, "input": "pooled"},
        ],
    }
    document["training"] |= {"shuffle": False, "epochs": 2}
    complete = normalise(document, workshop.volume, workshop.settings).document
    random = np.random.default_rng(1)
    initial = {
        "scores.W": random.normal(size=(3, 1, 1, 4)),
        "scores.b": random.normal(size=4),
        "corrections.W": random.normal(size=(3, 1, 1, 16)),
        "corrections.b": random.normal(size=16),
    }
    row = {
        "spec": complete,
        "dataset": str(workshop.volume.dataset(dataset).path),
        "initial": {name: value.tolist() for name, value in initial.items()},
        "after": [100],
    }
    (found,) = in_trainer(workshop.environment, "training", [row])
    data = opened(complete, workshop.volume.dataset(dataset))

    def expected(rows: np.ndarray, epoch: int | None) -> dict[str, float]:
        images = data.column("image").read(rows, epoch) / 256
        told = {name: data.column(name).of(rows, epoch) for name in ("rois", "region_class")}
        aims = {name: data.column(name).of(rows, epoch) for name in ("region_targets", "region_weights")}
        entropy, smooth, count = 0.0, 0.0, 0
        for image, rois, classes, targets, weights in zip(
            images, told["rois"], told["region_class"], *aims.values(), strict=True
        ):
            side = image.shape[-1] - 1
            edges = np.clip(np.floor(rois.astype(np.float64) + 0.5), 0, side).astype(int)
            pooled = np.array(
                [image[:, y1 : y2 + 1, x1 : x2 + 1].max(axis=(1, 2)) for x1, y1, x2, y2 in edges]
            )
            scores = pooled @ initial["scores.W"].reshape(3, 4) + initial["scores.b"]
            said = pooled @ initial["corrections.W"].reshape(3, 16) + initial["corrections.b"]
            entropy += float(-(log_softmax(scores) * classes).sum())
            d = np.abs((said - targets) * weights)
            smooth += float(np.where(d < 1, d * d / 2, d - 0.5).sum())
            count += len(rois)
        return {
            "cross_entropy_with_softmax": entropy / count,
            "smooth_l1": smooth / count,
            "total": (entropy + smooth) / count,
        }

    steps = [SPLITS["train"][at : at + MINIBATCH] for at in range(0, TRAIN, MINIBATCH)]
    trained = [expected(rows, epoch)["total"] for epoch in (0, 1) for rows in steps]
    np.testing.assert_allclose(found["losses"], trained, rtol=1e-4)
    for split, rows in SPLITS.items():
        assert found["summaries"][split]["losses"] == pytest.approx(expected(rows, None), rel=1e-4), split


def test_images_without_any_box_are_learned_from(workshop: Workshop, columns: dict[str, Any]) -> None:
    """Negative images alone teach that everything is background; no other step could."""
    bare = np.flatnonzero(columns["boxes"].lengths == 0)[:4]
    boxed = np.flatnonzero(columns["boxes"].lengths)[:4]
    name = workshop.dataset("negative", columns, {"train": bare, "valid": boxed})
    document = spec(name, "as it stands", learner={"type": "adam", "alpha": 0.01})
    document["training"] |= {"epochs": 40}
    run = workshop.job("negative", document)
    result = workshop.train(run)
    assert losses(run)[-1] < 0.05 < losses(run)[0]
    assert result["losses"]["train"]["smooth_l1"] == 0
    assert result["metrics"]["train"]["classification_error"] == 0
    # What it has never seen it calls background, too.
    assert result["metrics"]["valid"]["classification_error"] > 0
