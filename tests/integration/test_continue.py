"""Mode ``continue``: everything goes on but the learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.trainer_runs import Workshop, facts, losses
from trainer.files import read_json
from trainer.layout import RunDirectory
from trainer.parts import learners

ROWS, MINIBATCH = 150, 16
"""Ten minibatches an epoch, the last one smaller."""

BEFORE, AFTER = 0.05, 0.002
EPOCHS = 3

PLACES = {"mid_epoch": 14 * MINIBATCH - 10, "epoch_end": 2 * ROWS}


@pytest.fixture(scope="module")
def data(workshop: Workshop) -> str:
    random = np.random.default_rng(5)
    features = random.normal(size=(200, 12)).astype(np.float32)
    label = (features[:, :3].argmax(axis=1)).astype(np.int64)
    return workshop.dataset(
        "blobs",
        {"features": features, "label": label},
        {"train": np.arange(ROWS), "valid": np.arange(ROWS, 200)},
    )


def spec(data: str, learner: str, rate: Any) -> dict[str, Any]:
    return {
        "dataset": data,
        "inputs": {"features": {"field": "features"}},
        "network": [
            {"name": "hidden", "type": "dense", "units": 16, "activation": "tanh", "input": "features"},
            {"name": "regular", "type": "dropout", "rate": 0.3, "input": "hidden"},
            {"name": "scores", "type": "dense", "units": 3, "input": "regular"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "label"}],
        "learner": {"type": learner, learners[learner].facts["rate"]: rate},
        "training": {"epochs": EPOCHS, "minibatch_size": MINIBATCH, "seed": 7},
        "checkpoints": {"every_epochs": 1, "every_minibatches": 14, "keep_last": 9},
    }


def continued(
    workshop: Workshop, name: str, document: dict[str, Any], base: RunDirectory, samples: int
) -> Any:
    start = {"job": base.path.name, "checkpoint": samples, "mode": "continue"}
    run = workshop.job(name, document | {"start_from": start}, start=base, samples=samples)
    return run, workshop.train(run)["parameters_sha256"]


@pytest.mark.parametrize("learner", [part.name for part in learners])
def test_the_rate_changes_at_the_checkpoint_and_nothing_else(
    workshop: Workshop, data: str, learner: str
) -> None:
    base = workshop.job(learner, spec(data, learner, BEFORE))
    undisturbed = workshop.train(base)["parameters_sha256"]
    for place, samples in PLACES.items():
        step = read_json(base.checkpoint(samples).manifest)["step"]
        _, same = continued(workshop, f"{learner}_{place}_same", spec(data, learner, BEFORE), base, samples)
        assert same == undisturbed, place

        run, slower = continued(workshop, f"{learner}_{place}_new", spec(data, learner, AFTER), base, samples)
        # The first loss behind the checkpoint comes before the first step at the new rate.
        assert losses(run)[step] == losses(base)[step], place
        assert (losses(run)[step + 1 :] != losses(base)[step + 1 :]).all(), place

        epochs, rest = divmod(samples, ROWS)
        switching = {"type": "piecewise", "rates": [BEFORE, AFTER], "until_epochs": [epochs + rest / ROWS]}
        planned = workshop.job(f"{learner}_{place}_planned", spec(data, learner, switching))
        assert slower == workshop.train(planned)["parameters_sha256"], place
        assert np.array_equal(losses(run)[step:], losses(planned)[step:]), place


def test_a_schedule_is_a_function_of_all_the_epochs(workshop: Workshop, data: str) -> None:
    """A constant rate for two epochs, then the last third of a cosine, not its beginning."""
    base = workshop.job("constant", spec(data, "adam", BEFORE))
    workshop.train(base)
    cosine = {"type": "cosine", "rate": BEFORE, "epochs": EPOCHS}
    run, _ = continued(workshop, "falling", spec(data, "adam", cosine), base, 2 * ROWS)
    epochs = [fact for fact in facts(run) if fact["type"] == "epoch"]
    assert [epoch["epoch"] for epoch in epochs] == [EPOCHS]
    assert epochs[0]["learning_rate"] < 0.1 * BEFORE
