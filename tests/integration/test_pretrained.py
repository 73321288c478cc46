"""Layers that are parts of base models, on real CNTK: what stays, what is learned, what is cached."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from jobs.errors import Conflict
from jobs.imports import ModelOfJob, of_job
from jobs.specs.normalise import normalise
from tests.bases import PREPROCESSING, base_model
from tests.integration.test_evaluate import Laboratory
from tests.trainer_runs import Workshop, facts, losses
from tests.trainer_scripts import in_trainer
from tests.valkey_server import ValkeyServer
from trainer.files import read_json

ROWS, TRAIN, MINIBATCH = 84, 60, 8
SPLITS = {"train": np.arange(TRAIN), "valid": np.arange(TRAIN, 76), "test": np.arange(76, ROWS)}
FREEZING = ("all", "conv1", "none")


@pytest.fixture(scope="module")
def columns() -> dict[str, np.ndarray]:
    """Images of two classes, which differ in their colours."""
    random = np.random.default_rng(2)
    classes = np.arange(ROWS) % 2
    image = random.integers(0, 200, size=(ROWS, 3, 12, 12))
    image[:, 0] += 25 * classes[:, None, None]
    return {"image": image.astype(np.uint8), "class": classes}


@pytest.fixture(scope="module")
def dataset(workshop: Workshop, columns: dict[str, np.ndarray]) -> str:
    return workshop.dataset("coloured", columns, SPLITS)


@pytest.fixture(scope="module")
def model(workshop: Workshop) -> str:
    return base_model(workshop)


def spec(dataset: str, model: str, freeze: str = "all", last: str = "pool2", **beside: Any) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "recipe": {
            "type": "transfer_classifier",
            "model": model,
            "last_hidden_node": last,
            "freeze": freeze,
            **beside.pop("recipe", {}),
        },
        "training": {"epochs": 3, "minibatch_size": MINIBATCH, "seed": 3},
        "learner": {"type": "adam", "alpha": 0.01},
        "checkpoints": {"every_minibatches": 12, "keep_last": 9},
        **beside,
    }


@pytest.mark.parametrize("freeze", FREEZING)
def test_interrupted_run_ends_with_the_same_bits(
    workshop: Workshop, dataset: str, model: str, freeze: str
) -> None:
    """Also of dropout and of batch normalization's running statistics in what is learned."""
    document = spec(dataset, model, freeze, last="drop2")
    whole = workshop.job(f"whole_{freeze}", document)
    reference = workshop.train(whole)
    assert reference["outcome"] == "succeeded", reference
    assert read_json(whole.spec)["cached"] == (["pooled"] if freeze == "all" else [])
    resumed = workshop.job(f"resumed_{freeze}", document, start=whole, samples=TRAIN + 4 * MINIBATCH)
    result = workshop.train(resumed)
    assert np.array_equal(losses(resumed)[12:], losses(whole)[12:])
    for key in ("parameters_sha256", "losses", "metrics", "best"):
        assert result[key] == reference[key], key


@pytest.mark.parametrize("freeze", FREEZING)
def test_killed_and_started_again_it_ends_with_the_same_bits(
    workshop: Workshop, dataset: str, model: str, freeze: str
) -> None:
    document = spec(dataset, model, freeze)
    document["training"] = {**document["training"], "epochs": 20}
    whole = workshop.job(f"undisturbed_{freeze}", document)
    reference = workshop.train(whole)
    killed = workshop.job(f"killed_{freeze}", document)
    assert workshop.interrupt(killed, 1, signal.SIGKILL, after="checkpoint") == -signal.SIGKILL
    # The features have to be made again, too.
    shutil.rmtree(workshop.volume.features, ignore_errors=True)
    result = workshop.train(killed, attempt=2)
    assert np.array_equal(losses(killed), losses(whole))
    assert result["parameters_sha256"] == reference["parameters_sha256"]


def said(workshop: Workshop, path: Path, node: str, images: np.ndarray) -> np.ndarray:
    """What a node of a model says of images, (images, elements), by the model alone."""
    feed = {"image": images[:, None].tolist()}
    asked = {"model": str(path), "outputs": [node], "feed": feed}
    found = np.array(in_trainer(workshop.environment, "finished", asked)[node])
    return found.reshape(len(images), -1)


def test_with_the_cache_and_without_it_trains_the_same(
    workshop: Workshop, dataset: str, model: str, columns: dict[str, np.ndarray]
) -> None:
    """The finished model takes images, whatever the training has read."""
    shutil.rmtree(workshop.volume.features, ignore_errors=True)
    cached = workshop.job("cached", spec(dataset, model))
    plain = workshop.job("plain", spec(dataset, model, cached=[]))
    results = [workshop.train(run) for run in (cached, plain)]
    np.testing.assert_allclose(losses(cached), losses(plain), rtol=1e-5)
    for split in ("train", "valid", "test"):
        one, other = (result["losses"][split]["total"] for result in results)
        assert one == pytest.approx(other, rel=1e-5)
    images = columns["image"][SPLITS["test"]]
    one, other = (
        said(workshop, run.artifacts / "model.dnn", "prediction", images) for run in (cached, plain)
    )
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert [fact["nodes"] for fact in facts(cached) if fact["type"] == "features"] == [["pooled"]]
    again = workshop.job("again", spec(dataset, model))
    assert workshop.train(again)["parameters_sha256"] == results[0]["parameters_sha256"]
    assert not [fact for fact in facts(again) if fact["type"] == "features"]


