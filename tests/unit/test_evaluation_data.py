"""Data that a trained network is evaluated on: what must be as it was."""

from __future__ import annotations

from jobs.dataset import FieldSchema
from jobs.evaluate import field_differences


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
