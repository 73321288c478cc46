"""How a trainer ends that cannot go on, and what it makes of unusual data."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest

from jobs.errors import InvalidInput
from tests.trainer_runs import Sparse, Workshop, facts, losses
from trainer.checkpoints import verify
from trainer.files import read_json, write_json
from trainer.layout import RunDirectory

ROWS, VALID = 60, 20


@pytest.fixture(scope="module")
def data(workshop: Workshop) -> str:
    random = np.random.default_rng(11)
    everything = ROWS + VALID
    x = random.normal(size=(everything, 6)).astype(np.float32)
    words = np.where(random.random((everything, 30)) < 0.05, random.normal(size=(everything, 30)), 0)
    image = random.integers(0, 256, size=(everything, 1, 6, 6)).astype(np.uint8)
    return workshop.dataset(
        "unusual",
        {
            "x": x,
            "y": x[:, :2] + 0.1 * random.normal(size=(everything, 2)),
            "words": Sparse.of(words),
            "bytes": image,
            "numbers": image.astype(np.float32),
            "label": np.arange(everything) % 4,
        },
        {
            "train": np.arange(ROWS),
            "valid": np.arange(ROWS, everything),
            "test": np.array([everything - 1]),
        },
    )


def spec(data: str, field: str = "x", units: int = 2, **changes: Any) -> dict[str, Any]:
    document = {
        "dataset": data,
        "inputs": {"in": field},
        "network": [{"name": "out", "type": "dense", "units": units, "input": "in"}],
        "objective": [{"type": "squared_error", "output": "out", "target": "y"}],
        "metrics": [{"type": "root_mean_squared_error", "output": "out", "target": "y"}],
        "learner": {"type": "sgd"},
        "training": {"epochs": 3, "minibatch_size": 8},
    }
    return document | changes


def of_type(run: RunDirectory, type_: str, attempt: int = 1) -> list[dict[str, Any]]:
    return [fact for fact in facts(run, attempt) if fact["type"] == type_]


def test_diverging_job_fails_and_keeps_its_last_good_checkpoint(workshop: Workshop, data: str) -> None:
    document = spec(
        data,
        learner={"type": "sgd", "learning_rate": 300.0},
        training={"epochs": 50, "minibatch_size": 8},
        checkpoints={"every_minibatches": 1, "keep_last": 2},
    )
    run = workshop.job("diverging", document)
    result = workshop.train(run)
    assert (result["outcome"], result["reason"]) == ("failed", "diverged")
    assert result["parameters_sha256"] is None
    published = run.published_checkpoints()
    assert published
    for samples in published:
        manifest = verify(run.checkpoint(samples))
        assert manifest["step"] <= result["step"]
    assert np.isfinite(losses(run)).all()


def test_divergence_names_the_place(workshop: Workshop, data: str) -> None:
    run = workshop.job("exploding", spec(data, learner={"type": "sgd", "learning_rate": 1e30}))
    detail = workshop.train(run)["detail"]
    assert "epoch 1" in detail
    assert "minibatch" in detail


def test_damaged_start_is_named(workshop: Workshop, data: str) -> None:
    first = workshop.job("first", spec(data))
    workshop.train(first)
    run = workshop.job("on_damage", spec(data), start=first, samples=3 * ROWS)
    content = bytearray(run.start.model.read_bytes())
    content[len(content) // 2] ^= 4
    run.start.model.write_bytes(content)
    result = workshop.train(run)
    assert (result["outcome"], result["reason"]) == ("failed", "checkpoint_broken")
    assert "model.dnn differs" in result["detail"]
    assert run.published_checkpoints() == []


def test_weights_of_another_shape_are_refused(workshop: Workshop, data: str) -> None:
    def two_layers(units: int) -> dict[str, Any]:
        hidden = {"name": "hidden", "type": "dense", "units": units, "input": "in"}
        return spec(data, network=[hidden, {"name": "out", "type": "dense", "units": 2, "input": "hidden"}])

    narrow = workshop.job("narrow", two_layers(3))
    workshop.train(narrow)
    start_from = {"job": narrow.path.name, "checkpoint": 3 * ROWS, "mode": "weights"}
    wide = workshop.job("wide", two_layers(4) | {"start_from": start_from}, start=narrow, samples=3 * ROWS)
    result = workshop.train(wide)
    assert result["outcome"] == "failed"
    assert (
        result["detail"] == "hidden.W has the shape (6, 3) in the starting model and (6, 4) in this network"
    )
    other = two_layers(3) | {"start_from": start_from}
    other["network"][1]["name"] = "last"
    other["objective"][0]["output"] = other["metrics"][0]["output"] = "last"
    result = workshop.train(workshop.job("renamed", other, start=narrow, samples=3 * ROWS))
    assert result["detail"] == "the starting model has no last.W"


def test_an_error_of_cntk_comes_without_its_call_stack(workshop: Workshop, data: str) -> None:
    run = workshop.job("impossible", spec(data))
    document = read_json(run.spec)
    # What the check of specs would not let through.
    document["network"][0]["units"] = 5
    write_json(run.spec, document)
    result = workshop.train(run)
    assert (result["outcome"], result["reason"]) == ("failed", "trainer_error")
    assert "CALL STACK" not in result["detail"]
    assert "0x" not in result["detail"]
    assert "5" in result["detail"]


@pytest.mark.parametrize("learner", ["sgd", "momentum", "adagrad"])
def test_sparse_training_resumes_whenever_it_was_saved(workshop: Workshop, data: str, learner: str) -> None:
    document = spec(data, "words", learner={"type": learner}, training={"epochs": 3, "minibatch_size": 4})
    whole = workshop.job(f"{learner}_whole", document | {"checkpoints": {"every_epochs": None}})
    often = workshop.job(
        f"{learner}_often", document | {"checkpoints": {"every_minibatches": 7, "keep_last": 9}}
    )
    expected = workshop.train(whole)
    assert workshop.train(often)["parameters_sha256"] == expected["parameters_sha256"]
    resumed = workshop.job(f"{learner}_resumed", document, start=often, samples=7 * 4)
    assert workshop.train(resumed)["parameters_sha256"] == expected["parameters_sha256"]
    assert np.array_equal(losses(resumed)[7:], losses(whole)[7:])


def test_embedding_learns_one_vector_for_each_class(workshop: Workshop, data: str) -> None:
    document = spec(
        data,
        "label",
        network=[
            {"name": "code", "type": "embedding", "units": 3, "input": "in"},
            {"name": "out", "type": "dense", "units": 4, "input": "code"},
        ],
        objective=[{"type": "cross_entropy_with_softmax", "output": "out", "target": "label"}],
        metrics=[{"type": "accuracy", "output": "out", "target": "label"}],
        learner={"type": "adam", "alpha": 0.1},
        training={"epochs": 20, "minibatch_size": 10},
    )
    result = workshop.train(workshop.job("classes", document))
    assert result["metrics"]["valid"]["accuracy"] == 1.0
    assert result["losses"]["valid"]["total"] < 0.05


def test_bytes_train_as_the_numbers_they_are(workshop: Workshop, data: str) -> None:
    results = {}
    for field in ("bytes", "numbers"):
        document = spec(
            data,
            inputs={"in": {"field": field, "standardize": True}},
            network=[
                {"name": "maps", "type": "convolution", "filters": 2, "filter_shape": [3, 3], "input": "in"},
                {"name": "out", "type": "dense", "units": 2, "input": "maps"},
            ],
        )
        results[field] = workshop.train(workshop.job(field, document))
    assert results["bytes"]["parameters_sha256"] == results["numbers"]["parameters_sha256"]
    assert results["bytes"]["metrics"] == results["numbers"]["metrics"]


def test_minibatch_larger_than_the_split_is_the_whole_split(workshop: Workshop, data: str) -> None:
    run = workshop.job("large", spec(data, training={"epochs": 3, "minibatch_size": 1000}))
    result = workshop.train(run)
    assert (result["step"], result["samples"]) == (3, 3 * ROWS)
    exact = workshop.job("exact", spec(data, training={"epochs": 3, "minibatch_size": ROWS}))
    assert workshop.train(exact)["parameters_sha256"] == result["parameters_sha256"]


def test_splits_of_one_row(workshop: Workshop) -> None:
    random = np.random.default_rng(1)
    one = workshop.dataset(
        "one",
        {"x": random.normal(size=(3, 6)), "y": random.normal(size=(3, 2))},
        {"train": np.array([2]), "valid": np.array([0]), "test": np.array([1])},
    )
    run = workshop.job("single", spec(one, training={"epochs": 4, "minibatch_size": 8}))
    result = workshop.train(run)
    assert (result["outcome"], result["step"], result["samples"]) == ("succeeded", 4, 4)
    assert set(result["losses"]) == {"train", "valid", "test"}
    assert result["losses"]["valid"]["total"] != result["losses"]["test"]["total"]
    normalizing = spec(
        one,
        network=[
            {"name": "even", "type": "batch_normalization", "input": "in"},
            {"name": "out", "type": "dense", "units": 2, "input": "even"},
        ],
    )
    with pytest.raises(InvalidInput, match="two to normalize by"):
        workshop.job("lonely", normalizing)


PATIENCE = 3


def stopping(data: str, **changes: Any) -> dict[str, Any]:
    """The rate is too small to better anything: only the first epoch is the best."""
    training = {"epochs": 30, "minibatch_size": 8, "early_stopping": {"patience": PATIENCE}}
    learner = {"type": "sgd", "learning_rate": 1e-30}
    return spec(data, learner=learner, training=training, checkpoints={"keep_last": 20}) | changes


def test_early_stopping_after_its_patience(workshop: Workshop, data: str) -> None:
    run = workshop.job("patient", stopping(data))
    result = workshop.train(run)
    assert (result["outcome"], result["reason"], result["epoch"]) == (
        "succeeded",
        "early_stopped",
        1 + PATIENCE,
    )
    assert result["best"]["epoch"] == 1
    (fact,) = of_type(run, "early_stopped")
    assert (fact["epoch"], fact["patience"]) == (1 + PATIENCE, PATIENCE)
    assert verify(run.checkpoint((1 + PATIENCE) * ROWS))["cause"] == "end"

    # In the middle of the patience it goes on counting where it stood.
    resumed = workshop.job("impatient", stopping(data), start=run, samples=3 * ROWS)
    again = workshop.train(resumed)
    assert (again["reason"], again["epoch"], again["best"]) == ("early_stopped", 1 + PATIENCE, result["best"])
    assert of_type(resumed, "restored")[0]["epoch"] == 3

    # Of the attempt itself only the result was lost: nothing is trained again.
    run.result.unlink()
    repeated = workshop.train(run, attempt=2)
    assert of_type(run, "epoch", attempt=2) == []
    for key in ("reason", "epoch", "step", "parameters_sha256", "losses", "metrics"):
        assert repeated[key] == result[key], key

    # A job that starts from it has its own patience to lose.
    longer = stopping(data)
    longer["training"]["early_stopping"] = {"patience": PATIENCE + 2}
    extended = workshop.job("extended", longer, start=run, samples=(1 + PATIENCE) * ROWS)
    assert workshop.train(extended)["epoch"] == 1 + PATIENCE + 2


def test_improvement_below_min_delta_is_none(workshop: Workshop, data: str) -> None:
    learning: dict[str, Any] = {"learner": {"type": "sgd", "learning_rate": 0.001}}
    plain = workshop.train(workshop.job("bettering", stopping(data, **learning)))
    assert (plain["reason"], plain["epoch"]) == ("completed", 30)
    demanding = stopping(data, **learning)
    demanding["training"]["early_stopping"]["min_delta"] = 100.0
    result = workshop.train(workshop.job("demanding", demanding))
    assert (result["reason"], result["epoch"]) == ("early_stopped", 1 + PATIENCE)


def test_evaluation_before_the_first_step_of_a_process(workshop: Workshop, data: str) -> None:
    """A convolution on one thread, restored at its end: CNTK has died of that."""
    document = spec(
        data,
        "bytes",
        network=[
            {"name": "maps", "type": "convolution", "filters": 2, "filter_shape": [3, 3], "input": "in"},
            {"name": "out", "type": "dense", "units": 2, "input": "maps"},
        ],
        learner={"type": "adam"},
        training={"epochs": 2, "minibatch_size": 8, "threads": 1},
    )
    run = workshop.job("evaluated", document)
    first = workshop.train(run)
    run.result.unlink()
    shutil.rmtree(run.artifacts)
    second = workshop.train(run, attempt=2)
    assert second["metrics"] == first["metrics"]
    assert second["parameters_sha256"] == first["parameters_sha256"]
