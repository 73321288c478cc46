"""Shapes of single operations of a base model, for inputs of another size than the model's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from jobs.base_models.records import ModelNode
from trainer.parts import PlanError

Shape = tuple[int, ...]

ELEMENTWISE = frozenset(
    [
        "ReLU",
        "LeakyReLU",
        "PReLU",
        "ELU",
        "SELU",
        "Sigmoid",
        "StableSigmoid",
        "HardSigmoid",
        "TanH",
        "SoftPlus",
        "Exp",
        "Log",
        "Sqrt",
        "Abs",
        "Negate",
        "Reciprocal",
        "Clip",
        "Softmax",
        "LogSoftmax",
        "Hardmax",
        "BatchNormalization",
        "Dropout",
        "StopGradient",
        "Pass",
        "NoOp",
        "Alias",
    ]
)
"""One value for each of the input's, as far as shapes go."""
BROADCAST = frozenset(("Plus", "Minus", "ElementTimes", "ElementDivide", "ElementMax", "ElementMin", "Pow"))


def shape_of(node: ModelNode, inputs: Sequence[Shape], own: Sequence[Shape]) -> Shape:
    """The output's shape for ``inputs`` where the model itself has ``own``; PlanError where they do not fit.

    What has weights for each place of an image, and what nothing is known of, fits its own size only.
    """
    if list(inputs) == list(own):
        return node.shape
    by_channel = node.op == "Convolution" or node.attributes.get("spatial", False)
    if node.op in RULES and (by_channel or node.parameters <= prod(node.shape[:1])):
        return RULES[node.op](node, inputs)
    sizes = " and ".join(" x ".join(map(str, shape)) for shape in own)
    raise PlanError(f"it takes {sizes} only; end the layer before it, or give images of the model's own size")


def _elementwise(node: ModelNode, inputs: Sequence[Shape]) -> Shape:
    return inputs[0]


def _broadcast(node: ModelNode, inputs: Sequence[Shape]) -> Shape:
    rank = max(map(len, inputs))
    aligned = [(1,) * (rank - len(shape)) + tuple(shape) for shape in inputs]
    for sizes in zip(*aligned, strict=True):
        if len({size for size in sizes if size != 1}) > 1:
            raise PlanError(_apart(inputs))
    return tuple(max(sizes) for sizes in zip(*aligned, strict=True))


def _splice(node: ModelNode, inputs: Sequence[Shape]) -> Shape:
    axis = node.attributes["axis"]
    first = inputs[0]
    for other in inputs[1:]:
        if other[:axis] + other[axis + 1 :] != first[:axis] + first[axis + 1 :]:
            raise PlanError(_apart(inputs))
    return (*first[:axis], sum(shape[axis] for shape in inputs), *first[axis + 1 :])


def _apart(inputs: Sequence[Shape]) -> str:
    return " and ".join(" x ".join(map(str, shape)) for shape in inputs) + " do not go together"


def _convolution(node: ModelNode, inputs: Sequence[Shape]) -> Shape:
    if node.attributes.get("transpose"):
        raise PlanError("a transposed convolution takes its own size only; end the layer before it")
    (x,) = inputs
    slid = _slid(x, node.attributes["kernel_shape"], node.attributes)
    return (node.shape[0], *slid[1:])


def _pooling(node: ModelNode, inputs: Sequence[Shape]) -> Shape:
    (x,) = inputs
    return _slid(x, node.attributes["pooling_window_shape"], node.attributes)


def _slid(x: Shape, window: Sequence[int], attributes: Mapping[str, Any]) -> Shape:
    """Sizes after sliding a window; axes in front of the window's stay as they are."""
    count = len(window)
    kept, sizes = x[: len(x) - count], x[len(x) - count :]
    settings = ("strides", "auto_padding", "lower_pad", "upper_pad")
    per_axis = [_spread(attributes.get(key, [0]), count) for key in settings]
    found = []
    for size, wide, stride, padded, lower, upper in zip(sizes, window, *per_axis, strict=True):
        room = size + (wide - 1 if padded else lower + upper) - wide
        if wide > size or room < 0:
            raise PlanError(f"a window of {' x '.join(map(str, window))} does not fit into {sizes}")
        steps = -(-room // stride) if attributes.get("ceil_out_dim") else room // stride
        found.append(steps + 1)
    return (*kept, *found)


def _spread(values: Sequence[Any], count: int) -> list[Any]:
    """One value for each axis of the window; what is told of axes in front of it is left out."""
    return list(values) * count if len(values) == 1 else list(values)[-count:]


def _reduced(node: ModelNode, inputs: Sequence[Shape]) -> Shape:
    (x,) = inputs
    axes = node.attributes.get("axis_vec") or [node.attributes.get("axis")]
    if None in axes:
        axes = list(range(len(x)))
    if node.attributes.get("reduction_keep_dimensions"):
        return tuple(1 if axis in axes else size for axis, size in enumerate(x))
    return tuple(size for axis, size in enumerate(x) if axis not in axes)


def _reshaped(node: ModelNode, inputs: Sequence[Shape]) -> Shape:
    (x,) = inputs
    begin, end = node.attributes.get("begin_axis") or 0, node.attributes.get("end_axis")
    end = len(x) if end is None else end
    new = list(node.attributes["new_shape"])
    unknown = [place for place, size in enumerate(new) if size < 1]
    elements = prod(x[begin:end])
    if len(unknown) == 1:
        new[unknown[0]] = elements // prod(size for size in new if size > 0)
    if prod(new) != elements:
        raise PlanError(f"{elements} elements cannot become {' x '.join(map(str, new))}")
    return (*x[:begin], *new, *x[end:])


RULES: Mapping[str, Callable[[ModelNode, Sequence[Shape]], Shape]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(BROADCAST, _broadcast),
    "Splice": _splice,
    "Convolution": _convolution,
    "Pooling": _pooling,
    "ReduceElements": _reduced,
    "Reshape": _reshaped,
}
