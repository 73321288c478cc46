"""Real annotated images, in the three layouts that people have them in."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ingest.annotations.voc import read_voc
from ingest.faults import FaultList
from tests.ingestion import Ingested, Ingestion
from tests.unit.test_annotations import Archive

SIZE = [240, 320]
SPLITS = {"train": 205, "valid": 87, "test": 72}
CLASSES = ["Platelets", "RBC", "WBC"]


@pytest.fixture(scope="module")
def folder(test_data: Callable[[str], Path]) -> Path:
    return test_data("det_bccd")


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def packed(path: Path, files: dict[str, Path | str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            if isinstance(data, Path):
                archive.write(data, name)
            else:
                archive.writestr(name, data)
    return path


def files_of(folder: Path) -> dict[str, Path | str]:
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}


def images_of(folder: Path) -> dict[str, Path | str]:
    return {name: path for name, path in files_of(folder).items() if name.endswith(".jpg")}


def test_blood_cells(ingestion: Ingestion, tmp_path: Path, folder: Path) -> None:
    """As Pascal VOC; then rewritten as CNTK's region files and as COCO, where the boxes must be the same."""
    voc = ingestion.add({"a.zip": packed(tmp_path / "voc.zip", files_of(folder))}, images={"size": SIZE})
    assert voc.splits == SPLITS
    fields = voc.schema.fields
    assert fields["image"].shape == (3, *SIZE)
    assert fields["box_class"].classes == CLASSES
    # The numbers of the data's README.
    counts = Counter(np.array(CLASSES)[voc.array("box_class")].tolist())
    assert counts == {"RBC": 4155, "WBC": 372, "Platelets": 361}
    boxes = voc.array("boxes")
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (boxes >= 0).all()
    assert (boxes.max(axis=0) <= [320, 240, 320, 240]).all()
    assert np.unique(voc.array("placement"), axis=0).tolist() == [[0.5, 0.5, 0, 0, 640, 480]]
    for rewrite in (as_regions, as_coco):
        path = packed(tmp_path / "other.zip", {**images_of(folder), **rewrite(folder)})
        other = ingestion.add({"a.zip": path}, images={"size": SIZE})
        assert other.splits == SPLITS
        assert_same_boxes(voc, other)


def test_proposals_reach_blood_cells(ingestion: Ingestion, tmp_path: Path, folder: Path) -> None:
    """The first ten images: cells that touch one another, in 640 x 480."""
    names = {f"BloodImage_{number:05}" for number in range(10)}
    files = {name: path for name, path in files_of(folder).items() if Path(name).stem in names}
    found = ingestion.add({"a.zip": packed(tmp_path / "ten.zip", files)}, images={"proposals": {}})
    told = found.schema.fields["proposals"].proposals
    assert told is not None
    assert found.schema.fields["proposals"].max_length == 2000
    recall = told.recall["train"]
    assert recall["0.5"] is not None
    assert recall["0.5"] >= 0.97
    assert recall["0.7"] is not None
    assert recall["0.7"] >= 0.5


def assert_same_boxes(one: Ingested, other: Ingested) -> None:
    """Row by row; the rows of a split may come in another order."""
    assert other.schema.fields["box_class"].classes == CLASSES
    assert by_image(one) == by_image(other)


def by_image(found: Ingested) -> dict[str, tuple[list[float], list[int]]]:
    lines = (found.folder / "image_names.txt").read_text(encoding="utf-8").splitlines()
    offsets = found.array("boxes", "offsets")
    pieces = [slice(offsets[row], offsets[row + 1]) for row in range(len(lines))]
    boxes, codes = found.array("boxes"), found.array("box_class")
    return {
        json.loads(line): (boxes[piece].tolist(), codes[piece].tolist())
        for line, piece in zip(lines, pieces, strict=True)
    }


def annotated(folder: Path) -> dict[str, list[tuple[str, list[tuple[str, tuple[float, ...]]]]]]:
    """The images of each split, each with its boxes."""
    files = {
        name: path.read_bytes() if isinstance(path, Path) and not name.endswith(".jpg") else b""
        for name, path in files_of(folder).items()
    }
    found = read_voc(Archive(files), list(images_of(folder)), FaultList())
    splits: dict[str, list[tuple[str, list[tuple[str, tuple[float, ...]]]]]] = {}
    for image in found.images:
        boxes = [(box.name, box.corners) for box in image.boxes]
        splits.setdefault(str(image.split), []).append((image.path, boxes))
    return splits


def as_regions(folder: Path) -> dict[str, Path | str]:
    lines = [f"{name}\t{code}\n" for code, name in enumerate(["__background__", *CLASSES])]
    files: dict[str, Path | str] = {"class_map.txt": "".join(lines)}
    for split, images in annotated(folder).items():
        listed = regions = ""
        for number, (path, boxes) in enumerate(images):
            listed += f"{number}\t{path}\t0\n"
            regions += f"{number} |roiAndLabel"
            for name, (x1, y1, x2, y2) in boxes:
                regions += f" {x1:g} {y1:g} {x2 - 1:g} {y2 - 1:g} {CLASSES.index(name) + 1}"
            regions += "\n"
        files[f"{split}_img_file.txt"], files[f"{split}_roi_file.txt"] = listed, regions
    return files


def as_coco(folder: Path) -> dict[str, Path | str]:
    files: dict[str, Path | str] = {}
    for split, images in annotated(folder).items():
        document: dict[str, list[dict[str, object]]] = {"images": [], "annotations": [], "categories": []}
        document["categories"] = [{"id": code, "name": name} for code, name in enumerate(CLASSES)]
        for number, (path, boxes) in enumerate(images):
            document["images"].append(
                {"id": number, "file_name": Path(path).name, "width": 640, "height": 480}
            )
            for name, (x1, y1, x2, y2) in boxes:
                box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "category_id": CLASSES.index(name)}
                document["annotations"].append({"image_id": number, **box})
        files[f"annotations/{split}.json"] = json.dumps(document)
    return files
