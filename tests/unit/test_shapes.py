"""The shapes that examples are drawn of."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from examples import shapes


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    path = tmp_path_factory.mktemp("shapes") / "shapes.zip"
    shapes.write(path)
    return zipfile.ZipFile(path)


def picture(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with Image.open(io.BytesIO(archive.read(name))) as image:
        return np.asarray(image)


def test_the_same_every_time(archive: zipfile.ZipFile, tmp_path: Path) -> None:
    first = Path(str(archive.filename)).read_bytes()
    shapes.write(tmp_path / "again.zip")
    shapes.write(tmp_path / "other.zip", seed=2)
    assert (tmp_path / "again.zip").read_bytes() == first
    assert (tmp_path / "other.zip").read_bytes() != first


def test_boxes_are_tight_around_what_is_bright(archive: zipfile.ZipFile) -> None:
    names = [name for name in archive.namelist() if name.startswith("JPEGImages/")]
    kinds: Counter[str] = Counter()
    without = 0
    for name in names:
        bright = picture(archive, name).min(axis=2) >= 120
        drawn = np.zeros_like(bright)
        annotations = f"Annotations/{Path(name).stem}.xml"
        if annotations not in archive.namelist():
            without += 1
        else:
            for found in ElementTree.fromstring(archive.read(annotations)).iter("object"):
                x1, y1, x2, y2 = (
                    int(found.findtext(f"bndbox/{k}") or 0) for k in ("xmin", "ymin", "xmax", "ymax")
                )
                inside = bright[y1 - 1 : y2, x1 - 1 : x2]
                for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
                    assert edge.any(), name
                drawn[y1 - 1 : y2, x1 - 1 : x2] = True
                kinds[found.findtext("name") or ""] += 1
        assert not bright[~drawn].any(), name
    assert set(kinds) == set(shapes.KINDS)
    assert min(kinds.values()) > 50
    assert without > 10
    lists = [archive.read(f"ImageSets/Main/{split}.txt").decode().split() for split in shapes.COUNTS]
    assert [len(names) for names in lists] == list(shapes.COUNTS.values())
    assert sorted(Path(name).stem for name in names) == sorted(name for names in lists for name in names)


def test_one_in_a_folder_of_its_class(tmp_path: Path) -> None:
    shapes.write(tmp_path / "folders.zip", folders=True)
    archive = zipfile.ZipFile(tmp_path / "folders.zip")
    counts = Counter(tuple(name.split("/")[:2]) for name in archive.namelist())
    assert {kind for _, kind in counts} == set(shapes.KINDS)
    for split, count in shapes.COUNTS.items():
        assert sum(number for (here, _), number in counts.items() if here == split) == count
    # Of its square a square covers all, a disc three quarters and a triangle half.
    for kind, share in (("square", 1), ("disc", np.pi / 4), ("triangle", 0.5)):
        name = next(name for name in archive.namelist() if f"/{kind}/" in name)
        bright = picture(archive, name).min(axis=2) >= 120
        rows, columns = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
        area = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
        assert bright.sum() / area == pytest.approx(share, abs=0.06)
