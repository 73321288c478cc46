"""What a job will take, before CNTK builds it: parameters, memory, checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.dataset import DatasetSchema
from jobs.settings import Settings
from jobs.specs.held import a_row
from jobs.specs.shapes import Plan
from trainer.files import read_json
from trainer.parts import learners
from trainer.parts.regions import AXIS

BASE = 31 * 1024**2
"""A trainer that has imported CNTK and trained next to nothing, in bytes."""
WEIGHTS, STATE = 4.3, 3.1
"""Times that parameters are held, with gradient and what a checkpoint is written from; and each number of the
learner's state for one."""
EVALUATED_TOGETHER = 256
"""Rows, where minibatches of the training have no more and the network is not part of a base model."""
WIDE = "avx512f"
"""What kernels of ours for convolutions need of a processor."""
FEATURES_TOGETHER = 16
"""Rows whose values are computed to be cached."""


def reorders(settings: Settings) -> bool:
    """Whether trainers convolve maps in an order of Intel's library: unless kernels of ours do it here."""
    try:
        found = read_json(settings.trainer_env / "trainer.json")
    except FileNotFoundError:
        return True
    return not (settings.kernels and found["kernels"] and WIDE in found["cpu"]["flags"])


def estimate(
    spec: Mapping[str, Any], planned: Plan, schema: DatasetSchema, settings: Settings
) -> dict[str, Any]:
    """What a job will take: parameters, bytes of memory and of one checkpoint, and its layers."""

    def packed(axis: str | None) -> float:
        """Steps a row that CNTK makes room for: it puts short sequences behind one another."""
        if axis is None:
            return 1.0
        field = schema.fields[axis]
        average = field.count / max(schema.rows, 1)
        return (average + max(field.max_length or 0, average)) / 2

    def proposed(axis: str | None) -> float:
        """Of an image that is evaluated, all proposals are looked at, not a choice as in training."""
        return float(schema.fields[AXIS].max_length or 0) if axis == AXIS else packed(axis)

    in_order = reorders(settings)
    weights = 4 * planned.parameters
    state = learners[spec["learner"]["type"]].facts["state"]
    minibatch = max(1, min(spec["training"]["minibatch_size"], schema.splits["train"].rows))
    trained, evaluated, of_maps = a_row(spec, planned, schema, packed, in_order)
    together = max(minibatch, EVALUATED_TOGETHER)
    if spec["regions"] is not None:
        together, (_, evaluated, of_maps) = 1, a_row(spec, planned, schema, proposed, in_order)
    elif any(layer["type"] == "pretrained" for layer in spec["network"]):
        together = minibatch
    held_out = max(
        (schema.splits[name].rows for name in ("valid", "test") if name in schema.splits), default=0
    )
    at_once = min(held_out, together)
    # Of proposals there are more than regions in training.
    more = at_once if spec["regions"] is not None else max(0, at_once - minibatch)
    held = minibatch * trained + at_once * evaluated + more * of_maps
    if spec["cached"]:
        _, evaluated, of_maps = a_row({**spec, "cached": []}, planned, schema, packed, in_order)
        held = max(held, FEATURES_TOGETHER * (evaluated + of_maps))
    return {
        "parameters": planned.parameters,
        "memory_bytes": round(BASE + weights * (WEIGHTS + STATE * state) + 4 * held),
        "checkpoint_bytes": weights * (1 + state),
        "minibatches_per_epoch": -(-schema.splits["train"].rows // minibatch),
        "layers": [
            {"name": layer.name, "shape": list(layer.shape), "parameters": layer.parameters}
            for layer in planned.layers
        ],
    }
