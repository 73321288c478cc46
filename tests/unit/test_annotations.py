"""Readers of annotations: what they make of each layout, and what they say of broken ones."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pytest

from ingest.annotations.boxes import AnnotatedImages, clipped, refused
from ingest.annotations.coco import read_coco
from ingest.annotations.given import Given, read_given
from ingest.annotations.rois import read_rois
from ingest.annotations.voc import read_voc
from ingest.faults import FaultList, file_pointer
from jobs.errors import Fault, InvalidInput, TooLarge

Reader = Callable[..., AnnotatedImages]
Found = TypeVar("Found")


class Archive:
    """Files in memory; empty ones stand for images."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = files

    @property
    def names(self) -> Sequence[str]:
        return list(self._files)

    def read(self, name: str, limit: int) -> bytes:
        data = self._files[name]
        data = data.encode() if isinstance(data, str) else data
        if len(data) > limit:
            raise TooLarge.of([Fault(self.at(name), "too_large", "too large")])
        return data

    def at(self, name: str, *steps: str | int) -> str:
        return file_pointer("a.zip", name, *steps)


def read(reader: Callable[..., Found], files: Mapping[str, str | bytes]) -> Found:
    faults = FaultList()
    images = [name for name in files if name.endswith((".jpg", ".png"))]
    found = reader(Archive(files), images, faults)
    faults.raise_if_any()
    return found


def faults_of(reader: Reader, files: Mapping[str, str | bytes]) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidInput) as caught:
        read(reader, files)
    return [(fault.pointer, fault.code, fault.detail) for fault in caught.value.faults]


def voc(*objects: tuple[str, str], size: str = "<size><width>8</width><height>6</height></size>") -> str:
    """An XML file of objects, each a name and ``xmin ymin xmax ymax``."""
    inner = ""
    for name, corners in objects:
        keys = ("xmin", "ymin", "xmax", "ymax")
        box = "".join(f"<{key}>{value}</{key}>" for key, value in zip(keys, corners.split(), strict=True))
        inner += f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"
    return f"<annotation><filename>wrong.jpg</filename>{size}{inner}</annotation>"


VOC = {
    "VOC2007/Annotations/1.xml": voc(("cat", "1 1 8 6"), ("dog", "2 2.5 3 4")),
    "VOC2007/Annotations/2.xml": voc(),
    "VOC2007/JPEGImages/1.jpg": "",
    "VOC2007/JPEGImages/2.jpg": "",
    "VOC2007/JPEGImages/3.jpg": "",
    "VOC2007/JPEGImages/4.jpg": "",
    "VOC2007/ImageSets/Main/train.txt": "3\n1\n",
    "VOC2007/ImageSets/Main/val.txt": "",
    "VOC2007/ImageSets/Main/trainval.txt": "2\n1\n",
    "VOC2007/ImageSets/Main/test.txt": "4\n",
    "VOC2007/ImageSets/Main/cat_train.txt": "1 1\n",
}


def test_voc_by_its_lists() -> None:
    found = read(read_voc, VOC)
    assert [(image.path[-5:], image.split, image.size) for image in found.images] == [
        ("3.jpg", "train", None),
        ("1.jpg", "train", (6, 8)),
        ("4.jpg", "test", None),
        ("2.jpg", "train", (6, 8)),
    ]
    boxes = [(box.name, box.corners, box.difficult) for box in found.images[1].boxes]
    # Counted from 1, both corners within: the first box is the whole image.
    assert boxes == [("cat", (0, 0, 8, 6), False), ("dog", (1, 1.5, 3, 4), False)]
    assert found.classes is None


def test_voc_beside_the_images() -> None:
    found = read(
        read_voc,
        {
            "train/b.png": "",
            "train/b.xml": voc(("cat", "1 1 2 2")),
            "train/negative/a.jpg": "",
            "val/c.jpg": "",
            "val/c.xml": voc().replace("<object>", "<object>"),
            "other/d.jpg": "",
            "SegmentationClass/d.png": "",
        },
    )
    assert [(image.path, image.split, image.source, len(image.boxes)) for image in found.images] == [
        ("other/d.jpg", None, None, 0),
        ("train/b.png", "train", "train/b.xml", 1),
        ("train/negative/a.jpg", "train", None, 0),
        ("val/c.jpg", "valid", "val/c.xml", 0),
    ]


