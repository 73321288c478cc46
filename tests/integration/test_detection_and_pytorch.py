"""Fast R-CNN against the same network in PyTorch: equal weights, equal regions, equal losses step by step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jobs.specs.normalise import normalise
from tests.drawn_shapes import drawn
from tests.peers import in_peers, needs_peers
from tests.trainer_runs import Workshop
from tests.trainer_scripts import in_trainer
from trainer.detection.regions import opened

IMAGES, MINIBATCH, EPOCHS, SIDE = 10, 4, 4, 32
RECIPE = {
    "type": "fast_rcnn",
    "maps": [5],
    "hidden": [9],
    "roi_size": 3,
    "regions_per_image": 12,
    "flip": "random",
    "sigma": 1.5,
    "learning_rates": [0.02],
    "until_epochs": [],
}
SHAPES = {
    "conv_1.W": (5, 3, 3, 3),
    "conv_1.b": (5, 1, 1),
    "hidden_1.W": (5, 3, 3, 9),
    "hidden_1.b": (9,),
    "scores.W": (9, 4),
    "scores.b": (4,),
    "corrections.W": (9, 16),
    "corrections.b": (16,),
}


@needs_peers
def test_losses_and_parameters_agree(workshop: Workshop) -> None:
    columns = drawn(IMAGES, seed=6, side=SIDE, proposals=16)
    dataset = workshop.dataset("shapes", columns, {"train": np.arange(IMAGES)})
    document = {
        "dataset": dataset,
        "recipe": RECIPE,
        "training": {"epochs": EPOCHS, "minibatch_size": MINIBATCH, "shuffle": False, "seed": 5},
    }
    spec = normalise(document, workshop.volume, workshop.settings).document
    random = np.random.default_rng(2)
    initial = {
        name: (random.normal(size=shape) / math.sqrt(math.prod(shape[:-1]) or 1)).tolist()
        for name, shape in SHAPES.items()
    }
    folder = workshop.volume.dataset(dataset)
    steps = EPOCHS * -(-IMAGES // MINIBATCH)
    row = {"spec": spec, "dataset": str(folder.path), "initial": initial, "after": [steps]}
    (ours,) = in_trainer(workshop.environment, "training", [row])
    theirs = in_peers(
        "detection",
        {
            "parameters": initial,
            "minibatches": [
                seen(opened(spec, folder), np.arange(start, min(start + MINIBATCH, IMAGES)), epoch)
                for epoch in range(EPOCHS)
                for start in range(0, IMAGES, MINIBATCH)
            ],
            "size": [3, 3],
            "stride": 1.0,
            "sigma": 1.5,
            "rate": 0.02,
            "momentum": 0.9,
            "l2": 0.0005,
            "bias_rate_factor": 2.0,
        },
    )
    np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=1e-4)
    assert np.mean(ours["losses"][-6:]) < np.mean(ours["losses"][:6])
    for name, value in theirs["parameters"].items():
        np.testing.assert_allclose(ours["parameters"][str(steps)][name], value, rtol=1e-3, atol=1e-4)


def seen(dataset: Any, rows: np.ndarray, epoch: int) -> list[dict[str, Any]]:
    """What the columns hold for the rows: pixels as the network sees them, and the regions of each image."""
    told = {name: dataset.column(name).of(rows, epoch) for name in ("rois", "region_class")}
    told |= {name: dataset.column(name).of(rows, epoch) for name in ("region_targets", "region_weights")}
    images = dataset.column("image").read(rows, epoch) / 256
    return [
        {"image": image.tolist()} | {name: values[place].tolist() for name, values in told.items()}
        for place, image in enumerate(images)
    ]
