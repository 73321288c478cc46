"""Archives of images into columns: layouts, splits, classes, sizes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.image_archives import BLUE, GREEN, RED, png, tarred, zipped
from tests.ingestion import Ingested, Ingestion

PETS = {
    "train/cat/2.png": png(RED),
    "train/cat/1.png": png(GREEN),
    "train/dog/1.png": png(BLUE),
    "val/dog/1.png": png(RED),
    "test/cat/1.png": png(GREEN),
}


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def names(found: Ingested, field: str = "image") -> list[str]:
    schema = found.schema.fields[field].images
    assert schema is not None
    return [json.loads(line) for line in (found.folder / schema.names).read_text().splitlines()]


def pixel(found: Ingested, row: int) -> tuple[int, ...]:
    return tuple(found.array("image")[row][:, 0, 0].tolist())


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("pets.zip", zipped),
        ("pets.zip", lambda files: zipped(files, zipfile.ZIP_DEFLATED)),
        ("pets.tar", tarred),
        ("pets.tar.gz", lambda files: tarred(files, "w:gz")),
        ("pets.TGZ", lambda files: tarred(files, "w:gz")),
    ],
)
def test_class_folders(ingestion: Ingestion, name: str, pack: Callable[..., bytes]) -> None:
    found = ingestion.add({name: pack(PETS)})
    schema = found.schema
    assert (schema.format, schema.name, schema.rows) == ("images", "pets", 5)
    assert found.splits == {"train": 3, "valid": 1, "test": 1}
    assert names(found) == [
        "train/cat/1.png",
        "train/cat/2.png",
        "train/dog/1.png",
        "val/dog/1.png",
        "test/cat/1.png",
    ]
    assert found.texts("class") == ["cat", "cat", "dog", "dog", "cat"]
    assert schema.fields["class"].histogram == [2, 1]
    image = schema.fields["image"]
    assert (image.kind, image.shape, image.dtype) == ("dense", (3, 8, 8), "uint8")
    assert image.images is not None
    assert (image.images.channels, image.images.size, image.images.fit) == ("rgb", (8, 8), "resize")
    assert [pixel(found, row) for row in range(5)] == [GREEN, RED, BLUE, RED, GREEN]
    assert found.array("image").dtype == np.uint8
    assert image.mean is not None
    assert image.mean[0] == pytest.approx(255 / 3)