def test_voc_parts_of_objects_are_no_boxes() -> None:
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>"
    xml = (
        voc(("person", "1 2 3 4"))
        .replace("</object>", part)
        .replace("<bndbox>", "<difficult>1</difficult><bndbox>", 1)
    )
    found = read(read_voc, {"a.jpg": "", "a.xml": xml})
    assert [(box.name, box.corners, box.difficult) for box in found.images[0].boxes] == [
        ("person", (0, 1, 3, 4), True)
    ]


def test_voc_faults_are_named_all_at_once() -> None:
    files = {
        "Annotations/1.xml": voc(("", "1 1 2 2"), ("cat", "1 1 2 x"), ("cat", "1 1 2 inf")),
        "Annotations/2.xml": "<annotation><object>",
        "Annotations/3.xml": "<annotations/>",
        "Annotations/4.xml": voc(("cat", "1 1 2 2")),
        "Annotations/5.xml": voc().replace("8", "eight"),
        "Annotations/6.xml": voc(("cat", "1 1 2 2")).replace("<bndbox>", "<difficult>no</difficult><bndbox>"),
        **{f"JPEGImages/{number}.jpg": "" for number in (1, 2, 3, 5, 6)},
        "ImageSets/Main/train.txt": "1\n2\n3\n5\n6\n7\n",
        "ImageSets/Main/test.txt": "1\n",
    }
    found = faults_of(read_voc, files)
    assert [(place.replace("~1", "/").removeprefix("/file/a.zip/"), code) for place, code, _ in found] == [
        ("Annotations/4.xml", "missing_image"),
        ("ImageSets/Main/train.txt/line 6", "missing_image"),
        ("ImageSets/Main/test.txt/line 1", "duplicate"),
        ("Annotations/1.xml/object 1", "malformed_annotation"),
        ("Annotations/1.xml/object 2", "malformed_annotation"),
        ("Annotations/1.xml/object 3", "malformed_annotation"),
        ("Annotations/2.xml", "malformed_xml"),
        ("Annotations/3.xml", "malformed_annotation"),
        ("Annotations/5.xml/size", "malformed_annotation"),
        ("Annotations/6.xml/object 1", "malformed_annotation"),
    ]
    assert "'x'" in found[4][2]
    assert "known are" in found[0][2] or "did you mean" in found[0][2]


ENTITIES = "".join(f'<!ENTITY y{n} "{f"&y{n - 1};" * 10}">' for n in range(1, 10))
BOMB = f'<!DOCTYPE a [<!ENTITY y0 "ha">{ENTITIES}]><annotation><filename>&y9;</filename></annotation>'
EXTERNAL = """<!DOCTYPE a [<!ENTITY secret SYSTEM "file:///etc/passwd">]>
<annotation><object><name>&secret;</name></object></annotation>"""
REMOTE = """<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><annotation/>"""


@pytest.mark.parametrize("xml", [BOMB, EXTERNAL, REMOTE], ids=["bomb", "external", "remote"])
def test_voc_document_types_are_never_read(xml: str) -> None:
    [(place, code, detail)] = faults_of(read_voc, {"a.jpg": "", "a.xml": xml})
    assert (place, code) == ("/file/a.zip/a.xml", "malformed_xml")
    assert "DOCTYPE" in detail
    assert "root:" not in detail


def test_voc_in_an_encoding_that_is_none() -> None:
    xml = '<?xml version="1.0" encoding="utf-99"?><annotation/>'
    [(_, code, detail)] = faults_of(read_voc, {"a.jpg": "", "a.xml": xml})
    assert code == "malformed_xml"
    assert "encoding" in detail


def test_voc_of_too_many_bytes_or_levels() -> None:
    with pytest.raises(TooLarge):
        read(read_voc, {"a.jpg": "", "a.xml": b" " * (5 << 20)})
    deep = "<annotation>" + "<a>" * 100_000 + "</a>" * 100_000 + "</annotation>"
    assert read(read_voc, {"a.jpg": "", "a.xml": deep}).images[0].boxes == []


ROIS = {
    "train_img_file.txt": "0\tpositive/a.jpg\t0\n1\t.../positive/b.jpg\t0\n",
    "train_roi_file.txt": "0 |roiAndLabel 0.0 0.0 7.0 5.0 2.0 1 1 2 2 1 0 0 0 0 0\n1 |roiAndLabel\n",
    "test_img_file.txt": "0\ttestImages\\c.jpg\t0\r\n",
    "test_roi_file.txt": "0 |roiAndLabel 1 2 3 4 1\r\n",
    "class_map.txt": "__background__\t0\nmilk\t1\negg box\t2\n",
    "positive/a.jpg": "",
    "positive/b.jpg": "",
    "positive/unlisted.jpg": "",
    "negative/n.jpg": "",
    "testImages/c.jpg": "",
}


