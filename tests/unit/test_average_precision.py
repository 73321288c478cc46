"""Average precision, against COCO's own evaluation."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO

from tests.coco_evaluation import Evaluation
from trainer.detection.average_precision import ELEVEN, THRESHOLDS, Truth, averages, means, outcomes
from trainer.detection.detections import Detections

Image = tuple[Detections, Truth]
CLASSES = 4
"""The last one is never annotated."""


def wide(boxes: np.ndarray) -> list[list[float]]:
    """COCO's x, y, width, height."""
    return [[float(n) for n in (x1, y1, x2 - x1, y2 - y1)] for x1, y1, x2, y2 in boxes]


def by_coco(images: list[Image], recalls: np.ndarray | None = None) -> np.ndarray:
    """COCO's precision (thresholds, recalls, classes); -1 where nothing is annotated."""
    annotations, results = [], []
    for number, (said, truth) in enumerate(images, 1):
        for box, kind, difficult in zip(wide(truth.boxes), truth.classes, truth.difficult, strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(kind) + 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": int(difficult),
                }
            )
        for box, kind, score in zip(wide(said.boxes), said.classes, said.scores, strict=True):
            results.append(
                {"image_id": number, "category_id": int(kind) + 1, "bbox": box, "score": float(score)}
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth_of_all = COCO()
        truth_of_all.dataset = {
            "info": {},
            "images": [{"id": number} for number in range(1, len(images) + 1)],
            "categories": [{"id": number, "name": str(number)} for number in range(1, CLASSES + 1)],
            "annotations": annotations,
        }
        truth_of_all.createIndex()
        if not results:
            # It loads no empty list of results.
            found = COCO()
            found.dataset = {**truth_of_all.dataset, "annotations": []}
            found.createIndex()
        else:
            found = truth_of_all.loadRes(results)
        evaluation = Evaluation(truth_of_all, found, "bbox")
        evaluation.params.maxDets = [1000]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        if recalls is not None:
            evaluation.params.recThrs = recalls
        evaluation.evaluate()
        evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"])[:, :, :, 0, 0]


def random_images(seed: int, count: int = 12) -> list[Image]:
    """Detections near what is annotated and elsewhere; many of equal scores, boxes twice, difficult ones."""
    draw = np.random.default_rng(seed)
    images = []
    for number in range(count):
        objects = int(draw.integers(0, 9)) if number else 0
        corner = draw.integers(0, 60, (objects, 2))
        boxes = np.concatenate([corner, corner + draw.integers(5, 40, (objects, 2))], axis=1).astype(float)
        if objects > 3:
            boxes[3] = boxes[2]
        classes = draw.integers(0, CLASSES - 1, objects)
        difficult = draw.random(objects) < 0.25
        near = np.repeat(np.arange(objects), draw.integers(0, 4, objects))
        moved = boxes[near] + draw.integers(-4, 5, (len(near), 4))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        corner = draw.integers(0, 60, (5, 2))
        elsewhere = np.concatenate([corner, corner + draw.integers(5, 40, (5, 2))], axis=1)
        said = np.concatenate([moved, elsewhere]).astype(np.float32)
        kinds = np.concatenate([classes[near], draw.integers(0, CLASSES, 5)])
        scores = np.round(draw.random(len(said)), 1).astype(np.float32)
        order = np.argsort(-scores, kind="stable")
        images.append((Detections(said, kinds, scores).taken(order), Truth(boxes, classes, difficult)))
    return images


def nothing_found(images: list[Image]) -> list[Image]:
    return [(said.taken(np.zeros(0, dtype=int)), truth) for said, truth in images]


@pytest.mark.parametrize("seed", range(6))
def test_averages_are_those_of_coco(seed):
    images = random_images(seed)
    precision = by_coco(images)
    eleven = by_coco(images, ELEVEN)
    of_classes = [averages(found) for found in outcomes(images, CLASSES)]
    assert any(truth.difficult.any() for _, truth in images)
    for number, told in enumerate(of_classes):
        if precision[0, 0, number] < 0:
            assert told["ap_50"] is told["ap_50_95"] is told["ap_11_point"] is told["ap_all_point"] is None
            continue
        assert told["ap_50"] == pytest.approx(precision[0, :, number].mean(), abs=1e-12)
        assert told["ap_50_95"] == pytest.approx(precision[:, :, number].mean(), abs=1e-12)
        assert told["ap_11_point"] == pytest.approx(eleven[0, :, number].mean(), abs=1e-12)
        # Every recall that there can be: the whole area.
        points = by_coco(images, np.arange(1, told["objects"] + 1) / told["objects"] - 1e-9)
        assert told["ap_all_point"] == pytest.approx(points[0, :, number].mean(), abs=1e-12)
        assert 0 < told["ap_50_95"] < told["ap_50"] < 1
    assert of_classes[-1]["ap_50"] is None
    assert of_classes[-1]["wrong"] == of_classes[-1]["detections"] > 0
    known = precision[..., precision[0, 0] > -1]
    found = means(of_classes)
    assert found["map_50"] == pytest.approx(known[0].mean(), abs=1e-12)
    assert found["map_50_95"] == pytest.approx(known.mean(), abs=1e-12)
    assert found["map_all_point"] == pytest.approx(np.mean([t["ap_all_point"] for t in of_classes[:-1]]))


def test_no_detections_at_all():
    images = nothing_found(random_images(0))
    assert by_coco(images)[..., :-1].max() == 0
    of_classes = [averages(found) for found in outcomes(images, CLASSES)]
    assert all(told["ap_50"] == told["ap_11_point"] == told["ap_all_point"] == 0 for told in of_classes[:-1])
    assert set(means(of_classes).values()) == {0.0}


def test_no_images_and_nothing_annotated():
    for images in (
        [],
        [(said, Truth(np.zeros((0, 4)), *np.zeros((2, 0), bool))) for said, _ in random_images(0)],
    ):
        of_classes = [averages(found) for found in outcomes(images, CLASSES)]
        assert set(means(of_classes).values()) == {None}


def test_only_difficult_ones_are_annotated():
    boxes = np.array([[0, 0, 10, 10]], float)
    said = Detections(
        np.array([[0, 0, 10, 10], [0, 0, 9, 10]], float), np.zeros(2, int), np.array([0.9, 0.8])
    )
    (found,) = outcomes([(said, Truth(boxes, np.zeros(1, int), np.ones(1, bool)))], 1)
    told = averages(found)
    assert (told["objects"], told["detections"], told["right"], told["wrong"]) == (0, 2, 0, 0)
    assert told["ap_50"] is None


def test_a_curve_by_hand():
    """Right, wrong, right, of three objects."""
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], float)
    said = Detections(
        np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 8]], float),
        np.zeros(3, int),
        np.array([0.9, 0.8, 0.7]),
    )
    (found,) = outcomes([(said, Truth(boxes, np.zeros(3, int), np.zeros(3, bool)))], 1)
    recall, precision = found.curve()
    assert recall.tolist() == [1 / 3, 1 / 3, 2 / 3]
    assert precision.tolist() == [1, 0.5, 2 / 3]
    told = averages(found)
    assert told["ap_all_point"] == pytest.approx((1 + 2 / 3) / 3)
    assert told["ap_11_point"] == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)
    # Of the second object four fifths are covered: right up to 0.8.
    assert found.right[:, 2].tolist() == [threshold <= 0.8 for threshold in THRESHOLDS.round(9)]
