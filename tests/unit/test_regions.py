"""Columns of regions: a pure function of seed, epoch and row; images are mirrored with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.dataset import load_schema
from jobs.specs.checks.regions import with_regions
from jobs.specs.region_models import Regions
from tests.drawn_shapes import CLASSES, SIDE, drawn
from tests.trainer_runs import Workshop
from trainer.augmenting import AugmentedColumn
from trainer.detection.overlap import overlaps
from trainer.detection.regions import DatasetOfRegions, opened
from trainer.parts.regions import NAMES

IMAGES = 24


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    return drawn(IMAGES, seed=3)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory, columns: dict[str, Any]) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("home"), {})
    made.dataset("shapes", columns, {"train": np.arange(IMAGES)})
    return made


def of(workshop: Workshop, seed: int = 1, **given: Any) -> DatasetOfRegions:
    rules = Regions(proposals="proposals", difficult="difficult", **given).model_dump()
    found = opened({"regions": rules, "training": {"seed": seed}}, workshop.volume.dataset("ds_shapes"))
    assert isinstance(found, DatasetOfRegions)
    return found


def read(dataset: DatasetOfRegions, rows: Any, epoch: int | None) -> dict[str, list[np.ndarray]]:
    found = {name: dataset.column(name).read(rows, epoch) for name in NAMES}
    return {
        name: [values[:length] for values, length in zip(padded.values, padded.lengths, strict=True)]
        for name, padded in found.items()
    }


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for name in NAMES for a, b in zip(one[name], other[name], strict=True))


def test_choice_depends_on_seed_epoch_and_row_alone(workshop: Workshop) -> None:
    rows = np.array([3, 1, 7, 4])
    first = read(of(workshop), rows, 2)
    again = read(of(workshop), rows[::-1], 2)
    assert same(first, {name: values[::-1] for name, values in again.items()})
    used = of(workshop)
    read(used, rows, 0)
    assert same(read(used, rows, 2), first)
    assert not same(read(used, rows, 3), first)
    assert not same(read(of(workshop, seed=2), rows, 2), first)


def test_regions_say_what_they_cover(workshop: Workshop, columns: dict[str, Any]) -> None:
    boxes, classes = columns["boxes"], columns["box_class"]
    for epoch in (0, None):
        dataset = of(workshop, target_means=[0.0, 0.1, 0.0, 0.2], target_deviations=[0.1, 0.2, 0.2, 0.3])
        told = read(dataset, np.arange(IMAGES), epoch)
        seen = 0
        for row in range(IMAGES):
            mine = slice(boxes.offsets[row], boxes.offsets[row + 1])
            covered = overlaps(told["rois"][row], boxes.steps[mine])
            for step, one_hot in enumerate(told["region_class"][row]):
                label = int(one_hot.argmax())
                assert one_hot.sum() == 1
                targets = told["region_targets"][row][step].reshape(-1, 4)
                weights = told["region_weights"][row][step].reshape(-1, 4)
                best = covered[step].max(initial=0.0)
                assert (label > 0) == (best >= 0.5)
                assert weights.sum() == (4 if label else 0)
                assert not targets[[k for k in range(4) if k != label]].any()
                if not label:
                    continue
                owner = int(covered[step].argmax())
                assert label == classes.steps[mine][owner] + 1
                assert weights[label].all()
                x1, y1, x2, y2 = told["rois"][row][step].astype(float)
                bx1, by1, bx2, by2 = boxes.steps[mine][owner].astype(float)
                corrections = [
                    ((bx1 + bx2 - x1 - x2) / 2 / (x2 - x1)) / 0.1,
                    ((by1 + by2 - y1 - y2) / 2 / (y2 - y1) - 0.1) / 0.2,
                    np.log((bx2 - bx1) / (x2 - x1)) / 0.2,
                    (np.log((by2 - by1) / (y2 - y1)) - 0.2) / 0.3,
                ]
                np.testing.assert_allclose(targets[label], corrections, atol=1e-4)
                seen += 1
        assert seen > 50


def test_evaluation_takes_all_proposals_and_nothing_else(workshop: Workshop, columns: dict[str, Any]) -> None:
    proposals = columns["proposals"]
    told = read(of(workshop, proposals_per_image=40, flip="random"), np.arange(IMAGES), None)
    for row in range(IMAGES):
        expected = proposals.steps[proposals.offsets[row] : proposals.offsets[row + 1]][:40]
        if row == 4:
            expected = [[0, 0, SIDE, SIDE]]
        assert np.array_equal(told["rois"][row], expected)


def test_training_takes_annotated_boxes_too_and_all_candidates_where_so_told(
    workshop: Workshop, columns: dict[str, Any]
) -> None:
    boxes = columns["boxes"]
    row = int(np.argmax(boxes.lengths))
    mine = boxes.steps[boxes.offsets[row] : boxes.offsets[row + 1]]
    for given, expected in (({}, True), ({"add_annotated": False}, False)):
        seen = np.concatenate(
            [
                read(of(workshop, foreground_overlap=0.99, **given), [row], epoch)["rois"][0]
                for epoch in range(5)
            ]
        )
        assert all(any(np.array_equal(box, roi) for roi in seen) for box in mine) is expected
    everything = read(of(workshop, regions_per_image=None), [row], 0)
    assert same(everything, read(of(workshop), [row], None))


@pytest.mark.parametrize("flip", ["none", "alternate", "random"])
def test_images_are_mirrored_with_their_regions(
    workshop: Workshop, columns: dict[str, Any], flip: str
) -> None:
    dataset, straight = of(workshop, flip=flip), of(workshop)
    rows = np.arange(IMAGES)
    turns = []
    for epoch in (0, 1, 2, 3):
        images = dataset.column("image").read(rows, epoch)
        regions, plain = read(dataset, rows, epoch), read(straight, rows, epoch)
        for row in rows:
            turned = not np.array_equal(images[row], columns["image"][row])
            turns.append(turned)
            expected = columns["image"][row][:, :, ::-1] if turned else columns["image"][row]
            assert np.array_equal(images[row], expected)
            left, right = plain["rois"][row][:, 0], plain["rois"][row][:, 2]
            if turned:
                left, right = SIDE - right, SIDE - left
            np.testing.assert_allclose(regions["rois"][row][:, [0, 2]], np.stack([left, right], 1), atol=1e-4)
            assert np.array_equal(regions["region_class"][row], plain["region_class"][row])
        seen_by_augmentations = AugmentedColumn(
            dataset.column("image"), "image", dataset.fitted["image"], [], seed=1
        )
        assert np.array_equal(seen_by_augmentations.read(rows, epoch), images)
    by_epoch = np.array(turns).reshape(4, IMAGES).mean(axis=1)
    if flip == "random":
        assert ((by_epoch > 0.2) & (by_epoch < 0.8)).all()
    else:
        assert list(by_epoch) == ([0, 1, 0, 1] if flip == "alternate" else [0, 0, 0, 0])
    assert np.array_equal(dataset.column("image").read(rows), columns["image"])


def test_unannotated_data_has_regions_without_anything_said_of_them(workshop: Workshop) -> None:
    bare = workshop.dataset(
        "bare",
        {name: column for name, column in drawn(6, seed=4).items() if name in ("image", "proposals")},
        {"train": np.arange(6)},
    )
    rules = Regions(proposals="proposals").model_dump()
    fitted = workshop.volume.dataset("ds_shapes").schema
    found = opened({"regions": rules, "training": {"seed": 1}}, workshop.volume.dataset(bare), fitted)
    told = read(found, [0, 4], None)
    assert [len(rois) for rois in told["rois"]] == [60, 1]
    assert not any(values.any() for name in NAMES[1:] for values in told[name])
    assert "region_class" not in found.fields
    assert found.fitted["region_class"]["classes"] == ["background", "0", "1", "2"]


def test_schema_of_a_spec_with_regions_has_their_fields(workshop: Workshop) -> None:
    schema = load_schema(workshop.volume, "ds_shapes")
    rules = Regions(proposals="proposals", regions_per_image=20).model_dump()
    made = with_regions({"regions": rules}, schema).fields
    assert set(made) - set(schema.fields) == set(NAMES)
    assert made["region_class"].classes == ["background", *"012"]
    assert made["region_targets"].shape == (4 * (len(CLASSES) + 1),)
    assert {made[name].axis for name in NAMES} == {"rois"}
    assert made["rois"].count == 20 * IMAGES
    assert with_regions({"regions": None}, schema) is schema
