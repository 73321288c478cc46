"""Annotated boxes as fields: on stored images, clipped or refused, of classes that training knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.annotations.boxes import AnnotatedImage, AnnotatedImages, Box, Corners
from ingest.annotations.classes import settle_classes
from ingest.annotations.placing import BoxFields, Limits, Outside
from ingest.columns import Column
from ingest.faults import FaultList
from jobs.errors import InvalidInput
from tests.unit.test_annotations import Archive


@dataclass(frozen=True)
class At:
    scale_x: float = 1
    scale_y: float = 1
    left: float = 0
    top: float = 0


def image(*boxes: tuple[str, Corners], **settings: Any) -> AnnotatedImage:
    drawn = [Box(name, corners, False, f"object {n}") for n, (name, corners) in enumerate(boxes, 1)]
    return AnnotatedImage("a.jpg", source="a.xml", boxes=drawn, **settings)


def write(
    folder: Path,
    *images: tuple[AnnotatedImage, At],
    outside: Outside = "refuse",
    stored: tuple[int, int] = (6, 8),
) -> dict[str, Column]:
    """Images of 6 x 8 pixels as fields."""
    faults = FaultList()
    fields = BoxFields(folder, ["cat", "dog"], Limits(stored, outside, Archive({}), faults))
    for annotated, placement in images:
        fields.add(annotated, (6, 8), placement)
    found = fields.close()
    faults.raise_if_any()
    return found


def values(column: Column, role: str = "values") -> list[Any]:
    found: list[Any] = np.load(column.files[role]).tolist()
    return found


def test_boxes_of_each_image(tmp_path: Path) -> None:
    found = write(
        tmp_path,
        (image(("dog", (1, 2, 3, 4)), ("cat", (-1, 0, 8, 7))), At(2, 3, 4, -5)),
        (image(), At()),
        (AnnotatedImage("b.jpg", source="b.xml", boxes=[Box("dog", (0, 0, 1, 1), True, "object 1")]), At()),
        stored=(13, 30),
    )
    assert values(found["boxes"]) == [[6, 1, 10, 7], [4, 0, 20, 13], [0, 0, 1, 1]]
    assert values(found["box_class"]) == [1, 0, 1]
    assert values(found["difficult"]) == [[0], [0], [1]]
    assert values(found["placement"]) == [[2, 3, 4, -5, 8, 6], [1, 1, 0, 0, 8, 6], [1, 1, 0, 0, 8, 6]]
    for name in ("boxes", "box_class", "difficult"):
        assert values(found[name], "offsets") == [0, 2, 2, 3]
        assert found[name].sequence
        assert (found[name].count, found[name].max_length) == (3, 2)
    assert (found["box_class"].kind, found["box_class"].classes) == ("categorical", ["cat", "dog"])
    assert found["boxes"].boxes is not None
    # What oversteps by a pixel is rounding: not counted.
    assert found["boxes"].boxes.clipped == 0


def test_no_box_at_all(tmp_path: Path) -> None:
    found = write(tmp_path, (image(), At()))
    assert np.load(found["boxes"].files["values"]).shape == (0, 4)
    assert values(found["boxes"], "offsets") == [0, 0]


WRONG = image(("cat", (2, 2, 11, 4)), ("cat", (4, 2, 3, 3)), ("dog", (9, 7, 12, 9)), ("dog", (1, 1, 2, 2)))


def test_boxes_off_the_image_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        write(tmp_path, (WRONG, At()))
    faults = {fault.pointer: (fault.code, fault.detail) for fault in caught.value.faults}
    assert {place: code for place, (code, _) in faults.items()} == {
        "/file/a.zip/a.xml/object 1": "outside",
        "/file/a.zip/a.xml/object 2": "inverted_box",
        "/file/a.zip/a.xml/object 3": "outside",
    }
    detail = faults["/file/a.zip/a.xml/object 1"][1]
    assert "a.xml, object 1, on a.jpg: the box (2, 2) to (11, 4) leaves the image, which is 8 wide" in detail
    assert "/options/images/boxes" in detail


def test_boxes_off_the_image_are_clipped(tmp_path: Path) -> None:
    found = write(tmp_path, (WRONG, At(0.5, 0.5)), outside="clip")["boxes"]
    assert values(found) == [[1, 1, 4, 2], [0.5, 0.5, 1, 1]]
    assert found.boxes is not None
    assert (found.boxes.clipped, found.boxes.dropped) == (1, 2)
    assert [words.rpartition("; ")[2] for words in found.boxes.named] == ["clipped", "dropped", "dropped"]
    assert "object 2, on a.jpg" in found.boxes.named[1]


def test_boxes_that_a_crop_cuts_off(tmp_path: Path) -> None:
    """Of 8 pixels in width the middle 6 are stored."""
    drawn = image(("cat", (0, 0, 1, 6)), ("dog", (0, 0, 4, 6)))
    found = write(tmp_path, (drawn, At(left=-1)), stored=(6, 6))["boxes"]
    assert values(found) == [[0, 0, 3, 6]]
    assert found.boxes is not None
    assert (found.boxes.clipped, found.boxes.dropped) == (0, 1)
    assert "the crop" in found.boxes.named[0]


@pytest.mark.parametrize(("size", "words"), [((8, 6), "upright"), ((5, 8), "8 wide and 5 high")])
def test_a_size_that_contradicts_the_image(tmp_path: Path, size: tuple[int, int], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        write(tmp_path, (image(("cat", (0, 0, 50, 50)), size=size), At()))
    [fault] = caught.value.faults
    assert (fault.pointer, fault.code) == ("/file/a.zip/a.xml", "size")
    assert words in fault.detail


def settled(
    *images: AnnotatedImage, declared: list[str] | None = None, fitted: list[str] | None = None
) -> list[str]:
    faults = FaultList()
    rest: Any = "train" if fitted is None else "test"
    drawn = AnnotatedImages(list(images), declared)
    classes = settle_classes(drawn, fitted, rest, "correct it", Archive({}), faults)
    faults.raise_if_any()
    return classes


BOX: Corners = (0, 0, 1, 1)


def test_classes_are_those_of_training_boxes() -> None:
    trained = (
        image(("10", BOX), ("9", BOX)),
        image(("10", BOX), split="train"),
        image(("9", BOX), split="test"),
    )
    assert settled(*trained) == ["9", "10"]
    assert settled(*trained, declared=["9", "11", "10"]) == ["9", "11", "10"]
    assert settled(image(), fitted=["b", "a"]) == ["b", "a"]


def test_classes_that_training_does_not_know() -> None:
    images = image(("cat", BOX), ("dog", BOX)), image(("dgo", BOX), ("dgo", BOX), split="test")
    with pytest.raises(InvalidInput) as caught:
        settled(*images)
    [fault] = caught.value.faults
    assert (fault.pointer, fault.code) == ("/file/a.zip/a.xml/object 1", "unknown_class")
    assert (
        "'dgo' in split 'test' is no class of the training images; correct it; did you mean 'dog'?"
        in fault.detail
    )
    with pytest.raises(InvalidInput, match="is no class; correct it"):
        settled(*images, fitted=["cat", "dog"])


def test_no_box_to_train_on() -> None:
    with pytest.raises(InvalidInput, match="nothing to detect"):
        settled(image(), image(("cat", BOX), split="test"))
