"""Shapes of single operations of a base model, for inputs of another size than the model's own."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.models import ModelNode
from trainer.parts import PlanError

Shape = tuple[int, ...]


def shape_of(node: ModelNode, inputs: Sequence[Shape]) -> Shape:
    """PlanError where the inputs do not fit, or where nothing is known of such an operation."""
    raise PlanError("only inputs of the model's own size fit there")