def test_features_are_those_of_the_base_and_classified_as_scikit_learn_does(
    workshop: Workshop, dataset: str, model: str, columns: dict[str, np.ndarray]
) -> None:
    """Images in the model's order of colours, less its shift, times its scale, through a frozen network."""
    shutil.rmtree(workshop.volume.features, ignore_errors=True)
    document = spec(dataset, model)
    document["learner"] = {"type": "adam", "alpha": 0.02, "l2": 0.01}
    document["training"] = {"epochs": 300, "minibatch_size": TRAIN, "seed": 1}
    document["checkpoints"] = {"every_epochs": 300}
    run = workshop.job("regressed", document)
    result = workshop.train(run)
    (folder,) = workshop.volume.features.iterdir()
    found = np.load(folder / "values.npy").reshape(ROWS, -1)
    images = columns["image"][:, ::-1].astype(np.float64)
    images = (images - np.reshape(PREPROCESSING["shift"], (3, 1, 1))) * PREPROCESSING["scale"]
    pooled = said(workshop, workshop.volume.model(model).model, "pool2", images)
    np.testing.assert_allclose(found, pooled.reshape(ROWS, 4, -1).mean(axis=2), rtol=1e-4, atol=1e-5)
    # The l2 of CNTK is on weights and biases, each step's gradient plus l2 times the value.
    train = SPLITS["train"]
    rows = np.hstack([found, np.ones((ROWS, 1))])
    reference = LogisticRegression(C=1 / (0.01 / 2 * TRAIN), fit_intercept=False, max_iter=10_000, tol=1e-10)
    reference.fit(rows[train], columns["class"][train])
    for split in ("train", "valid"):
        probabilities = reference.predict_proba(rows[SPLITS[split]])
        loss = -np.log(probabilities[np.arange(len(probabilities)), columns["class"][SPLITS[split]]]).mean()
        assert result["losses"][split]["total"] == pytest.approx(loss, rel=2e-2), split
        errors = (probabilities.argmax(1) != columns["class"][SPLITS[split]]).mean()
        assert result["metrics"][split]["classification_error"] == pytest.approx(errors, abs=0.02)


def two_parts(dataset: str, model: str, epochs: int, **beside: Any) -> dict[str, Any]:
    """A frozen part with batch normalization, and behind it one that is learned."""
    return {
        "dataset": dataset,
        "inputs": {"image": {"field": "image", "scale": 0.01}},
        "network": [
            {"name": "low", "type": "pretrained", "input": "image", "model": model, "last": "conv1"},
            {
                "name": "high",
                "type": "pretrained",
                "input": "low",
                "model": model,
                "first": "conv1",
                "last": "pool2",
                "freeze": "none",
            },
            {"name": "scores", "type": "dense", "units": 2, "input": "high"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "class"}],
        "learner": {"type": "sgd", "learning_rate": 0.01},
        "training": {"epochs": epochs, "minibatch_size": 16},
        "keep": {"values": ["low", "high"]},
        "cached": [],
        **beside,
    }


def test_what_is_frozen_stays_to_the_bit_and_the_rest_does_not(
    workshop: Workshop, dataset: str, model: str, columns: dict[str, np.ndarray]
) -> None:
    kept = []
    for epochs in (1, 3):
        run = workshop.job(f"two_parts_{epochs}", two_parts(dataset, model, epochs))
        assert workshop.train(run)["outcome"] == "succeeded", read_json(run.result)
        kept.append({name: np.load(run.artifacts / f"{name}.npy") for name in ("low", "high")})
    assert np.array_equal(kept[0]["low"], kept[1]["low"])
    assert not np.allclose(kept[0]["high"], kept[1]["high"])
    images = columns["image"][SPLITS["test"]] * 0.01
    base = said(workshop, workshop.volume.model(model).model, "conv1", images)
    np.testing.assert_allclose(kept[1]["low"].reshape(base.shape), base, rtol=1e-4, atol=1e-5)