REGIONS, IMAGES, BROKEN = "train_roi_file.txt", "test_img_file.txt", "malformed_regions"


def test_region_files() -> None:
    found = read(read_rois, ROIS)
    assert found.classes == ["milk", "egg box"]
    assert [(image.path, image.split, len(image.boxes)) for image in found.images] == [
        ("positive/a.jpg", "train", 2),
        ("positive/b.jpg", "train", 0),
        ("negative/n.jpg", "train", 0),
        ("testImages/c.jpg", "test", 1),
    ]
    # Counted from 0, both corners within: of an image 8 wide and 6 high, the first is all.
    assert [(box.name, box.corners) for box in found.images[0].boxes] == [
        ("egg box", (0, 0, 8, 6)),
        ("milk", (1, 1, 3, 3)),
    ]


def test_region_files_in_a_folder_with_a_class_map_that_has_no_background() -> None:
    files = {f"grocery/{name}": data for name, data in ROIS.items()}
    files["grocery/class_map.txt"] = "gone\t2\nmilk\t1\ncan\t0\n"
    found = read(read_rois, files)
    assert found.classes == ["can", "milk", "gone"]
    assert [box.name for box in found.images[0].boxes] == ["gone", "milk", "can"]


@pytest.mark.parametrize(
    ("name", "text", "place", "code", "words"),
    [
        ("class_map.txt", None, "/file", "missing_file", "class_map.txt is not in the archive"),
        ("class_map.txt", "milk 1\n", "class_map.txt/line 1", "malformed_map", "a tab and its number"),
        ("class_map.txt", "a\t1\nb\t1\n", "class_map.txt/line 2", "malformed_map", "on a line before"),
        (REGIONS, None, "train_img_file.txt", "missing_file", "train_roi_file.txt is not"),
        (REGIONS, "0 |roi 1 2 3 4 1", f"{REGIONS}/line 1", BROKEN, "roiAndLabel"),
        (REGIONS, "0 |roiAndLabel 1 2 3", f"{REGIONS}/line 1", BROKEN, "3 values"),
        (REGIONS, "0 |roiAndLabel 1 2 3 4 x", f"{REGIONS}/line 1", BROKEN, "5 num"),
        (REGIONS, "7 |roiAndLabel", f"{REGIONS}/line 1", BROKEN, "number 7"),
        (REGIONS, "0 |roiAndLabel\n0 |roiAndLabel", f"{REGIONS}/line 2", BROKEN, "line before"),
        (REGIONS, "0 |roiAndLabel 1 2 3 4 3", f"{REGIONS}/line 1", "unknown_class", "class 3 is not"),
        (REGIONS, "0 |roiAndLabel 1 2 3 4 1.5", f"{REGIONS}/line 1", "unknown_class", "1.5"),
        (IMAGES, "0\ttestImages/d.jpg\t0", f"{IMAGES}/line 1", "missing_image", "testImages/c.jpg"),
        (IMAGES, "0\tpositive/a.jpg\t0", IMAGES, "duplicate", "'train'"),
        (IMAGES, "positive/a.jpg 0", f"{IMAGES}/line 1", "malformed_map", "a tab"),
        (IMAGES, b"0\t\xff.jpg", IMAGES, "not-utf-8", "0xff"),
    ],
)  # fmt: skip
def test_region_file_faults(name: str, text: str | bytes | None, place: str, code: str, words: str) -> None:
    files: dict[str, str | bytes] = {**ROIS}
    files.pop(name)
    if text is not None:
        files[name] = text
    found = faults_of(read_rois, files)
    expected = place if place == "/file" else f"/file/a.zip/{place}"
    assert any(at == expected and code == kind and words in detail for at, kind, detail in found), found


def test_boxes_on_missing_images_are_told_once() -> None:
    """The image's own fault says it; its regions are not faulty too."""
    files = {**ROIS, "train_img_file.txt": "0\tpositive/a.jpg\t0\n1\tpositive/gone.jpg\t0\n"}
    [(place, code, _)] = faults_of(read_rois, files)
    assert (place, code) == ("/file/a.zip/train_img_file.txt/line 2", "missing_image")


def coco(images: object, annotations: object = ()) -> str:
    animals = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat", "supercategory": "animal"}]
    return json.dumps({"info": {}, "images": images, "annotations": annotations, "categories": animals})


