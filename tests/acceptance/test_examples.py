"""Every example is submitted as it stands, with a small budget, and trains; some reach known figures."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client import Client
from examples import shapes
from tests.acceptance.example_data import EXAMPLES, ready_to_submit
from tests.running_service import ROOT

ROWS = 600


def test_every_example_is_tried_and_described() -> None:
    folder = ROOT / "examples"
    assert {path.name for path in folder.glob("*.json")} == set(EXAMPLES)
    assert {path.name for path in (folder / "options").iterdir()} == {name for name, _ in EXAMPLES.values()}
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_trains(
    client: Client, tmp_path: Path, test_data: Callable[[str], Path], name: str
) -> None:
    spec = ready_to_submit(client, name, test_data, tmp_path, ROWS)
    spec["training"] |= {"epochs": 2}
    job = client.jobs.wait(client.jobs.submit(spec)["id"], timeout=300)
    assert job["status"] == "succeeded", (job["reason"], job["detail"])
    assert set(job["metrics"]) >= {"train", "valid"}


@pytest.mark.parametrize(
    ("name", "split", "limit"),
    [
        # Within 10 epochs; CNTK's own test of such a network: 0.0226 after 10 epochs of 5,000 digits.
        ("mnist_conv.json", "valid", 0.020),
        # adult.names: C4.5 0.1554, C4.5 rules 0.1494, naive Bayes 0.1612.
        ("adult_dense.json", "test", 0.150),
    ],
)
def test_an_example_reaches_its_figure(
    client: Client, tmp_path: Path, test_data: Callable[[str], Path], name: str, split: str, limit: float
) -> None:
    spec = ready_to_submit(client, name, test_data, tmp_path)
    job = client.jobs.wait(client.jobs.submit(spec)["id"], timeout=900)
    assert job["status"] == "succeeded", (job["reason"], job["detail"])
    error = job["metrics"][split]["classification_error"]
    assert error is not None
    assert error <= limit


def finished(client: Client, spec: dict[str, Any]) -> dict[str, float]:
    """The metrics of a job on its test split."""
    job = client.jobs.wait(client.jobs.submit(spec)["id"], timeout=900)
    assert job["status"] == "succeeded", (job["reason"], job["detail"])
    return {name: value for name, value in job["metrics"]["test"].items() if value is not None}


@pytest.mark.parametrize(
    ("recipe", "limit"),
    # CNTK's article, of 10,000 test images after three epochs of 60,000.
    [({}, 0.223), ({"maps": [3]}, 0.196), ({"pooling": [2]}, 0.131)],
    ids=["as it stands", "three maps", "pooling of two"],
)
def test_an_autoencoder_reaches_the_article(
    client: Client, tmp_path: Path, test_data: Callable[[str], Path], recipe: dict[str, Any], limit: float
) -> None:
    spec = ready_to_submit(client, "mnist_autoencoder.json", test_data, tmp_path)
    spec["recipe"] |= recipe
    job = client.jobs.wait(client.jobs.submit(spec)["id"], timeout=900)
    assert job["status"] == "succeeded", (job["reason"], job["detail"])
    assert job["metrics"]["valid"]["mean_image_rmse"] <= limit
    assert job["metrics"]["train"]["mean_image_rmse"] <= limit + 0.01


def test_an_autoencoder_leaves_codes_and_a_picture(
    client: Client, tmp_path: Path, test_data: Callable[[str], Path]
) -> None:
    spec = ready_to_submit(client, "digits_autoencoder.json", test_data, tmp_path)
    job = client.jobs.wait(client.jobs.submit(spec)["id"], timeout=300)
    assert job["status"] == "succeeded", (job["reason"], job["detail"])
    codes = np.load(io.BytesIO(client.jobs.artifact(job["id"], "code.npy")))
    predictions = client.jobs.artifact(job["id"], "predictions.jsonl").splitlines()
    assert codes.shape == (len(predictions), 2, 4, 4)
    assert client.jobs.artifact(job["id"], "pictures.png").startswith(b"\x89PNG")
    # The mean of all images in each one's stead leaves 0.27.
    assert job["metrics"]["test"]["mean_image_rmse"] <= 0.24


def test_a_detector_finds_shapes(client: Client, tmp_path: Path, test_data: Callable[[str], Path]) -> None:
    spec = ready_to_submit(client, "shapes_detector.json", test_data, tmp_path)
    job = client.jobs.wait(client.jobs.submit(spec)["id"], timeout=300)
    assert job["status"] == "succeeded", (job["reason"], job["detail"])
    assert (job["metrics"]["test"]["map_50"] or 0) >= 0.90
    found = json.loads(client.jobs.artifact(job["id"], "detections.json"))
    assert [category["name"] for category in found["categories"]] == list(shapes.KINDS)
    assert len(found["images"]) == shapes.COUNTS["test"]
    for name in ("detections.png", "detections_before.png", "precision_recall.png"):
        assert client.jobs.artifact(job["id"], name).startswith(b"\x89PNG"), name


def test_what_was_learned_of_shapes_tells_other_ones(
    client: Client, tmp_path: Path, test_data: Callable[[str], Path]
) -> None:
    spec = ready_to_submit(client, "shapes_transfer.json", test_data, tmp_path)
    assert finished(client, spec)["classification_error"] <= 0.1


@pytest.mark.parametrize("name", ["emotions_multilabel.json", "yeast_multilabel.json"])
def test_several_labels_are_told(
    client: Client, tmp_path: Path, test_data: Callable[[str], Path], name: str
) -> None:
    found = finished(client, ready_to_submit(client, name, test_data, tmp_path))
    # Logistic regressions of each label: a Hamming loss of 0.207 on both.
    assert found["hamming_loss"] <= 0.200
    assert found["micro_f1"] >= 0.65


def test_balanced_class_weights_balance(
    client: Client, tmp_path: Path, test_data: Callable[[str], Path]
) -> None:
    spec = ready_to_submit(client, "adult_balanced.json", test_data, tmp_path)
    balanced = finished(client, spec)["balanced_accuracy"]
    del spec["recipe"]["class_weights"]
    assert balanced >= finished(client, spec)["balanced_accuracy"] + 0.05


def test_two_targets_of_one_network_are_no_worse_than_alone(
    client: Client, tmp_path: Path, test_data: Callable[[str], Path]
) -> None:
    spec = ready_to_submit(client, "energy_targets.json", test_data, tmp_path)
    together = finished(client, spec)
    for target in spec["recipe"]["targets"]:
        alone = finished(client, spec | {"recipe": spec["recipe"] | {"targets": [target]}})
        assert together[f"rmse_{target}"] <= alone[f"rmse_{target}"]


def test_sentences_are_compared(client: Client, tmp_path: Path, test_data: Callable[[str], Path]) -> None:
    # From scratch; the cosine of TF-IDF vectors: 0.659, a tower of mean embeddings: 0.63.
    assert (
        finished(client, ready_to_submit(client, "sts_towers.json", test_data, tmp_path))["pearson"] >= 0.64
    )


def test_slots_and_intents_are_told(client: Client, tmp_path: Path, test_data: Callable[[str], Path]) -> None:
    found = finished(client, ready_to_submit(client, "atis_slot_and_intent.json", test_data, tmp_path))
    # CNTK's tutorial: 2.92% of 10,984 tokens, and 4.14% of 893 sentences.
    assert found["slot_error"] <= 0.0292
    assert found["intent_error"] <= 0.0414