def test_images_of_another_size_make_what_was_planned(workshop: Workshop, model: str) -> None:
    random = np.random.default_rng(3)
    larger = {
        "image": random.integers(0, 255, size=(40, 3, 17, 14)).astype(np.uint8),
        "class": np.arange(40) % 2,
    }
    dataset = workshop.dataset("larger", larger, {"train": np.arange(30), "valid": np.arange(30, 40)})
    document = two_parts(dataset, model, 1)
    planned = normalise(document, workshop.volume, workshop.settings).estimate["layers"]
    run = workshop.job("larger", document)
    assert workshop.train(run)["outcome"] == "succeeded", read_json(run.result)
    for layer in planned[:2]:
        assert [10, *layer["shape"]] == list(np.load(run.artifacts / f"{layer['name']}.npy").shape)


def test_a_deleted_model_harms_no_job(
    workshop: Workshop, dataset: str, columns: dict[str, np.ndarray], valkey: ValkeyServer
) -> None:
    """Nor its evaluation, nor a job that goes on from its weights with all of the model."""
    laboratory = Laboratory(workshop, valkey.url)
    doomed = base_model(workshop, 2)
    job = laboratory.trained(spec(dataset, doomed))
    shutil.rmtree(workshop.volume.model(doomed).path)
    run = laboratory.evaluated(job)
    assert read_json(run.result)["metrics"] == {
        "test": read_json(laboratory.run(job).result)["metrics"]["test"]
    }
    start = {"job": job, "checkpoint": "latest", "mode": "weights"}
    unfrozen = laboratory.run(laboratory.trained(two_phase(spec(dataset, doomed, "none"), start)))
    assert losses(unfrozen)[0] < losses(laboratory.run(job))[0]


def two_phase(document: dict[str, Any], start: dict[str, Any]) -> dict[str, Any]:
    """The plain spec of a recipe's, since its model is gone."""
    recipe = document.pop("recipe")
    network = [
        {
            "name": "base",
            "type": "pretrained",
            "input": "image",
            "model": recipe["model"],
            "last": recipe["last_hidden_node"],
            "freeze": recipe["freeze"],
        },
        {"name": "pooled", "type": "global_average_pooling", "input": "base"},
        {"name": "prediction", "type": "dense", "units": 2, "input": "pooled"},
    ]
    return {
        **document,
        "inputs": {"image": {"field": "image", **PREPROCESSING}},
        "network": network,
        "objective": [{"type": "cross_entropy_with_softmax", "output": "prediction", "target": "class"}],
        "start_from": start,
    }


def test_a_feature_file_that_is_not_as_it_was_is_made_again(
    workshop: Workshop, dataset: str, model: str
) -> None:
    document = spec(dataset, model)
    first = workshop.train(workshop.job("sound", document))
    for folder in workshop.volume.features.iterdir():
        values = bytearray((folder / "values.npy").read_bytes())
        values[-1] ^= 1
        (folder / "values.npy").write_bytes(values)
    run = workshop.job("flipped", document)
    assert workshop.train(run)["parameters_sha256"] == first["parameters_sha256"]
    assert [fact for fact in facts(run) if fact["type"] == "features"]


def test_jobs_that_compute_the_same_features_at_once_end_alike(
    workshop: Workshop, dataset: str, model: str
) -> None:
    """One of them is killed in the middle of it, and started again."""
    document = spec(dataset, model)
    alone = workshop.train(workshop.job("alone", document))["parameters_sha256"]
    shutil.rmtree(workshop.volume.features)
    runs = [workshop.job(f"at_once_{number}", document) for number in range(2)]
    processes = [workshop.start(run) for run in runs]
    for process in processes:
        assert process.wait(timeout=120) == 0
    assert [read_json(run.result)["parameters_sha256"] for run in runs] == [alone, alone]
    shutil.rmtree(workshop.volume.features)
    killed = workshop.job("killed_at_it", document)
    workshop.interrupt(killed, 1, signal.SIGKILL, after="progress")
    assert workshop.train(killed, 2)["parameters_sha256"] == alone
    assert len(list(workshop.volume.features.iterdir())) == 1


def test_a_base_model_that_was_changed_is_not_trained_on(
    workshop: Workshop, dataset: str, model: str
) -> None:
    run = workshop.job("changed", spec(dataset, model))
    file = run.base(model)
    data = bytearray(file.read_bytes())
    file.unlink()
    data[-9] ^= 1
    file.write_bytes(data)
    shutil.rmtree(workshop.volume.features, ignore_errors=True)
    result = workshop.train(run)
    assert (result["outcome"], result["reason"]) == ("failed", "trainer_error")
    assert "SHA-256" in result["detail"]


def test_a_checkpoint_behind_cached_features_is_no_base_model(
    workshop: Workshop, dataset: str, model: str, valkey: ValkeyServer, tmp_path: Path
) -> None:
    """It lacks the network that made them; the finished model has it."""
    job = Laboratory(workshop, valkey.url).trained(spec(dataset, model))
    with pytest.raises(Conflict, match="the finished model is whole"):
        of_job(ModelOfJob(job=job, checkpoint="latest"), workshop.volume, tmp_path)
    assert of_job(ModelOfJob(job=job), workshop.volume, tmp_path).source.job == job