COCO: dict[str, str | bytes] = {
    "annotations/instances_train2017.json": coco(
        [
            {"id": 1, "file_name": "a.jpg", "width": 8, "height": 6},
            {"id": 2, "file_name": "b.jpg", "width": 8, "height": 6},
        ],
        [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [0, 0, 8, 6], "iscrowd": 0, "area": 48},
            {"id": 2, "image_id": 1, "category_id": 3, "bbox": [1.5, 2, 3, 1], "iscrowd": 1},
        ],
    ),
    "annotations/instances_val2017.json": coco([{"id": 1, "file_name": "a.jpg"}]),
    "test/_annotations.coco.json": coco([{"id": 0, "file_name": "c.png"}]),
    "train2017/a.jpg": "",
    "train2017/b.jpg": "",
    "val2017/a.jpg": "",
    "test/c.png": "",
}


def test_coco() -> None:
    found = read(read_coco, COCO)
    assert found.classes == ["cat", "dog"]
    assert [(image.path, image.split, image.size) for image in found.images] == [
        ("train2017/a.jpg", "train", (6, 8)),
        ("train2017/b.jpg", "train", (6, 8)),
        ("val2017/a.jpg", "valid", None),
        ("test/c.png", "test", None),
    ]
    assert [(box.name, box.corners, box.difficult) for box in found.images[0].boxes] == [
        ("dog", (0, 0, 8, 6), False),
        ("cat", (1.5, 2, 4.5, 3), True),
    ]


MALFORMED = "malformed_coco"
IMAGE = {"id": 1, "file_name": "a.jpg"}
BOX = {"image_id": 1, "category_id": 3, "bbox": [0, 0, 1, 1]}


@pytest.mark.parametrize(
    ("text", "place", "code", "words"),
    [
        ("{", "", MALFORMED, "JSON"),
        ("[]", "", MALFORMED, "object"),
        ('{"images": []}', "/categories", MALFORMED, "required"),
        (coco([{"id": 1}]), "/images/0/file_name", MALFORMED, "required"),
        (coco([IMAGE], [{**BOX, "bbox": [0, 0, 1]}]), "/annotations/0/bbox/3", MALFORMED, "required"),
        (coco([IMAGE], [{**BOX, "bbox": [0, 0, 1, "w"]}]), "/annotations/0/bbox/3", MALFORMED, "'w'"),
        (coco([IMAGE], [{**BOX, "bbox": [0, 0, 1, math.nan]}]), "/annotations/0/bbox/3", MALFORMED, "finite"),
        (coco([{**IMAGE, "width": 0}]), "/images/0/width", MALFORMED, "greater"),
        (coco([IMAGE, IMAGE]), "/images/1", "duplicate", "id 1"),
        (coco([IMAGE, {**IMAGE, "id": 2}]), "/images/1", "duplicate", "listed once"),
        (coco([{**IMAGE, "file_name": "b.jpg"}]), "/images/0", "missing_image", "did you mean 'a.jpg'?"),
        (coco([IMAGE], [{**BOX, "image_id": 5}]), "/annotations/0/image_id", "missing_image", "id 5"),
        (coco([IMAGE], [{**BOX, "category_id": 5}]), "/annotations/0/category_id", "unknown_class", "3 cat"),
    ],
)  # fmt: skip
def test_coco_faults(text: str, place: str, code: str, words: str) -> None:
    found = faults_of(read_coco, {"train.json": text, "a.jpg": ""})
    assert [(at, kind) for at, kind, _ in found] == [("/file/a.zip/train.json" + place, code)]
    assert words in found[0][2]


def test_coco_names_that_may_be_several_images() -> None:
    files: dict[str, str | bytes] = {"all.json": coco([IMAGE]), "one/a.jpg": "", "two/a.jpg": ""}
    [(_, code, detail)] = faults_of(read_coco, files)
    assert code == "ambiguous_image"
    assert "'one/a.jpg', 'two/a.jpg'" in detail


@pytest.mark.parametrize(
    ("corners", "code"),
    [
        ((0, 0, 8, 6), None),
        ((-1, -1, 9, 7), None),
        ((-1.1, 0, 8, 6), "outside"),
        ((0, 0, 8, 7.1), "outside"),
        ((8, 0, 8.5, 6), "outside"),
        ((3, 2, 3, 4), "inverted_box"),
        ((3, 4, 5, 2), "inverted_box"),
    ],
)
def test_boxes_that_no_image_can_have(corners: tuple[float, float, float, float], code: str | None) -> None:
    found = refused(corners, (6, 8))
    assert (found[0] if found else None) == code


