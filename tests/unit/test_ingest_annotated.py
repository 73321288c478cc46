"""Archives of annotated images, ingested: their fields, splits, and what is refused."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.image_archives import png, zipped
from tests.ingestion import Ingested, Ingestion
from tests.unit.test_annotations import coco, voc


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


Files = dict[str, bytes | str]
PIXELS = png(size=(8, 6))
WIDE: Files = {
    "Annotations/1.xml": voc(("cat", "1 1 8 6"), ("dog", "3 3 4 4")),
    "Annotations/3.xml": voc(("dog", "1 1 2 2")),
    "JPEGImages/1.png": PIXELS,
    "JPEGImages/2.png": PIXELS,
    "JPEGImages/3.png": PIXELS,
    "ImageSets/Main/trainval.txt": "1\n2\n",
    "ImageSets/Main/test.txt": "3\n",
}


def steps(found: Ingested, field: str) -> list[list[Any]]:
    """The steps of each row."""
    flat = found.array(field).tolist()
    return [flat[begin:end] for begin, end in pairwise(found.array(field, "offsets").tolist())]


def names(found: Ingested) -> list[str]:
    lines = (found.folder / "image_names.txt").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_voc(ingestion: Ingestion) -> None:
    found = ingestion.add({"a.zip": zipped(WIDE)})
    assert names(found) == ["JPEGImages/1.png", "JPEGImages/2.png", "JPEGImages/3.png"]
    assert found.splits == {"train": 2, "test": 1}
    assert steps(found, "boxes") == [[[0, 0, 8, 6], [2, 2, 4, 4]], [], [[0, 0, 2, 2]]]
    assert steps(found, "box_class") == [[0, 1], [], [1]]
    fields = found.schema.fields
    assert fields["box_class"].classes == ["cat", "dog"]
    assert fields["box_class"].histogram == [1, 1]
    assert {fields[name].axis for name in ("boxes", "box_class", "difficult")} == {"box_class"}
    assert (fields["boxes"].min_length, fields["boxes"].max_length) == (0, 2)
    assert found.array("placement").tolist() == [[1, 1, 0, 0, 8, 6]] * 3


def test_boxes_follow_their_image_into_a_letterbox(ingestion: Ingestion) -> None:
    """8 x 6 pixels in a square of 16 are twice as large, with 2 rows of border above."""
    found = ingestion.add({"a.zip": zipped(WIDE)}, images={"size": 16, "fit": "letterbox"})
    assert steps(found, "boxes")[0] == [[0, 2, 16, 14], [4, 6, 8, 10]]
    assert found.array("placement")[0].tolist() == [2, 2, 0, 2, 8, 6]
    inside = found.array("image")[0, :, 2:14]
    assert (inside[0] == 255).all()
    assert (found.array("image")[0, :, :2] == 114).all()


def test_region_files(ingestion: Ingestion) -> None:
    files: Files = {
        "train_img_file.txt": "0\timages/a.png\t0\n1\timages/b.png\t0\n",
        "train_roi_file.txt": "0 |roiAndLabel 0 0 3 2 1\n1 |roiAndLabel 1 1 7 5 2\n",
        "test_img_file.txt": "0\timages/c.png\t0\n",
        "test_roi_file.txt": "0 |roiAndLabel 0 0 0 0 2\n",
        "class_map.txt": "__background__\t0\nmilk\t1\negg\t2\n",
        **{f"images/{name}.png": PIXELS for name in "abc"},
    }
    found = ingestion.add({"a.zip": zipped(files)})
    assert found.schema.fields["box_class"].classes == ["milk", "egg"]
    assert steps(found, "boxes") == [[[0, 0, 4, 3]], [[1, 1, 8, 6]], [[0, 0, 1, 1]]]
    assert found.splits == {"train": 2, "test": 1}


def test_coco_in_several_archives(ingestion: Ingestion) -> None:
    """As COCO itself is given out: images and annotations by themselves."""
    boxes = [{"image_id": 1, "category_id": 7, "bbox": [1, 1, 2.5, 3], "iscrowd": 1}]
    images = [{"id": 1, "file_name": "a.png", "height": 6, "width": 8}]
    found = ingestion.add(
        {
            "train2017.zip": zipped({"train2017/a.png": PIXELS}),
            "val2017.zip": zipped({"val2017/a.png": PIXELS}),
            "annotations.zip": zipped(
                {
                    "annotations/instances_train2017.json": coco(images, boxes),
                    "annotations/instances_val2017.json": coco(images),
                }
            ),
        }
    )
    assert names(found) == ["train2017.zip/train2017/a.png", "val2017.zip/val2017/a.png"]
    assert steps(found, "boxes") == [[[1, 1, 3.5, 4]], []]
    assert steps(found, "difficult") == [[[1]], []]
    assert found.schema.fields["box_class"].classes == ["cat", "dog"]
    assert found.splits == {"train": 1, "valid": 1}


def test_a_broken_image_goes_with_its_boxes(ingestion: Ingestion) -> None:
    found = ingestion.add({"a.zip": zipped({**WIDE, "JPEGImages/1.png": b"GIF89a no image"})} | {}, images={})
    assert names(found) == ["JPEGImages/2.png", "JPEGImages/3.png"]
    assert steps(found, "boxes") == [[], [[0, 0, 2, 2]]]
    assert found.schema.fields["image"].images is not None
    assert found.schema.fields["image"].images.bad_count == 1


def test_boxes_off_the_image(ingestion: Ingestion) -> None:
    files = {"a.zip": zipped({**WIDE, "Annotations/1.xml": voc(("cat", "-5 1 20 6"), ("dog", "4 4 2 2"))})}
    refused = ingestion.refused(files)
    assert refused.keys() == {
        ("/file/a.zip/Annotations~11.xml/object 1", "outside"),
        ("/file/a.zip/Annotations~11.xml/object 2", "inverted_box"),
    }
    found = ingestion.add(files, images={"boxes": "clip"}, fields={"box_class": {"classes": ["dog", "cat"]}})
    assert steps(found, "boxes")[0] == [[0, 0, 8, 6]]
    assert found.schema.fields["boxes"].boxes is not None
    assert found.schema.fields["boxes"].boxes.clipped == 1
    assert found.schema.fields["boxes"].boxes.dropped == 1
    assert steps(found, "box_class") == [[1], [], [0]]


def test_a_declared_size_that_is_not_the_image_s(ingestion: Ingestion) -> None:
    files = {"a.zip": zipped({**WIDE, "JPEGImages/3.png": png(size=(6, 8))})}
    refused = ingestion.refused(files, images={"size": 8})
    assert refused.keys() == {("/file/a.zip/Annotations~13.xml", "size")}


def test_a_class_that_training_does_not_know(ingestion: Ingestion) -> None:
    files = {"a.zip": zipped({**WIDE, "Annotations/3.xml": voc(("bird", "1 1 2 2"))})}
    [((place, code), detail)] = ingestion.refused(files).items()
    assert (place, code) == ("/file/a.zip/Annotations~13.xml/object 1", "unknown_class")
    assert "/options/fields/box_class/classes" in detail


def test_a_layout_that_is_told_and_not_there(ingestion: Ingestion) -> None:
    images = {"a.zip": zipped({"a.png": PIXELS})}
    assert ("/file", "missing_file") in ingestion.refused(images, images={"layout": "rois"})
    assert ("/options/images/layout", "missing_file") in ingestion.refused(images, images={"layout": "coco"})
    assert ("/file", "no_boxes") in ingestion.refused(images, images={"layout": "voc"})


def test_images_like_annotated_ones(ingestion: Ingestion) -> None:
    like = ingestion.add({"a.zip": zipped(WIDE)}, images={"size": 16, "fit": "letterbox"}).schema.id
    drawn = {"new/x.png": PIXELS, "new/x.xml": voc(("dog", "1 1 2 2"))}
    found = ingestion.add({"b.zip": zipped(drawn)}, like=like)
    assert found.splits == {"test": 1}
    assert steps(found, "boxes") == [[[0, 2, 4, 6]]]
    assert steps(found, "box_class") == [[1]]
    assert found.schema.fields["box_class"].classes == ["cat", "dog"]
    unknown = ingestion.refused({"b.zip": zipped({**drawn, "new/x.xml": voc(("cow", "1 1 2 2"))})}, like=like)
    assert unknown.keys() == {("/file/b.zip/new~1x.xml/object 1", "unknown_class")}


def test_images_without_annotations_like_annotated_ones(ingestion: Ingestion) -> None:
    like = ingestion.add({"a.zip": zipped(WIDE)}, images={"size": 16, "fit": "letterbox"}).schema.id
    found = ingestion.add({"b.zip": zipped({"x.png": PIXELS, "y.png": png(size=(16, 16))})}, like=like)
    assert found.schema.fields.keys() == {"image", "placement"}
    assert found.array("placement").tolist() == [[2, 2, 0, 2, 8, 6], [1, 1, 0, 0, 16, 16]]


def test_negative_images_alone_like_annotated_ones(ingestion: Ingestion) -> None:
    """No box at all: an empty field, which is there all the same."""
    like = ingestion.add({"a.zip": zipped(WIDE)}).schema.id
    found = ingestion.add({"b.zip": zipped({"x.png": PIXELS, "x.xml": voc()})}, like=like)
    assert found.array("boxes").shape == (0, 4)
    assert found.schema.fields["boxes"].count == 0


def test_fields_of_boxes_by_other_names(ingestion: Ingestion) -> None:
    found = ingestion.add(
        {"a.zip": zipped(WIDE)},
        fields={"objects": {"columns": ["boxes"]}},
        exclude=["difficult", "box_class"],
    )
    assert found.schema.fields.keys() == {"image", "objects", "placement"}
