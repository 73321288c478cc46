"""A layer that learns nothing: numbers back in the units that they were standardized from."""

from typing import List, Union

import numpy as np

from trainer.engine import C
from trainer.parts.layers import layers, written
from trainer.parts.registry import Param, Plan, PlanError

Numbers = Union[float, List[float]]


@layers.part("rescale")
def rescale(make, x, *, scale: Numbers = Param(1.0), shift: Numbers = Param(0.0)):
    """x * scale + shift, with numbers that stay as they are: one for all elements, or one for each.

    Several are given in the order of the elements, the last axis running fastest.
    """
    return x * constants(scale, x.shape) + constants(shift, x.shape)


def constants(numbers, shape):
    if isinstance(numbers, float):
        return C.constant(numbers)
    return C.constant(np.array(numbers, dtype=np.float32).reshape(shape))


@rescale.planned
def plan_rescale(x, *, scale, shift):
    size = int(np.prod(x))
    for name, numbers in (("scale", scale), ("shift", shift)):
        if isinstance(numbers, list) and len(numbers) != size:
            raise PlanError(
                "%s has %d numbers, but the input of %s has %d elements"
                % (name, len(numbers), written(x), size)
            )
    return Plan(x)
