"""What is told of images: predictions by their names, and the mistakes a classifier was surest of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.store import Upload, ingest
from tests.image_archives import png, zipped
from tests.integration.test_evaluate import Laboratory
from tests.trainer_runs import Workshop
from tests.valkey_server import ValkeyServer
from trainer.files import read_json, write_json
from trainer.layout import RunDirectory

ROWS, TRAIN = 150, 40
TEST = np.arange(TRAIN, ROWS)[::-1]
CLASSES = ["cat", "dog", "$fish_1"]

Document = dict[str, Any]


def columns(kind: str = "uint8") -> dict[str, np.ndarray]:
    """Noisy images whose brightest channel is their class, most of the time."""
    random = np.random.default_rng(3)
    label = np.arange(ROWS) % 3
    image = random.integers(0, 150, size=(ROWS, 3, 6, 5))
    image[np.arange(ROWS), label] += 10
    if kind == "float32":
        return {"image": image.astype(np.float32) / 100 - 0.5, "kind": label}
    return {"image": image.astype(np.uint8), "kind": label}


def named(workshop: Workshop, dataset: str) -> str:
    """The data set with names of images and classes, as an archive of images brings them."""
    folder = workshop.volume.dataset(dataset)
    schema = read_json(folder.schema)
    schema["fields"]["image"]["images"] = {
        "channels": "rgb",
        "size": [6, 5],
        "fit": "resize",
        "names": "image_names.txt",
    }
    if "kind" in schema["fields"]:
        schema["fields"]["kind"]["classes"] = CLASSES
    names = "".join(json.dumps(name_of(row)) + "\n" for row in range(schema["rows"]))
    folder.file("image_names.txt").write_text(names, encoding="utf-8")
    write_json(folder.schema, schema)
    return dataset


def name_of(row: int) -> str:
    return f"test/ein schönes Bild {row}.jpg"


@pytest.fixture(scope="module")
def dataset(workshop: Workshop) -> str:
    return named(workshop, workshop.dataset("animals", columns(), {"train": np.arange(TRAIN), "test": TEST}))


def spec(dataset: str, *heads: str) -> Document:
    return {
        "dataset": dataset,
        "inputs": {"image": {"field": "image", "standardize": True}},
        "network": [{"name": head, "type": "dense", "units": 3, "input": "image"} for head in heads],
        "objective": [
            {"type": "cross_entropy_with_softmax", "output": head, "target": "kind"} for head in heads
        ],
        "learner": {"type": "adam", "alpha": 0.01},
        "training": {"epochs": 6, "minibatch_size": 16, "seed": 1},
    }


def lines(run: RunDirectory, name: str) -> list[Document]:
    return [json.loads(line) for line in (run.artifacts / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def run(workshop: Workshop, dataset: str) -> RunDirectory:
    run = workshop.job("animals", spec(dataset, "scores"))
    assert workshop.train(run)["outcome"] == "succeeded"
    return run


def test_lines_have_the_form_of_the_article(run: RunDirectory) -> None:
    told, known = lines(run, "image_predictions.jsonl"), lines(run, "predictions.jsonl")
    assert [entry["image"] for entry in told] == [name_of(row) for row in TEST]
    for line, beside in zip(told, known, strict=True):
        assert set(line) == {"class", "predictions", "image"}
        assert line["class"] == beside["scores"]["true"]
        assert line["predictions"] == beside["scores"]["probabilities"]
        likeliest = list(line["predictions"].values())
        assert likeliest == sorted(likeliest, reverse=True)
        assert next(iter(line["predictions"])) == beside["scores"]["predicted"]


def expected_mistakes(run: RunDirectory, head: str = "scores") -> list[tuple[int, str, str]]:
    wrong = [
        (max(entry[head]["probabilities"].values()), entry)
        for entry in lines(run, "predictions.jsonl")
        if entry[head]["true"] != entry[head]["predicted"]
    ]
    surest = sorted(wrong, key=lambda found: -found[0])[:20]
    return [(entry["row"], entry[head]["true"], entry[head]["predicted"]) for _, entry in surest]


def kept(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def test_the_surest_mistakes_come_first(run: RunDirectory) -> None:
    found, expected = kept(run.mistakes), expected_mistakes(run)
    assert len(expected) == 20
    assert [*zip(found["row"], found["true"], found["predicted"], strict=True)] == expected
    assert found["name"].tolist() == [name_of(row) for row, _, _ in expected]
    assert found["image"].dtype == np.uint8
    assert np.array_equal(found["image"], columns()["image"][[row for row, _, _ in expected]])
    told = {entry["image"]: entry["predictions"] for entry in lines(run, "image_predictions.jsonl")}
    sure = [told[name][said] for name, said in zip(found["name"], found["predicted"], strict=True)]
    assert found["probability"] == pytest.approx(sure)
    assert (np.diff(found["probability"]) <= 0).all()
    assert set(found["head"]) == {"scores"}


def test_each_of_several_heads_has_lines_and_mistakes(workshop: Workshop, dataset: str) -> None:
    run = workshop.job("two_heads", spec(dataset, "first", "second"))
    workshop.train(run)
    told = lines(run, "image_predictions.jsonl")
    assert len(told) == 2 * len(TEST)
    for head in ("first", "second"):
        assert [line["image"] for line in told if line["head"] == head] == [name_of(row) for row in TEST]
        found = kept(run.mistakes)
        rows = found["row"][found["head"] == head].tolist()
        assert rows == [row for row, _, _ in expected_mistakes(run, head)]


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_images_without_names_have_mistakes_alone(workshop: Workshop, kind: str) -> None:
    dataset = workshop.dataset(f"plain_{kind}", columns(kind), {"train": np.arange(TRAIN), "test": TEST})
    run = workshop.job(f"plain_{kind}", spec(dataset, "scores"))
    workshop.train(run)
    assert not (run.artifacts / "image_predictions.jsonl").exists()
    found = kept(run.mistakes)
    assert set(found["name"]) == {""}
    images = columns(kind)["image"][found["row"]].astype(np.float64)
    if kind == "float32":
        images = (images - images.min()) / (images.max() - images.min()) * 255
    assert np.abs(found["image"] - images).max() <= 0.51


def test_large_images_are_shown_smaller(workshop: Workshop) -> None:
    random = np.random.default_rng(1)
    images = random.integers(0, 256, size=(12, 1, 20, 600)).astype(np.uint8)
    data = {"image": images, "kind": np.arange(12) % 2}
    dataset = workshop.dataset("wide", data, {"train": np.arange(4), "test": np.arange(4, 12)})
    document = spec(dataset, "scores")
    document["network"][0]["units"] = 2
    run = workshop.job("wide", document)
    workshop.train(run)
    found = kept(run.mistakes)
    assert np.array_equal(found["image"], images[found["row"]][:, :, ::3, ::3])


def test_images_of_no_known_class_are_unknown(workshop: Workshop, dataset: str, valkey: ValkeyServer) -> None:
    others = {"image": columns()["image"][TEST]}
    splits = {"train": np.arange(3), "test": np.arange(len(TEST))}
    unseen = named(workshop, workshop.dataset("unseen", others, splits))
    laboratory = Laboratory(workshop, valkey.url)
    job_id = laboratory.trained(spec(dataset, "scores"))
    run = laboratory.evaluated(job_id, dataset=unseen)
    told = lines(run, "image_predictions.jsonl")
    assert {line["class"] for line in told} == {"unknown"}
    known = lines(laboratory.run(job_id), "image_predictions.jsonl")
    assert [line["predictions"] for line in told] == [line["predictions"] for line in known]
    assert [line["image"] for line in told] == [name_of(row) for row in range(len(TEST))]
    assert not run.mistakes.exists()


def test_names_are_those_of_the_uploaded_archive(workshop: Workshop) -> None:
    made = np.random.default_rng(1).integers(0, 256, size=(8, 3))
    places = ["train/cat/1", "train/cat/2", "train/dog/1", "train/dog/2", "test/cat/ü 1", "test/dog/1"]
    files = {f"{at}.png": png(tuple(colour)) for at, colour in zip(places, made.tolist(), strict=False)}
    archive = workshop.settings.home / "pets.zip"
    archive.write_bytes(zipped(files))
    schema, _ = ingest([Upload("pets.zip", archive)], {}, workshop.settings)
    document = spec(schema.id, "scores")
    document["network"][0]["units"] = 2
    document["objective"][0]["target"] = "class"
    document["inputs"]["image"]["augment"] = ["flip"]
    run = workshop.job("pets", document)
    assert workshop.train(run)["outcome"] == "succeeded"
    told = lines(run, "image_predictions.jsonl")
    found = [(line["class"], line["image"]) for line in told]
    assert sorted(found) == [("cat", "test/cat/ü 1.png"), ("dog", "test/dog/1.png")]


def test_what_sees_no_image_leaves_neither(workshop: Workshop) -> None:
    data = columns()
    flat = {"image": data["image"].reshape(ROWS, -1), "kind": data["kind"]}
    dataset = workshop.dataset("flat", flat, {"train": np.arange(TRAIN), "test": TEST})
    run = workshop.job("flat", spec(dataset, "scores"))
    workshop.train(run)
    assert not run.mistakes.exists()
    assert not (run.artifacts / "image_predictions.jsonl").exists()
