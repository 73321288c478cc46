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


GRID = {"method": "grid", "max_proposals": 50, "grid_aspect_ratios": [1.0]}


def test_proposals_of_a_grid(ingestion: Ingestion) -> None:
    """They lie on the image, never on the border of a letterbox, and are the same each time."""
    options: dict[str, Any] = {"size": 32, "fit": "letterbox", "proposals": GRID}
    found = ingestion.add({"a.zip": zipped(WIDE)}, images=options)
    field = found.schema.fields["proposals"]
    assert (field.kind, field.shape, field.sequence, field.max_length) == ("dense", (4,), True, 50)
    boxes = found.array("proposals")
    assert boxes.dtype == "float32"
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (boxes.min(axis=0) >= [0, 4, 0, 4]).all()
    assert (boxes.max(axis=0) <= [32, 28, 32, 28]).all()
    assert field.proposals is not None
    assert (field.proposals.method, field.proposals.settings["max_proposals"]) == ("grid", 50)
    assert field.proposals.images_without == 0
    recalled = field.proposals.recall
    assert recalled.keys() == {"train", "test"}
    # The whole image is no square, so no square of the grid comes near it; the small box is one of 8 x 8.
    assert recalled["train"]["0.5"] == by_hand(found, [0, 1], 0.5)
    assert recalled["test"] == {"0.5": by_hand(found, [2], 0.5), "0.7": by_hand(found, [2], 0.7)}
    again = Ingestion(ingestion.uploads).add({"a.zip": zipped(WIDE)}, images=options)
    assert again.array("proposals").tobytes() == boxes.tobytes()


def by_hand(found: Ingested, rows: list[int], threshold: float) -> float:
    """The share of the rows' boxes that a proposal overlaps by the threshold."""
    hits = [
        max((overlap(box, other) for other in steps(found, "proposals")[row]), default=0) >= threshold
        for row in rows
        for box in steps(found, "boxes")[row]
    ]
    return sum(hits) / len(hits)


def overlap(one: list[float], other: list[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def test_given_proposals_follow_their_image(ingestion: Ingestion) -> None:
    """One image has none, which counts where recall is told."""
    lines = "JPEGImages/unlisted.png\t0 0 9 9\nJPEGImages/1.png\t0 0 8 6 2 2 4 4\nJPEGImages/2.png\t1 1 3 3\n"
    found = ingestion.add(
        {"a.zip": zipped({**WIDE, "proposals.txt": lines, "JPEGImages/unlisted.png": PIXELS})},
        images={"size": 16, "fit": "letterbox", "proposals": {"method": "given"}},
    )
    assert steps(found, "proposals") == [[[0, 2, 16, 14], [4, 6, 8, 10]], [[2, 4, 6, 8]], []]
    assert found.schema.fields["proposals"].proposals is not None
    told = found.schema.fields["proposals"].proposals
    assert (told.method, told.images_without) == ("given", 1)
    assert told.recall == {"train": {"0.5": 1, "0.7": 1}, "test": {"0.5": 0, "0.7": 0}}


def test_given_proposals_off_the_image(ingestion: Ingestion) -> None:
    files = {"a.zip": zipped({**WIDE, "p.txt": "JPEGImages/1.png\t0 0 3 3 5 5 12 6 4 4 4 5\n"})}
    wanted: dict[str, Any] = {"proposals": {"method": "given", "files": ["p.txt"]}}
    assert ingestion.refused(files, images=wanted).keys() == {
        ("/file/a.zip/p.txt/line 1, box 2", "outside"),
        ("/file/a.zip/p.txt/line 1, box 3", "inverted_box"),
    }
    found = ingestion.add(files, images={**wanted, "boxes": "clip"})
    assert steps(found, "proposals")[0] == [[0, 0, 3, 3], [5, 5, 8, 6]]
    told = found.schema.fields["proposals"].boxes
    assert told is not None
    assert (told.clipped, told.dropped) == (1, 1)
    assert found.schema.fields["boxes"].boxes is not None
    assert found.schema.fields["boxes"].boxes.named == []


def test_proposals_of_images_like_others(ingestion: Ingestion) -> None:
    like = ingestion.add({"a.zip": zipped(WIDE)}, images={"proposals": GRID}).schema
    found = ingestion.add({"b.zip": zipped({"x.png": PIXELS})}, like=like.id)
    assert found.schema.fields.keys() == {"image", "placement", "proposals"}
    assert found.schema.fields["proposals"].proposals is not None
    assert found.schema.fields["proposals"].proposals.recall == {}
    before = like.fields["proposals"].proposals
    assert before is not None
    assert found.schema.fields["proposals"].proposals.settings == before.settings
    refused = ingestion.refused(
        {"b.zip": zipped({"x.png": PIXELS})}, like=like.id, images={"proposals": GRID}
    )
    assert refused.keys() == {("/options/images/proposals", "conflict")}


def test_given_proposals_of_images_like_others(ingestion: Ingestion) -> None:
    given: dict[str, Any] = {"proposals": {"method": "given", "files": ["p.txt"]}}
    files = {"a.zip": zipped({**WIDE, "p.txt": "JPEGImages/1.png\t0 0 8 6\n"})}
    like = ingestion.add(files, images=given).schema.id
    new = {"b.zip": zipped({"x.png": PIXELS, "p.txt": "x.png\t0 0 4 4\n"})}
    assert steps(ingestion.add(new, like=like, images=given), "proposals") == [[[0, 0, 4, 4]]]
    assert ingestion.refused(new, like=like).keys() == {("/options/images/proposals/method", "missing_file")}


@pytest.mark.parametrize(
    ("proposals", "place", "code", "words"),
    [
        ({"method": "dlib"}, "", "method", "selective_search+grid, selective_search, grid, given"),
        ({"max_propsals": 5}, "/max_propsals", "unknown_option", "did you mean 'max_proposals'?"),
        ({"max_proposals": 0}, "/max_proposals", "greater-than-equal", "got 0"),
        ({"min_side": 0.5, "max_side": 0.2}, "", "range", "min_side is greater than max_side"),
        ({"method": "given", "seed": 1}, "/seed", "unknown_option", "no option 'seed'"),
        (5, "", "method", "is an object"),
    ],
)
def test_proposal_options(ingestion: Ingestion, proposals: object, place: str, code: str, words: str) -> None:
    refused = ingestion.refused({"a.zip": zipped(WIDE)}, images={"proposals": proposals})
    assert refused.keys() == {(f"/options/images/proposals{place}", code)}
    assert words in next(iter(refused.values()))


def test_proposals_need_annotated_images(ingestion: Ingestion) -> None:
    refused = ingestion.refused({"a.zip": zipped({"cat/1.png": PIXELS})}, images={"proposals": {}})
    assert refused.keys() == {("/options/images/proposals", "conflict")}
