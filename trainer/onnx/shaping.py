"""ONNX's operations that bring values into another shape or order, or sum them up."""

import numpy as np

from trainer.engine import C
from trainer.onnx.step import operation, size_of


@operation("Concat")
def concat(step):
    parts = [step.value(place) for place in range(len(step.node.inputs))]
    axis = step.attribute("axis", 1)
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts, axis)
    parts = [step.tensor(place) for place in range(len(parts))]
    return C.splice(*parts, axis=step.axis(axis, len(parts[0].shape)))


@operation("ReduceMean")
def reduce_mean(step):
    x = step.tensor(0)
    axes = step.attribute("axes")
    if step.has(1):
        axes = step.integers(1)
    if not axes:
        step.refuse("a mean over everything, the batch too")
    keep = bool(step.attribute("keepdims", 1))
    step.only("noop_with_empty_axes", 0)
    found = sorted(step.axis(axis, len(x.shape)) for axis in axes)
    made = C.reduce_mean(x, axis=tuple(found), keepdims=True)
    if keep:
        return made
    left = [size for axis, size in enumerate(x.shape) if axis not in found]
    return C.reshape(made, tuple(left) or (1,))


@operation("Flatten")
def flatten(step):
    x = step.tensor(0)
    step.only("axis", 1)
    return C.reshape(x, (size_of(step, x),))


@operation("Reshape")
def reshape(step):
    x = step.value(0)
    shape = step.integers(1) if step.has(1) else step.attribute("shape")
    step.attribute("shape")
    step.only("allowzero", 0)
    if isinstance(x, np.ndarray):
        return x.reshape([x.shape[place] if size == 0 else size for place, size in enumerate(shape)])
    own = list(x.shape)
    # The batch's size: kept (0), told to be one row, or whatever is left (-1).
    if not shape or shape[0] not in (0, 1, -1):
        step.refuse("the shape %s gives the batch another size" % shape)
    wanted = [own[place] if size == 0 else size for place, size in enumerate(shape[1:])]
    if any(size < -1 for size in wanted) or (shape[0] == -1 and -1 in wanted):
        step.refuse("the shape %s cannot be followed" % shape)
    if -1 in wanted:
        rest = int(np.prod([size for size in wanted if size != -1] or [1]))
        wanted[wanted.index(-1)] = size_of(step, x) // rest
    if int(np.prod(wanted or [1])) != size_of(step, x):
        step.refuse("the shape %s does not hold what a row of shape %s has" % (shape, tuple(own)))
    return C.reshape(x, tuple(wanted) or (1,))


@operation("Squeeze", "Unsqueeze")
def squeeze(step):
    x = step.value(0)
    axes = step.attribute("axes")
    if step.has(1):
        axes = step.integers(1)
    adding = step.node.op == "Unsqueeze"
    if axes is None:
        step.refuse("axes are needed")
    if isinstance(x, np.ndarray):
        for axis in sorted(axes, reverse=not adding):
            x = np.expand_dims(x, axis) if adding else np.squeeze(x, axis)
        return x
    shape = list(x.shape)
    rank = len(shape) + (len(axes) if adding else 0)
    places = sorted(step.axis(axis, rank) for axis in axes)
    for place in places if adding else reversed(places):
        if adding:
            shape.insert(place, 1)
        elif shape.pop(place) != 1:
            step.refuse("axis %d of %s is not of size 1" % (place + 1, tuple(x.shape)))
    return C.reshape(x, tuple(shape) or (1,))


@operation("Transpose")
def transpose(step):
    x = step.value(0)
    order = step.attribute("perm")
    if isinstance(x, np.ndarray):
        return np.transpose(x, order)
    if not order or order[0] != 0:
        step.refuse("the batch must stay where it is, not %s" % order)
    return C.transpose(x, [axis - 1 for axis in order[1:]])
