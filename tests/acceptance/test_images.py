"""Images over HTTP: drawn and packed here, uploaded as an archive, trained on by real CNTK."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from client import Client, JobsApiError
from client.command import OK, main
from client.documents import Dataset, Job
from tests.image_archives import encoded, tarred, zipped
from tests.running_service import RunningService

SPEC: dict[str, Any] = {
    "name": "shapes",
    "inputs": {"image": {"field": "image", "scale": 1 / 256}},
    "network": [
        {
            "name": "edges",
            "type": "convolution",
            "filters": 8,
            "filter_shape": [3, 3],
            "activation": "relu",
            "input": "image",
        },
        {"name": "pooled", "type": "max_pooling", "window": [2, 2], "input": "edges"},
        {
            "name": "corners",
            "type": "convolution",
            "filters": 8,
            "filter_shape": [3, 3],
            "activation": "relu",
            "input": "pooled",
        },
        {"name": "code", "type": "max_pooling", "window": [2, 2], "input": "corners"},
        {"name": "scores", "type": "dense", "units": 2, "input": "code"},
    ],
    "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "class"}],
    "metrics": [{"type": "classification_error", "output": "scores", "target": "class"}],
    "learner": {"type": "adam", "alpha": 0.01},
    "training": {"epochs": 10, "minibatch_size": 16, "seed": 1},
}


def drawn(kind: str, random: np.random.RandomState) -> Image.Image:
    """A disc or a square of some colour, on paper of some size and another colour."""
    width, height = random.randint(40, 60, 2).tolist()
    dark, light = random.randint(0, 100, 3).tolist(), random.randint(150, 256, 3).tolist()
    image = Image.new("RGB", (width, height), tuple(dark))
    side = random.randint(min(width, height) * 7 // 10, min(width, height))
    left, top = random.randint(0, width - side), random.randint(0, height - side)
    draw = ImageDraw.Draw(image)
    (draw.ellipse if kind == "disc" else draw.rectangle)(
        (left, top, left + side, top + side), fill=tuple(light)
    )
    return image


@pytest.fixture(scope="module")
def shapes(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    random = np.random.RandomState(7)
    files: dict[str, bytes | str] = {}
    for split, count in (("train", 150), ("val", 12), ("test", 24)):
        for kind in ("disc", "square"):
            for number in range(count):
                image = drawn(kind, random)
                mode, form = ("L", "PNG") if number % 5 == 1 else ("RGB", "JPEG" if number % 2 else "PNG")
                name = f"shapes/{split}/{kind}/{number}.{form.lower()}"
                files[name] = encoded(image.convert(mode), form)
    for number in range(6):
        files[f"shapes/test/{number}.png"] = encoded(drawn("disc" if number < 3 else "square", random))
    files["shapes/train/disc/notes.jpg"] = "no image"
    path = tmp_path_factory.mktemp("shapes") / "shapes.zip"
    path.write_bytes(zipped(files))
    return client.datasets.add(path, images={"size": 28, "fit": "letterbox"})


@pytest.fixture(scope="module")
def trained(client: Client, shapes: Dataset) -> Job:
    return ended(client, client.jobs.submit({**SPEC, "dataset": shapes["id"]}))


def ended(client: Client, job: Job) -> Job:
    found = client.jobs.wait(job["id"], timeout=300)
    assert found["status"] == "succeeded", (found["reason"], found["detail"])
    return found


def by_name(client: Client, job: Job) -> list[dict[str, Any]]:
    lines = client.jobs.artifact(job["id"], "image_predictions.jsonl").splitlines()
    return [json.loads(line) for line in lines]


def predictions(client: Client, job: Job) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.jobs.artifact(job["id"], "predictions.jsonl").splitlines()]


def test_an_archive_becomes_a_data_set(shapes: Dataset) -> None:
    assert {name: split["rows"] for name, split in shapes["splits"].items()} == {
        "train": 300,
        "valid": 24,
        "test": 48,
        "unlabelled": 6,
    }
    image = shapes["fields"]["image"]
    assert (image["shape"], image["dtype"]) == ([3, 28, 28], "uint8")
    assert [bad["path"] for bad in image["images"]["bad"]] == ["shapes/train/disc/notes.jpg"]
    assert shapes["fields"]["class"]["classes"] == ["disc", "square"]


def test_a_network_learns_from_it(client: Client, trained: Job) -> None:
    error = trained["metrics"]["test"]["classification_error"]
    assert error is not None
    assert error <= 0.15
    assert len(predictions(client, trained)) == 48
    assert client.jobs.artifact(trained["id"], "confusion.png").startswith(b"\x89PNG")
    if error > 0:
        assert client.jobs.artifact(trained["id"], "mistakes.png").startswith(b"\x89PNG")


def test_images_are_told_by_their_names(client: Client, trained: Job) -> None:
    told = by_name(client, trained)
    assert len(told) == 48
    for line in told:
        assert line["image"].startswith(f"shapes/test/{line['class']}/")
        assert set(line["predictions"]) == {"disc", "square"}


def test_images_without_a_class_are_predicted(client: Client, trained: Job) -> None:
    job = ended(client, client.jobs.evaluate(trained["id"], split="unlabelled"))
    told = predictions(client, job)
    assert all("true" not in row["scores"] for row in told)
    assert [row["scores"]["predicted"] for row in told].count("disc") in (2, 3, 4)
    named = [(line["class"], line["image"]) for line in by_name(client, job)]
    assert sorted(named) == [("unknown", f"shapes/test/{number}.png") for number in range(6)]
    assert job["metrics"] == {}


def test_new_images_like_those(client: Client, shapes: Dataset, trained: Job, tmp_path: Path) -> None:
    random = np.random.RandomState(8)
    path = tmp_path / "new.tar.gz"
    path.write_bytes(tarred({f"{number}.png": encoded(drawn("disc", random)) for number in range(9)}, "w:gz"))
    new = client.datasets.add(path, like=shapes["id"])
    assert list(new["fields"]) == ["image"]
    told = predictions(client, ended(client, client.jobs.evaluate(trained["id"], dataset=new["id"])))
    assert [row["scores"]["predicted"] for row in told].count("disc") >= 7


def test_the_command_says_what_is_left_out(
    service: RunningService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.zip"
    path.write_bytes(zipped({"a/1.png": encoded(Image.new("RGB", (4, 4))), "a/2.png": "no image"}))
    assert main(["--url", service.url, "datasets", "add", str(path)]) == OK
    printed = capsys.readouterr()
    assert printed.out.startswith("ds_")
    assert "left out: 'a/2.png' is no image" in printed.err


def test_what_is_refused_says_where(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    path.write_bytes(zipped({"a/1.png": encoded(Image.new("RGB", (4, 4))), "../2.png": b""}))
    with pytest.raises(JobsApiError) as caught:
        client.datasets.add(path)
    assert caught.value.status == 422
    assert [error["code"] for error in caught.value.errors] == ["unsafe_path"]
