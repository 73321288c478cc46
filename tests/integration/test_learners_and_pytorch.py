"""Every learner that PyTorch has too: 200 steps from equal weights end at equal weights.

Both train one dense layer on a squared error in float32, on the same minibatches of 8, 8 and 4 examples.
docs/recipes.md shows what these tests measure.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.specs.normalise import normalise
from tests.peers import in_peers, needs_peers
from tests.trainer_runs import Workshop
from tests.trainer_scripts import in_trainer
from trainer.parts import learners

ROWS, MINIBATCH, STEPS, EPOCHS = 20, 8, 200, 67

PAIRS: list[tuple[dict[str, Any], dict[str, Any], float]] = [
    # Learner, PyTorch's optimizer, largest difference of any weight after 200 steps.
    ({"type": "sgd"}, {"optimizer": "SGD", "settings": {"lr": 0.01}}, 5e-7),
    ({"type": "momentum"}, {"optimizer": "SGD", "settings": {"lr": 0.01, "momentum": 0.9}}, 5e-7),
    (
        {"type": "nesterov"},
        {"optimizer": "SGD", "settings": {"lr": 0.01, "momentum": 0.9, "nesterov": True}},
        1e-6,
    ),
    (
        {"type": "adam", "epsilon": 1e-12},
        {"optimizer": "Adam", "settings": {"lr": 0.001, "eps": 1e-12}},
        3e-6,
    ),
    ({"type": "adam"}, {"optimizer": "Adam", "settings": {"lr": 0.001}}, 1.2e-4),
    ({"type": "adamax"}, {"optimizer": "Adamax", "settings": {"lr": 0.002}}, 5e-7),
    ({"type": "adagrad", "learning_rate": 0.1}, {"optimizer": "Adagrad", "settings": {"lr": 0.1}}, 2e-6),
    (
        {"type": "adadelta", "learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-6},
        {"optimizer": "Adadelta", "settings": {"lr": 1.0, "rho": 0.9, "eps": 1e-6}},
        5e-7,
    ),
    ({"type": "sgd", "l2": 0.3}, {"optimizer": "SGD", "settings": {"lr": 0.01, "weight_decay": 0.3}}, 5e-7),
    (
        {"type": "adam", "epsilon": 1e-12, "l2": 0.3},
        {"optimizer": "Adam", "settings": {"lr": 0.001, "eps": 1e-12, "weight_decay": 0.3}},
        3e-6,
    ),
    (
        {"type": "sgd", "clip_norm": 0.7},
        {"optimizer": "SGD", "settings": {"lr": 0.01}, "clip_norm": 0.7},
        5e-7,
    ),
    (
        {"type": "sgd", "clip_value": 0.2},
        {"optimizer": "SGD", "settings": {"lr": 0.01}, "clip_value": 0.2},
        5e-7,
    ),
]
RMSPROP = ({"type": "rmsprop"}, {"optimizer": "RMSprop", "settings": {"lr": 0.001, "alpha": 0.95}})
"""CNTK's rule is its own: the two do not agree, and no settings make them."""
NO_COUNTERPART = {"fsadagrad", "rmsprop"}


def label(document: dict[str, Any]) -> str:
    settings = [f"{key}={value}" for key, value in document.items() if key != "type"]
    return " ".join([document["type"], *settings])


@pytest.fixture(scope="module")
def differences(workshop: Workshop) -> dict[str, float]:
    """The largest difference of any weight between CNTK and PyTorch, by learner."""
    random = np.random.default_rng(5)
    x = random.normal(size=(ROWS, 5)).astype(np.float32)
    y = (x[:, :3] * [1, -2, 0.5] + random.normal(size=(ROWS, 3))).astype(np.float32)
    weights = random.normal(size=(5, 3)).astype(np.float32)
    bias = np.array([0.1, -0.2, 0.3], np.float32)
    dataset = workshop.dataset("line", {"x": x, "y": y}, {"train": np.arange(ROWS)})
    pairs = [pair[:2] for pair in PAIRS] + [RMSPROP]
    rows = []
    for learner, _ in pairs:
        spec = {
            "dataset": dataset,
            "inputs": {"x": "x"},
            "network": [{"name": "out", "type": "dense", "units": 3, "input": "x"}],
            "objective": [{"type": "squared_error", "output": "out", "target": "y"}],
            "learner": learner,
            "training": {"epochs": EPOCHS, "minibatch_size": MINIBATCH, "shuffle": False},
        }
        rows.append(
            {
                "spec": normalise(spec, workshop.volume, workshop.settings).document,
                "dataset": str(workshop.volume.dataset(dataset).path),
                "initial": {"out.W": weights.tolist(), "out.b": bias.tolist()},
                "after": [STEPS],
            }
        )
    cntk = in_trainer(workshop.environment, "training", rows)
    torch = in_peers(
        "optimizers",
        {
            "x": x.tolist(),
            "y": y.tolist(),
            "W": weights.tolist(),
            "b": bias.tolist(),
            "minibatch": MINIBATCH,
            "steps": STEPS,
            "rows": [row for _, row in pairs],
        },
    )
    return {
        label(learner): max(
            float(np.abs(np.subtract(ours["parameters"][str(STEPS)][f"out.{name}"], theirs[name])).max())
            for name in ("W", "b")
        )
        for (learner, _), ours, theirs in zip(pairs, cntk, torch, strict=True)
    }


def test_every_learner_is_compared_or_has_no_counterpart() -> None:
    assert {learner["type"] for learner, _, _ in PAIRS} == {part.name for part in learners} - NO_COUNTERPART


@needs_peers
@pytest.mark.parametrize(
    ("name", "tolerance"), [pytest.param(label(pair[0]), pair[2], id=label(pair[0])) for pair in PAIRS]
)
def test_learner_ends_where_pytorch_ends(differences: dict[str, float], name: str, tolerance: float) -> None:
    assert differences[name] <= tolerance


@needs_peers
def test_rmsprop_is_not_that_of_pytorch(differences: dict[str, float]) -> None:
    assert differences["rmsprop"] > 0.01


def test_the_page_lists_every_comparison() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    assert {label(pair[0]) for pair in PAIRS} | {"rmsprop"} <= listed