def test_clipping() -> None:
    assert clipped((-2, 1, 9, 7), (6, 8)) == (0, 1, 8, 6)
    assert clipped((8, 0, 9, 6), (6, 8)) is None


GIVEN: dict[str, str | bytes] = {
    **ROIS,
    "train_proposals.txt": "0 |proposals 0 0 3 3 1 1 2 5\n1 |proposals\n",
    "other/rest-proposals.txt": "../testImages/c.jpg\t0.5 0 4 4\n",
}


def given_of(archive: Archive, images: Sequence[str], faults: FaultList) -> dict[str, Given]:
    return read_given(archive, (), images, faults)


def given(files: Mapping[str, str | bytes], named: Sequence[str] = ()) -> dict[str, Given]:
    def reader(archive: Archive, images: Sequence[str], faults: FaultList) -> dict[str, Given]:
        return read_given(archive, named, images, faults)

    return read(reader, files)


def test_given_proposals() -> None:
    found = given(GIVEN)
    assert {image: proposals.boxes.tolist() for image, proposals in found.items()} == {
        "positive/a.jpg": [[0, 0, 4, 4], [1, 1, 3, 6]],
        "positive/b.jpg": [],
        "testImages/c.jpg": [[0.5, 0, 4, 4]],
    }
    assert list(given(GIVEN, ["other/rest-proposals.txt"])) == ["testImages/c.jpg"]


@pytest.mark.parametrize(
    ("changes", "named", "place", "code"),
    [
        ({}, ["prop.txt"], "/options/images/proposals/files/0", "missing_file"),
        ({"train_proposals.txt": "0 |proposals 1 2"}, (), "/file/a.zip/train_proposals.txt/line 1", BROKEN),
        ({"train_proposals.txt": "5 |proposals"}, (), "/file/a.zip/train_proposals.txt/line 1", BROKEN),
        ({"val_proposals.txt": "0 |proposals"}, (), "/file/a.zip/val_proposals.txt", "missing_file"),
        ({"z_proposals.txt": "a.jpg 1 2 3 4"}, (), "/file/a.zip/z_proposals.txt/line 1", BROKEN),
        ({"z_proposals.txt": "a.jpg\t1 2 3 4"}, (), "/file/a.zip/z_proposals.txt/line 1", "missing_image"),
        ({"z_proposals.txt": "a.jpg\t1 2 3"}, (), "/file/a.zip/z_proposals.txt/line 1", BROKEN),
        ({"z_proposals.txt": "positive/a.jpg\t"}, (), "/file/a.zip/z_proposals.txt/line 1", "duplicate"),
    ],
)
def test_given_proposal_faults(
    changes: dict[str, str | bytes], named: Sequence[str], place: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        given({**GIVEN, **changes}, named)
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [(place, code)]


def test_no_file_of_proposals() -> None:
    with pytest.raises(InvalidInput, match=r"proposals\.txt"):
        given(ROIS)


def broken(random: np.random.RandomState, data: str | bytes) -> bytes:
    """The bytes with a few cut out, repeated, or changed."""
    content = bytearray(data if isinstance(data, bytes) else data.encode())
    for _ in range(random.randint(1, 4)):
        start, length = random.randint(0, len(content) + 1), random.randint(0, 12)
        piece = content[start : start + length]
        content[start : start + length] = [
            b"",
            piece * 3,
            random.bytes(length),
            b" -1e999 ",
            b"\t",
            b"<!DOCTYPE a>",
        ][random.randint(6)]
    return bytes(content)


@pytest.mark.parametrize(
    ("reader", "files"),
    [(read_voc, VOC), (read_rois, ROIS), (read_coco, COCO), (given_of, GIVEN)],
    ids=["voc", "rois", "coco", "given"],
)
def test_damage_is_named_or_harmless(reader: Callable[..., object], files: Mapping[str, str | bytes]) -> None:
    """Whatever is broken, what comes is a fault that says so, or boxes of finite numbers."""
    random = np.random.RandomState(5)
    told: list[Fault] = []
    for _ in range(400):
        texts = [name for name in files if files[name]]
        name = texts[random.randint(len(texts))]
        try:
            found = read(reader, {**files, name: broken(random, files[name])})
        except InvalidInput as error:
            told.extend(error.faults)
            continue
        images = found.images if isinstance(found, AnnotatedImages) else []
        corners = [box.corners for image in images for box in image.boxes]
        assert np.isfinite(np.array(corners)).all()
    assert len(told) > 100
    assert all(fault.pointer.startswith("/") and fault.detail for fault in told)
