"""Exact resume: an interrupted run and an undisturbed one agree bit for bit."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest

from tests.trainer_runs import Workshop, facts, losses
from trainer.files import read_json
from trainer.layout import RunDirectory
from trainer.parts import learners

ROWS, MINIBATCH = 150, 16
"""Ten minibatches an epoch, the last one smaller."""

REGULARIZERS = {
    "dropout": {"type": "dropout", "rate": 0.4},
    "batch_normalization": {"type": "batch_normalization"},
}


@pytest.fixture(scope="module")
def data(workshop: Workshop) -> str:
    random = np.random.default_rng(3)
    features = random.normal(size=(200, 12)).astype(np.float32)
    label = (features[:, :3].argmax(axis=1)).astype(np.int64)
    weight = random.uniform(0.5, 2.0, size=(200, 1))
    return workshop.dataset(
        "blobs",
        {"features": features, "label": label, "weight": weight},
        {"train": np.arange(ROWS), "valid": np.arange(ROWS, 200)},
    )


def spec(data: str, learner: str, regularizer: str, **training: Any) -> dict[str, Any]:
    """A small network with all that must survive: random or running state, a moving rate, weights."""
    rate = learners[learner].facts["rate"]
    # AdaDelta's own rate is 1; the others' defaults are around 0.01.
    top = 1.0 if learner == "adadelta" else 0.01
    return {
        "dataset": data,
        "inputs": {"features": {"field": "features", "standardize": True}},
        "network": [
            {"name": "hidden", "type": "dense", "units": 16, "activation": "tanh", "input": "features"},
            {"name": "regular", "input": "hidden", **REGULARIZERS[regularizer]},
            {"name": "scores", "type": "dense", "units": 3, "input": "regular"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "label"}],
        "example_weight": "weight",
        "metrics": [{"type": "classification_error", "output": "scores", "target": "label"}],
        "learner": {"type": learner, rate: {"type": "cosine", "rate": top, "epochs": 4}},
        "training": {"epochs": 3, "minibatch_size": MINIBATCH, "seed": 7, **training},
        "checkpoints": {"every_epochs": 1, "every_minibatches": 14, "keep_last": 9},
    }


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("learner", [part.name for part in learners])
def test_resumed_run_ends_with_the_same_bits(
    workshop: Workshop, data: str, learner: str, regularizer: str
) -> None:
    name = f"{learner}_{regularizer}"
    document = spec(data, learner, regularizer)
    whole = workshop.job(name, document)
    reference = workshop.train(whole)
    checkpoints = {"mid-epoch": 14 * MINIBATCH - 10, "epoch end": 2 * ROWS}
    assert set(checkpoints.values()) <= set(whole.published_checkpoints())
    for place, samples in checkpoints.items():
        resumed = workshop.job(f"{name}_{samples}", document, start=whole, samples=samples)
        result = workshop.train(resumed)
        step = read_json(whole.checkpoint(samples).manifest)["step"]
        assert np.array_equal(losses(resumed)[step:], losses(whole)[step:]), place
        assert np.isnan(losses(resumed)[:step]).all()
        for key in ("parameters_sha256", "losses", "metrics", "step", "samples", "best"):
            assert result[key] == reference[key], (place, key)


def test_a_computed_order_goes_on_where_it_stood(workshop: Workshop, data: str) -> None:
    document = spec(data, "momentum", "dropout", permutation="computed")
    whole = workshop.job("computed", document)
    reference = workshop.train(whole)
    samples = 14 * MINIBATCH - 10
    resumed = workshop.job("computed_on", document, start=whole, samples=samples)
    assert workshop.train(resumed)["parameters_sha256"] == reference["parameters_sha256"]
    drawn = workshop.job("drawn", spec(data, "momentum", "dropout"))
    assert workshop.train(drawn)["parameters_sha256"] != reference["parameters_sha256"]
    assert not np.array_equal(losses(drawn)[1:9], losses(whole)[1:9])


@pytest.fixture(scope="module")
def undisturbed(workshop: Workshop, data: str) -> tuple[RunDirectory, dict[str, Any]]:
    """A longer run, to interrupt its equals."""
    run = workshop.job("undisturbed", spec(data, "adam", "dropout", epochs=40))
    return run, workshop.train(run)


def same(run: RunDirectory, reference: tuple[RunDirectory, dict[str, Any]]) -> None:
    result = read_json(run.result)
    assert result["outcome"] == "succeeded"
    assert result["parameters_sha256"] == reference[1]["parameters_sha256"]
    assert np.array_equal(losses(run), losses(reference[0]))


def restored_at(run: RunDirectory, attempt: int) -> dict[str, Any]:
    return next(fact for fact in facts(run, attempt) if fact["type"] == "restored")


def test_attempt_after_a_kill_resumes_from_the_newest_checkpoint(
    workshop: Workshop, data: str, undisturbed: tuple[RunDirectory, dict[str, Any]]
) -> None:
    run = workshop.job("killed", spec(data, "adam", "dropout", epochs=40))
    status = workshop.interrupt(run, 1, signal.SIGKILL, after="checkpoint")
    assert status == -signal.SIGKILL
    assert not run.result.exists()
    workshop.train(run, attempt=2)
    assert restored_at(run, 2)["from"] == "checkpoint"
    assert restored_at(run, 2)["step"] > 0
    same(run, undisturbed)


def test_terminated_attempt_saves_and_leaves(
    workshop: Workshop, data: str, undisturbed: tuple[RunDirectory, dict[str, Any]]
) -> None:
    run = workshop.job(
        "stopped", spec(data, "adam", "dropout", epochs=40) | {"checkpoints": {"keep_last": 3}}
    )
    status = workshop.interrupt(run, 1, signal.SIGTERM, after="first_minibatch")
    assert status == 75
    assert not run.result.exists()
    saved = [fact for fact in facts(run) if fact["type"] == "checkpoint"][-1]
    assert saved["cause"] == "stop"
    workshop.train(run, attempt=2)
    assert restored_at(run, 2)["step"] == saved["step"]
    same(run, undisturbed)


def damage_bit(run: RunDirectory, samples: int) -> str:
    model = run.checkpoint(samples).model
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    return "model.dnn differs"


def damage_length(run: RunDirectory, samples: int) -> str:
    learner = run.checkpoint(samples).learners
    learner.write_bytes(learner.read_bytes()[:-7])
    return "model.dnn.ckp holds"


def damage_presence(run: RunDirectory, samples: int) -> str:
    run.checkpoint(samples).loop.unlink()
    return "loop.json is missing"


def damage_manifest(run: RunDirectory, samples: int) -> str:
    manifest = run.checkpoint(samples).manifest
    manifest.write_text(manifest.read_text().replace('"epoch": ', '"epoch": 1'))
    return "manifest.json was changed"


@pytest.mark.parametrize("damage", [damage_bit, damage_length, damage_presence, damage_manifest])
def test_damaged_checkpoint_is_named_and_the_one_before_it_used(
    workshop: Workshop, data: str, undisturbed: tuple[RunDirectory, dict[str, Any]], damage: Any
) -> None:
    run = workshop.job(damage.__name__, spec(data, "adam", "dropout", epochs=40))
    attempt = 0
    while len(run.published_checkpoints()) < 2:
        attempt += 1
        workshop.interrupt(run, attempt, signal.SIGKILL, after="checkpoint")
    published = run.published_checkpoints()
    expected = damage(run, published[-1])
    workshop.train(run, attempt + 1)
    skipped = [fact for fact in facts(run, attempt + 1) if fact["type"] == "checkpoint_skipped"]
    assert skipped[0]["samples"] == published[-1]
    assert expected in skipped[0]["detail"]
    assert restored_at(run, attempt + 1)["samples"] == published[-2]
    same(run, undisturbed)


def test_extended_run_equals_one_planned_longer(workshop: Workshop, data: str) -> None:
    short = workshop.job("short", spec(data, "adam", "batch_normalization", epochs=2))
    workshop.train(short)
    long = workshop.job("long", spec(data, "adam", "batch_normalization", epochs=4))
    extended = workshop.job(
        "extended", spec(data, "adam", "batch_normalization", epochs=4), start=short, samples=2 * ROWS
    )
    assert workshop.train(extended)["parameters_sha256"] == workshop.train(long)["parameters_sha256"]


def test_weights_mode_takes_the_weights_and_a_fresh_learner(workshop: Workshop, data: str) -> None:
    teacher = workshop.job("teacher", spec(data, "adam", "batch_normalization"))
    workshop.train(teacher)
    document = spec(data, "sgd", "batch_normalization", epochs=1)
    document["learner"] = {"type": "sgd", "learning_rate": 1e-12}
    document["start_from"] = {"job": teacher.path.name, "checkpoint": 3 * ROWS, "mode": "weights"}
    pupil = workshop.job("pupil", document, start=teacher, samples=3 * ROWS)
    result = workshop.train(pupil)
    assert result["step"] == 10
    # The rate is too small to move anything: the classes are told apart by the teacher's weights.
    fresh = workshop.train(workshop.job("fresh", {k: v for k, v in document.items() if k != "start_from"}))
    taught = result["losses"]["valid"]["total_unweighted"]
    assert taught < 0.6 * fresh["losses"]["valid"]["total_unweighted"]
    reference = read_json(teacher.result)["losses"]["valid"]["total_unweighted"]
    # Batch normalization's running statistics moved on over the pupil's epoch.
    assert taught == pytest.approx(reference, rel=0.05)


def test_retention_keeps_last_best_and_pinned(workshop: Workshop, data: str) -> None:
    document = spec(data, "adam", "dropout", epochs=12)
    document["checkpoints"] = {"every_epochs": 1, "keep_last": 2, "keep_best": 1}
    run = workshop.job("retained", document)
    workshop.interrupt(run, 1, signal.SIGTERM, after="checkpoint")
    pinned = run.published_checkpoints()[0]
    run.checkpoint(pinned).pinned.touch()
    result = workshop.train(run, attempt=2)
    assert set(run.published_checkpoints()) == {pinned, result["best"]["samples"], 11 * ROWS, 12 * ROWS}


def test_retention_by_bytes_keeps_the_newest_and_the_best_before_others(
    workshop: Workshop, data: str
) -> None:
    document = spec(data, "adam", "dropout", epochs=6)
    document["checkpoints"] = {"every_epochs": 1, "keep_last": 5, "keep_best": 1}
    size = checkpoint_bytes(workshop, "sized", document)
    document["checkpoints"] |= {"keep_bytes": int(2.5 * size)}
    run = workshop.job("by_bytes", document)
    best = workshop.train(run)["best"]["samples"]
    newest = 6 * ROWS
    assert run.published_checkpoints() == sorted({best, newest} if best != newest else {5 * ROWS, newest})
    document["checkpoints"] |= {"keep_bytes": 1}
    run = workshop.job("too_large", document)
    workshop.train(run)
    assert run.published_checkpoints() == [newest]


def checkpoint_bytes(workshop: Workshop, name: str, document: dict[str, Any]) -> int:
    run = workshop.job(name, document)
    workshop.train(run)
    files = read_json(run.checkpoint(run.published_checkpoints()[-1]).manifest)["files"]
    return sum(int(entry["size"]) for entry in files.values())


def test_attempt_that_finds_the_training_done_only_reports(
    workshop: Workshop, data: str, undisturbed: tuple[RunDirectory, dict[str, Any]]
) -> None:
    run = workshop.job("reported_twice", spec(data, "adam", "dropout", epochs=40))
    workshop.train(run)
    run.result.unlink()
    workshop.train(run, attempt=2)
    assert not [fact for fact in facts(run, 2) if fact["type"] in ("epoch", "checkpoint")]
    same(run, undisturbed)
