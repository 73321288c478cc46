"""What a trained detector leaves: detections, their figures, and arrays for pictures."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from tests.coco_evaluation import Evaluation
from tests.drawn_shapes import CLASSES, SIDE, drawn
from tests.integration.test_evaluate import Laboratory
from tests.trainer_runs import Workshop
from tests.valkey_server import ValkeyServer
from trainer.files import read_json
from trainer.layout import RunDirectory

IMAGES, TRAIN = 60, 40
TEST = np.arange(TRAIN, IMAGES)
SCALE, LEFT, TOP = 0.5, 2.0, -3.0
"""How the images that are drawn lie on others that are said to have been uploaded."""
WIDTH, HEIGHT = 88, 102


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    found = drawn(IMAGES, seed=5, proposals=30)
    found["difficult"].steps[::7] = 1
    found["placement"] = np.tile(
        np.array([SCALE, SCALE, LEFT, TOP, WIDTH, HEIGHT], dtype=np.float32), (IMAGES, 1)
    )
    return found


def spec(dataset: str, **settings: Any) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "recipe": {
            "type": "fast_rcnn",
            "difficult": "difficult",
            "maps": [8, 16],
            "hidden": [32],
            "roi_size": 4,
            "regions_per_image": 16,
            **settings,
        },
        "learner": {"type": "adam", "alpha": 0.003},
        "training": {"epochs": 8, "minibatch_size": 4, "seed": 3},
    }


@pytest.fixture(scope="module")
def trained(workshop: Workshop, columns: dict[str, Any]) -> tuple[RunDirectory, dict[str, Any]]:
    name = workshop.dataset("detections", columns, {"train": np.arange(TRAIN), "test": TEST})
    run = workshop.job("detections", spec(name))
    return run, workshop.train(run)


def original(boxes: np.ndarray) -> np.ndarray:
    """Boxes as they lie on the images that are said to have been uploaded."""
    moved = (boxes.astype(np.float64) - np.tile([LEFT, TOP], 2)) / SCALE
    return np.clip(moved, 0, np.tile([WIDTH, HEIGHT], 2))


def annotated(columns: dict[str, Any], row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    steps = columns["boxes"].of(np.array([row]))
    return (
        original(columns["boxes"].steps[steps]),
        columns["box_class"].steps[steps],
        columns["difficult"].steps[steps, 0],
    )


def test_a_report_says_what_cocos_own_evaluation_finds(trained, columns):
    run, result = trained
    report = read_json(run.report)["heads"]["scores"]
    document = read_json(run.artifacts / "detections.json")
    assert [image["id"] for image in document["images"]] == TEST.tolist()
    assert {(image["width"], image["height"]) for image in document["images"]} == {(WIDTH, HEIGHT)}
    annotations = []
    for row in TEST.tolist():
        for (x1, y1, x2, y2), kind, difficult in zip(*annotated(columns, row), strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": row,
                    "category_id": int(kind) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": int(difficult),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"info": {}, **document, "annotations": annotations}
        truth.createIndex()
        evaluation = Evaluation(truth, truth.loadRes(document["annotations"]), "bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [1, 10, 100]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]
    assert report["difficult"] > 0
    assert report["map_50_95"] > 0.05
    # Boxes are cut at other borders there, which may change an overlap here and there.
    assert report["map_50"] == pytest.approx(precision[0].mean(), abs=0.005)
    assert report["map_50_95"] == pytest.approx(precision.mean(), abs=0.005)
    for name in ("map_50", "map_50_95", "map_11_point", "map_all_point"):
        assert result["metrics"]["test"][name] == report[name]
    assert report["settings"] == {
        "suppression_overlap": 0.5,
        "least_score": 0.0,
        "detections_per_image": 100,
    }
    assert report["images"] == len(TEST)
    there = [annotated(columns, row) for row in TEST]
    assert [told["objects"] for told in report["classes"]] == [
        sum(int(((kinds == k) & (marks == 0)).sum()) for _, kinds, marks in there)
        for k in range(len(CLASSES))
    ]
    assert report["detections"] == sum(told["detections"] for told in report["classes"])


def test_predictions_tell_of_each_image(trained, columns):
    run, _ = trained
    lines = [json.loads(line) for line in (run.artifacts / "predictions.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == TEST.tolist()
    document = read_json(run.artifacts / "detections.json")
    names = {category["id"]: category["name"] for category in document["categories"]}
    for line in lines:
        boxes, kinds, marks = annotated(columns, line["row"])
        true = line["scores"]["true"]
        np.testing.assert_allclose(np.reshape([told["box"] for told in true], (-1, 4)), boxes, atol=1e-3)
        assert [told["class"] for told in true] == [names[int(kind) + 1] for kind in kinds]
        assert [told["difficult"] for told in true] == [bool(mark) for mark in marks]
        mine = [found for found in document["annotations"] if found["image_id"] == line["row"]]
        said = [told for told in line["scores"]["predicted"] if told["box"][2] > told["box"][0]]
        said = [told for told in said if told["box"][3] > told["box"][1]]
        assert [told["score"] for told in said] == [found["score"] for found in mine]
        assert [told["class"] for told in said] == [names[found["category_id"]] for found in mine]
        scores = [found["score"] for found in mine]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) <= 100


def test_arrays_to_draw_are_of_the_first_images(trained, columns):
    run, _ = trained
    report = read_json(run.report)["heads"]["scores"]
    with np.load(run.detections) as found:
        assert found["row"].tolist() == TEST[:12].tolist()
        assert np.array_equal(found["image"], columns["image"][TEST[:12]])
        assert len(found["before"]) > len(found["after"]) > 0
        assert found["after"][:, 6].min() >= found["sure"] == 0.5
        after = {tuple(line) for line in found["after"].tolist()}
        assert after < {tuple(line) for line in found["before"].tolist()}
        assert found["true"][:, 1:5].max() <= SIDE
        assert set(found["true"][:, 6]) == {0.0, 1.0}
        for k, told in enumerate(report["classes"]):
            assert found["averages"][k].tolist() == [told["ap_all_point"], told["ap_11_point"]]
            _, recall, precision = found["curves"][found["curves"][:, 0] == k].T
            assert recall[-1] == pytest.approx(told["right"] / told["objects"])
            assert precision[-1] == pytest.approx(told["right"] / (told["right"] + told["wrong"]))


def test_a_detector_that_finds_nothing(workshop, columns):
    """No detection is sure enough: an average precision of 0, and files that say so."""
    name = workshop.dataset("nothing", columns, {"train": np.arange(8), "valid": np.arange(8, 16)})
    document = spec(name, least_score=1.0)
    document["training"] |= {"epochs": 1}
    run = workshop.job("nothing", document)
    result = workshop.train(run)
    report = read_json(run.report)["heads"]["scores"]
    assert report["detections"] == 0
    assert report["map_50"] == report["map_50_95"] == report["map_11_point"] == report["map_all_point"] == 0
    assert result["metrics"]["valid"]["map_50"] == 0
    assert read_json(run.artifacts / "detections.json")["annotations"] == []
    with np.load(run.detections) as found:
        assert found["before"].shape == found["after"].shape == (0, 7)
        assert found["curves"].shape == (0, 3)


def test_images_on_which_nothing_is_annotated(workshop, columns):
    """No average can be told, and nothing breaks."""
    bare = np.flatnonzero(columns["boxes"].lengths == 0)
    name = workshop.dataset("bare", columns, {"train": np.arange(8), "test": bare[:3]})
    document = spec(name)
    document["training"] |= {"epochs": 1}
    run = workshop.job("bare", document)
    result = workshop.train(run)
    report = read_json(run.report)["heads"]["scores"]
    assert report["objects"] == 0
    assert report["map_50"] is None
    assert "map_50" not in result["metrics"]["test"]
    with np.load(run.detections) as found:
        assert found["true"].shape == (0, 7)
        assert np.isnan(found["averages"]).all()


def test_on_images_that_nobody_annotated(workshop, columns, valkey: ValkeyServer):
    """Detections are told as before, and nothing of how good they are."""
    name = workshop.dataset("known", columns, {"train": np.arange(TRAIN), "test": TEST})
    document = spec(name)
    document["training"] |= {"epochs": 2}
    laboratory = Laboratory(workshop, valkey.url)
    job_id = laboratory.trained(document)
    bare = {name: columns[name] for name in ("image", "proposals", "placement")}
    unknown = workshop.dataset("unknown", bare, {"train": np.arange(2), "test": TEST})
    trained, evaluated = laboratory.run(job_id), laboratory.evaluated(job_id, dataset=unknown)
    same = [(run.artifacts / "detections.json").read_bytes() for run in (trained, evaluated)]
    assert same[0] == same[1]
    report = read_json(evaluated.report)["heads"]["scores"]
    assert report["detail"] == "the data set lacks the boxes: predictions only"
    assert report["detections"] == read_json(trained.report)["heads"]["scores"]["detections"] > 0
    assert "map_50" not in report
    line = json.loads((evaluated.artifacts / "predictions.jsonl").read_text().splitlines()[0])
    assert set(line["scores"]) == {"predicted"}
    with np.load(evaluated.detections) as found:
        assert "true" not in found
        assert len(found["image"]) == 12
