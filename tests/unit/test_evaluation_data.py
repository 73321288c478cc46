"""Data that a trained network is evaluated on: what must be as it was."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.dataset import DatasetSchema, FieldSchema
from jobs.errors import Conflict
from jobs.submission.evaluate import field_differences, require_same_fields


def sequences(shortest: int | None) -> FieldSchema:
    return FieldSchema(
        kind="dense",
        shape=(4,),
        dtype="float32",
        sequence=True,
        files={"values": "v.npy", "offsets": "o.npy"},
        count=9,
        min_length=shortest,
        max_length=5,
        axis="boxes",
    )


def test_rows_without_a_step_are_for_networks_that_had_some() -> None:
    """A network that reads the steps of a row as a sequence reads at least one."""
    assert field_differences("boxes", sequences(2), sequences(1)) == []
    # Schemas of before say nothing: then there was no such row.
    assert field_differences("boxes", sequences(None), sequences(1)) == []
    assert field_differences("boxes", sequences(0), sequences(0)) == []
    for there in (1, None):
        [found] = field_differences("boxes", sequences(0), sequences(there))
        assert found == {"pointer": "/fields/boxes/min_length", "here": 0, "there": there}


IMAGE = FieldSchema(kind="dense", shape=(3, 4, 4), dtype="uint8", files={}, count=3)


def dataset(**fields: FieldSchema) -> DatasetSchema:
    return DatasetSchema(
        id="ds_" + "0" * 24,
        name="shapes",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        format="images",
        rows=3,
        size=1,
        sources=[],
        options={},
        fields={"image": IMAGE} | fields,
        splits={},
    )


def classes(*names: str) -> FieldSchema:
    update = {"kind": "categorical", "shape": (len(names),), "classes": list(names), "dtype": "int32"}
    return sequences(0).model_copy(update=update)


DETECTOR = {
    "inputs": {},
    "network": [],
    "objective": [],
    "metrics": [],
    "example_weight": None,
    "regions": {
        "image": "image",
        "boxes": "boxes",
        "classes": "box_class",
        "difficult": None,
        "proposals": "proposals",
    },
}
TRAINED = dataset(boxes=sequences(1), box_class=classes("cat", "dog"), proposals=sequences(9))


def test_a_detector_reads_images_without_boxes_or_annotations() -> None:
    require_same_fields(DETECTOR, TRAINED, TRAINED)
    none_drawn = dataset(boxes=sequences(0), box_class=classes("cat", "dog"), proposals=sequences(0))
    require_same_fields(DETECTOR, none_drawn, TRAINED)
    require_same_fields(DETECTOR, dataset(proposals=sequences(3)), TRAINED)


def test_a_detector_s_classes_and_proposals_are_as_they_were() -> None:
    other = dataset(boxes=sequences(1), box_class=classes("dog", "cat"))
    with pytest.raises(Conflict) as caught:
        require_same_fields(DETECTOR, other, TRAINED)
    places = [difference["pointer"] for difference in caught.value.extra["differences"]]
    assert sorted(places) == ["/fields/box_class/classes", "/fields/proposals"]
