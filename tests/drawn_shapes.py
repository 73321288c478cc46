"""Images with squares, discs and triangles on them, their boxes, and proposals around them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.trainer_runs import Sequences

CLASSES = ("disc", "square", "triangle")
SIDE = 48


def inside(kind: int, size: int) -> np.ndarray:
    """Which of size x size pixels a shape covers."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    if kind == 0:
        return np.asarray((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.25)
    if kind == 1:
        return np.ones((size, size), dtype=bool)
    return np.asarray(np.abs(x - 0.5) < y / 2)


def drawn(images: int, seed: int, side: int = SIDE, most: int = 3, proposals: int = 60) -> dict[str, Any]:
    """Columns ``image``, ``boxes``, ``box_class``, ``difficult`` and ``proposals``; some images are empty.

    Of the proposals of an image half lie around its objects, the others anywhere; the fifth image has none.
    """
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 60, size=(images, 3, side, side)).astype(np.uint8)
    boxes, classes, counts, candidates = [], [], [], []
    for image in range(images):
        mine: list[list[float]] = []
        for _ in range(int(random.integers(0, most + 1))):
            size = int(random.integers(side // 5, side // 2))
            left, top = (int(n) for n in random.integers(0, side - size, size=2))
            box = [left, top, left + size, top + size]
            if any(
                min(box[2], b[2]) > max(box[0], b[0]) and min(box[3], b[3]) > max(box[1], b[1]) for b in mine
            ):
                continue
            kind = int(random.integers(len(CLASSES)))
            colour = random.integers(130, 255, size=3)
            pixels[image, :, top : top + size, left : left + size][:, inside(kind, size)] = colour[:, None]
            mine.append([float(n) for n in box])
            classes.append(kind)
        boxes += mine
        counts.append(len(mine))
        candidates.append(np.zeros((0, 4)) if image == 4 else around(mine, proposals, side, random))
    steps = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    lengths = np.array(counts)
    return {
        "image": pixels,
        "boxes": Sequences(steps, lengths),
        "box_class": Sequences(np.array(classes), lengths),
        "difficult": Sequences(np.zeros((len(steps), 1), dtype=np.float32), lengths),
        "proposals": Sequences(
            np.concatenate(candidates).astype(np.float32), np.array([len(each) for each in candidates])
        ),
    }


def around(boxes: list[list[float]], count: int, side: int, random: np.random.Generator) -> np.ndarray:
    corners = random.uniform(0, side, size=(count, 2, 2))
    found = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    for position in range(count // 2 if boxes else 0):
        box = np.array(boxes[position % len(boxes)])
        found[position] = box + random.normal(scale=0.12 * (box[2] - box[0]), size=4)
    return np.asarray(np.clip(found, 0, side))
