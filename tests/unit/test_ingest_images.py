"""Archives of images into columns: layouts, splits, classes, sizes, data like others."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ingest.store import ingest
from tests.image_archives import BLUE, GREEN, RED, png, tarred, zipped
from tests.ingestion import Ingested, Ingestion

PETS = {
    "train/cat/2.png": png(RED),
    "train/cat/1.png": png(GREEN),
    "train/dog/1.png": png(BLUE),
    "val/dog/1.png": png(RED),
    "test/cat/1.png": png(GREEN),
}
MAPPED = {
    "train_map.txt": "images/b.png\t1\n\nimages/a.png\t0\n",
    "test_map.txt": "images/c.png\t1\r\n",
    "images/a.png": png(RED),
    "images/b.png": png(GREEN),
    "images/c.png": png(BLUE),
    "images/unused.png": png(BLUE),
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


def test_the_same_archive_is_found_again(ingestion: Ingestion) -> None:
    first = ingestion.add({"pets.zip": zipped(PETS)})
    schema, new = ingest(ingestion.write({"other.zip": zipped(PETS)}), {}, ingestion.settings)
    assert (schema.id, new) == (first.schema.id, False)
    other = ingestion.add({"pets.zip": zipped(PETS)}, images={"size": 8})
    assert other.schema.id != first.schema.id


@pytest.mark.parametrize(
    ("prefix", "split"), [("pets/", "Validation"), ("a/b/", "valid"), ("./", "val"), ("", "VAL")]
)
def test_folders_around_and_names_of_splits(ingestion: Ingestion, prefix: str, split: str) -> None:
    files = {
        prefix + "train/cat/1.png": png(),
        prefix + f"{split}/cat/deep/er/1.png": png(),
        prefix + "train/__MACOSX/cat/._1.png": "no image",
        prefix + "train/cat/.DS_Store": "no image",
        prefix + "README.md": "no image",
        "notes.txt": "no image",
    }
    found = ingestion.add({"pets.tar": tarred(files)})
    assert found.splits == {"train": 1, "valid": 1}
    assert found.texts("class") == ["cat", "cat"]


def test_fractions_of_folders_without_splits(ingestion: Ingestion) -> None:
    files = {f"{kind}/{number}.png": png() for kind in ("10", "9") for number in range(10)}
    options = {"splits": {"fractions": {"test": 0.2, "valid": 0.1}, "seed": 3}}
    found = ingestion.add({"digits.zip": zipped(files)}, **options)
    assert found.splits == {"train": 14, "valid": 2, "test": 4}
    # Names that are numbers are in the order of the numbers.
    assert found.schema.fields["class"].classes == ["9", "10"]
    assert sum(found.schema.fields["class"].histogram or ()) == 14


def test_images_alone_have_no_class(ingestion: Ingestion) -> None:
    found = ingestion.add({"faces.zip": zipped({"1.png": png(), "2.JPG": png()})})
    assert list(found.schema.fields) == ["image"]
    assert found.splits == {"train": 2}


def test_test_images_without_a_class(ingestion: Ingestion) -> None:
    files = {**PETS, "test/unknown-2.png": png(), "test/unknown-1.png": png()}
    found = ingestion.add({"pets.zip": zipped(files)})
    assert found.splits == {"train": 3, "valid": 1, "test": 1, "unlabelled": 2}
    assert [names(found)[row] for row in found.split("unlabelled")] == [
        "test/unknown-1.png",
        "test/unknown-2.png",
    ]
    assert found.schema.fields["class"].classes == ["cat", "dog"]
    assert found.array("class")[found.split("unlabelled")].tolist() == [-1, -1]
    stray = {**PETS, "train/1.png": png(), "val/2.png": png()}
    faults = ingestion.refused({"pets.zip": zipped(stray)})
    assert set(faults) == {
        ("/file/pets.zip/train~11.png", "unlabelled"),
        ("/file/pets.zip/val~12.png", "unlabelled"),
    }


def test_images_beside_the_splits(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"pets.zip": zipped({**PETS, "preview.png": png(), "more/1.png": png()})})
    assert "beside the folders of the splits" in faults["/file/pets.zip/preview.png", "unassigned_file"]
    assert ("/file/pets.zip/more~11.png", "unassigned_file") in faults


@pytest.mark.parametrize("split", ["test", "val"])
def test_a_class_that_training_does_not_know(ingestion: Ingestion, split: str) -> None:
    files = {**PETS, f"{split}/dgo/1.png": png(), f"{split}/dgo/2.png": png()}
    faults = ingestion.refused({"pets.zip": zipped(files)})
    detail = faults[f"/file/pets.zip/{split}~1dgo~11.png", "unknown_class"]
    assert "'dgo'" in detail
    assert "2 others" in detail
    assert "did you mean 'dog'?" in detail
    assert len(faults) == 1


def test_told_classes_and_names_of_fields(ingestion: Ingestion) -> None:
    fields = {
        "photo": {"columns": ["image"]},
        "kind": {"columns": ["class"], "classes": ["dog", "elk", "cat"]},
    }
    found = ingestion.add({"pets.zip": zipped(PETS)}, fields=fields)
    assert found.schema.fields["kind"].classes == ["dog", "elk", "cat"]
    assert found.schema.fields["kind"].histogram == [1, 0, 2]
    assert found.schema.fields["photo"].images is not None
    assert names(found, "photo")[0] == "train/cat/1.png"
    faults = ingestion.refused({"pets.zip": zipped(PETS)}, fields={"class": {"classes": ["dog"]}})
    assert "add it to /options/fields/class/classes" in next(iter(faults.values()))
    without = ingestion.add({"pets.zip": zipped(PETS)}, exclude=["class"])
    assert list(without.schema.fields) == ["image"]


def test_several_archives(ingestion: Ingestion) -> None:
    files = {
        "a.zip": zipped({"cat/1.png": png(RED), "dog/1.png": png(BLUE)}),
        "b.tar": tarred({"cat/1.png": png(GREEN), "loose.png": png(RED)}),
    }
    found = ingestion.add(files, splits={"files": {"test": ["b.tar"]}})
    assert found.splits == {"train": 2, "test": 1, "unlabelled": 1}
    assert names(found) == ["a.zip/cat/1.png", "a.zip/dog/1.png", "b.tar/cat/1.png", "b.tar/loose.png"]
    faults = ingestion.refused({"pets.zip": zipped(PETS)}, splits={"files": {"train": ["pets.zip"]}})
    assert ("/options/splits/files/train", "conflict") in faults


def test_map_files(ingestion: Ingestion) -> None:
    found = ingestion.add({"mapped.zip": zipped(MAPPED)})
    assert names(found) == ["images/b.png", "images/a.png", "images/c.png"]
    assert found.texts("class") == ["1", "0", "1"]
    assert found.splits == {"train": 2, "test": 1}
    assert [pixel(found, row) for row in range(3)] == [GREEN, RED, BLUE]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class_names.txt", "cat\ndog\n"),
        ("data/classes.txt", "\ufeffcat\r\ndog\r\n"),
        ("class_map.txt", "dog\t1\ncat\t0\n"),
    ],
)
def test_names_for_the_numbers_of_map_files(ingestion: Ingestion, name: str, text: str) -> None:
    found = ingestion.add({"mapped.zip": zipped({**MAPPED, name: text})})
    assert found.schema.fields["class"].classes == ["cat", "dog"]
    assert found.texts("class") == ["dog", "cat", "dog"]


def test_names_that_are_told(ingestion: Ingestion) -> None:
    words = {**MAPPED, "words": "cat\ndog\nelk", "classes.txt": "not\nthese"}
    found = ingestion.add({"mapped.zip": zipped(words)}, images={"class_names": "words"})
    assert found.schema.fields["class"].classes == ["cat", "dog", "elk"]
    faults = ingestion.refused({"mapped.zip": zipped(words)}, images={"class_names": "wrods"})
    assert "did you mean 'words'?" in faults["/options/images/class_names", "unknown_file"]
    given = {"class": {"classes": ["cat", "dog"]}}
    other = ingestion.add({"mapped.zip": zipped(MAPPED)}, fields=given)
    assert other.texts("class") == ["dog", "cat", "dog"]


def test_paths_as_map_files_write_them(ingestion: Ingestion) -> None:
    files = {
        "set/map.txt": "../images/a.png\t0\n.../here/b.png\t0\nimages\\c.png\t0\n",
        "images/a.png": png(),
        "set/here/b.png": png(),
        "images/c.png": png(),
    }
    found = ingestion.add({"mapped.zip": zipped(files)}, splits={"fractions": {"valid": 0.4}})
    assert names(found) == ["images/a.png", "set/here/b.png", "images/c.png"]
    assert found.splits == {"train": 2, "valid": 1}


def test_broken_map_files(ingestion: Ingestion) -> None:
    train = "images/a.png\t0\nimages/b.png one\nimages/b.png\t-1\nimages/b.png\t100000\n"
    files = {**MAPPED, "train_map.txt": train, "val_map.txt": "images/a.png\t0", "valid_map.txt": "x.png"}
    faults = ingestion.refused({"m.zip": zipped(files)})
    assert ("/file/m.zip/train_map.txt/line 3", "malformed_map") in faults
    assert ("/file/m.zip/train_map.txt/line 4", "out_of_range") in faults
    assert "images/b.png one" in faults["/file/m.zip/images~1b.png one", "unlabelled"]
    assert ("/file/m.zip/valid_map.txt", "duplicate") in faults
    binary = {**MAPPED, "train_map.txt": b"\xff\xfe\x00"}
    assert ("/file/m.zip/train_map.txt", "not-utf-8") in ingestion.refused({"m.zip": zipped(binary)})
    named = {**MAPPED, "class_map.txt": "cat\t1\ndog\t2\ncat\t3"}
    assert set(ingestion.refused({"m.zip": zipped(named)})) >= {
        ("/file/m.zip/class_map.txt", "duplicate"),
        ("/file/m.zip/class_map.txt", "malformed_map"),
    }
    few = {**MAPPED, "classes.txt": "cat\n"}
    faults = ingestion.refused({"m.zip": zipped(few)})
    assert "not in 0..0" in faults["/file/m.zip/train_map.txt/line 1", "out_of_range"]
    assert ("/file/m.zip", "empty") in ingestion.refused({"m.zip": zipped(PETS)}, images={"layout": "map"})


def test_a_map_that_names_a_missing_image(ingestion: Ingestion) -> None:
    files = {
        **MAPPED,
        "train_map.txt": MAPPED["train_map.txt"] + b"/etc/passwd\t0\n../../up.png\t1\n".decode(),
    }
    found = ingestion.add({"m.zip": zipped(files)})
    images = found.schema.fields["image"].images
    assert images is not None
    assert [(bad.path, bad.code) for bad in images.bad] == [
        ("/etc/passwd", "missing_image"),
        ("../../up.png", "missing_image"),
    ]
    assert found.splits == {"train": 2, "test": 1}
    faults = ingestion.refused({"m.zip": zipped(files)}, images={"bad": "error"})
    assert "not in the archive" in faults["/file/m.zip/..~1..~1up.png", "missing_image"]


def test_a_size_for_all(ingestion: Ingestion) -> None:
    files = {"a/1.png": png(size=(8, 6)), "a/2.png": png(size=(8, 6)), "b/3.png": png(size=(9, 6))}
    faults = ingestion.refused({"p.zip": zipped(files)})
    detail = faults["/options/images/size", "sizes"]
    assert "6 x 8 (2), 6 x 9 (1)" in detail
    assert '"size": [224, 224]' in detail
    found = ingestion.add({"p.zip": zipped(files)}, images={"size": [4, 5], "channels": "gray"})
    assert found.array("image").shape == (3, 1, 4, 5)
    assert found.schema.options["images"] == {
        "size": [4, 5],
        "fit": "resize",
        "channels": "gray",
        "bad": "quarantine",
        "layout": None,
        "class_names": None,
        "boxes": "refuse",
        "proposals": None,
    }
    same = ingestion.add({"p.zip": zipped({"a/1.png": png(size=(8, 6))})})
    assert same.schema.fields["image"].shape == (3, 6, 8)


def test_images_like_others(ingestion: Ingestion) -> None:
    first = ingestion.add(
        {"pets.zip": zipped(PETS)}, images={"size": [4, 6], "fit": "letterbox", "channels": "gray"}
    )
    like = first.schema.id
    new = {"dog/1.png": png(size=(30, 20)), "cat/2.png": png(size=(7, 9))}
    found = ingestion.add({"new.zip": zipped(new)}, like=like)
    assert found.splits == {"test": 2}
    assert found.texts("class") == ["cat", "dog"]
    images = found.schema.fields["image"].images
    assert images is not None
    assert (images.size, images.fit, images.channels) == ((4, 6), "letterbox", "gray")
    assert found.schema.fields["image"].mean == first.schema.fields["image"].mean
    assert found.schema.fields["class"].histogram == [2, 1]
    loose = ingestion.add({"loose.tar": tarred({"x.png": png(), "y.png": png()})}, like=like)
    assert list(loose.schema.fields) == ["image"]
    assert loose.splits == {"test": 2}
    some = ingestion.add({"some.zip": zipped({**new, "z.png": png()})}, like=like)
    assert some.splits == {"test": 2, "unlabelled": 1}
    faults = ingestion.refused({"new.zip": zipped({"elk/1.png": png()})}, like=like)
    assert "the classes are those of the data set in /options/like" in next(iter(faults.values()))
    faults = ingestion.refused({"new.zip": zipped(new)}, like=like, images={"size": 4, "bad": "error"})
    assert list(faults) == [("/options/images/size", "conflict")]
    table = ingestion.add({"t.csv": "a,b\n1,2\n"})
    faults = ingestion.refused({"new.zip": zipped(new)}, like=table.schema.id)
    assert ("/options/like", "other_format") in faults


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"images": {"sise": 3}}, ("/options/images/sise", "unknown_option")),
        ({"images": {"size": [3]}}, ("/options/images/size", "too-short")),
        ({"images": {"size": 0}}, ("/options/images/size/0", "greater-than-equal")),
        ({"images": {"fit": "stretch"}}, ("/options/images/fit", "literal-error")),
        ({"fields": {"image": {"missing": 0}}}, ("/options/fields/image/missing", "not_for_format")),
        ({"fields": {"image": {"shape": [3, 64]}}}, ("/options/fields/image/shape", "not_for_format")),
        ({"fields": {"x": {"columns": ["*"]}}}, ("/options/fields/x/columns", "gathered")),
        ({"splits": {"column": "part"}}, ("/options/splits/column", "not_for_format")),
        ({"delimiter": ";"}, ("/options/delimiter", "not_for_format")),
        ({"exclude": ["image"]}, ("/options/exclude", "no_fields")),
    ],
)
def test_options_that_do_not_fit(
    ingestion: Ingestion, options: dict[str, object], place: tuple[str, str]
) -> None:
    assert place in ingestion.refused({"pets.zip": zipped(PETS)}, **options)


def test_image_options_are_for_images(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"t.csv": "a,b\n1,2\n"}, images={"size": 8})
    assert list(faults) == [("/options/images", "not_for_format")]
