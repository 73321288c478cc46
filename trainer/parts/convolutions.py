"""Layers that slide over channels of one, two or three dimensions: convolution and pooling."""

from typing import List, Optional, Union

from trainer.engine import C
from trainer.parts.layers import activation_parameters, filled, layers, written
from trainer.parts.registry import Param, Plan, PlanError

Sizes = Union[int, List[int]]


def spread(value, rank, name):
    """``value`` for each of ``rank`` dimensions."""
    if isinstance(value, int):
        return [value] * rank
    if len(value) != rank:
        raise PlanError("%s has %d sizes but the layer works in %d dimensions" % (name, len(value), rank))
    return list(value)


def slid(sizes, windows, strides, pad):
    """Sizes after sliding windows: n / stride rounded up with padding, else what fits whole."""
    for n, k in zip(sizes, windows):
        # CNTK refuses a window larger than the input even where padding would make room.
        if k > n:
            raise PlanError(
                "a window of %s does not fit into %s; use a smaller one" % (written(windows), written(sizes))
            )
    if pad:
        return tuple(-(-n // s) for n, s in zip(sizes, strides))
    return tuple((n - k) // s + 1 for n, k, s in zip(sizes, windows, strides))


@layers.part("convolution")
def convolution(
    make,
    x,
    *,
    filters: int = Param(ge=1),
    filter_shape: List[int] = Param(ge=1),
    strides: Sizes = Param(1, ge=1),
    pad: bool = Param(True),
    activation=Param("none", part="activation"),
    init=Param("glorot_uniform", part="initializer"),
    bias: bool = Param(True),
    init_bias: float = Param(0.0),
):
    """Convolution in one, two or three dimensions over (channels, sizes…).

    ``filter_shape`` has one size a dimension and so says how many there are. With ``pad`` the
    filters lie centred over the input, with zeros around it.
    """
    rank = len(filter_shape)
    kernel = (filters, x.shape[0]) + tuple(filter_shape)
    weights = make.parameter("W", kernel, init, output_rank=-1, filter_rank=rank)
    maps = C.convolution(
        weights,
        x,
        strides=(x.shape[0],) + tuple(spread(strides, rank, "strides")),
        auto_padding=[False] + [pad] * rank,
    )
    if bias:
        maps = maps + make.parameter("b", (filters,) + (1,) * rank, init_bias)
    return make.activation(activation, maps)


@convolution.planned
def plan_convolution(x, *, filters, filter_shape, strides, pad, activation, init, bias, **_):
    rank = len(filter_shape)
    if rank not in (1, 2, 3):
        raise PlanError("filter_shape takes 1, 2 or 3 sizes, not %d" % rank)
    if len(x) != rank + 1:
        raise PlanError(
            "a filter of %s slides over %d dimensions behind a channel axis, but the input is %s;"
            " put a reshape layer before it" % (written(filter_shape), rank, written(x))
        )
    sizes = slid(x[1:], filter_shape, spread(strides, rank, "strides"), pad)
    parameters = {"W": filled(init, (filters, x[0]) + tuple(filter_shape))}
    if bias:
        parameters["b"] = (filters,) + (1,) * rank
    shape = (filters,) + sizes
    parameters.update(activation_parameters(activation, shape))
    return Plan(shape, parameters)


def pooled(kind, x, window, strides, pad):
    rank = len(window)
    steps = spread(window if strides is None else strides, rank, "strides")
    return C.pooling(x, kind, tuple(window), strides=tuple(steps), auto_padding=[False] + [pad] * rank)


def plan_pooling(x, *, window, strides, pad):
    if len(x) != len(window) + 1:
        raise PlanError(
            "a window of %s slides over %d dimensions behind a channel axis, but the input is %s"
            % (written(window), len(window), written(x))
        )
    steps = spread(window if strides is None else strides, len(window), "strides")
    return Plan(x[:1] + slid(x[1:], window, steps, pad))


@layers.part("max_pooling")
def max_pooling(
    make,
    x,
    *,
    window: List[int] = Param(ge=1),
    strides: Optional[Sizes] = Param(None, ge=1),
    pad: bool = Param(False),
):
    """The largest element of each window; ``strides`` defaults to the window.

    With ``pad`` the windows lie centred over the input and look at the part inside it alone.
    """
    return pooled(C.MAX_POOLING, x, window, strides, pad)


max_pooling.planned(plan_pooling)


@layers.part("average_pooling")
def average_pooling(
    make,
    x,
    *,
    window: List[int] = Param(ge=1),
    strides: Optional[Sizes] = Param(None, ge=1),
    pad: bool = Param(False),
):
    """The mean of each window; ``strides`` defaults to the window.

    With ``pad`` the windows lie centred over the input and take the mean of the part inside it.
    """
    return pooled(C.AVG_POOLING, x, window, strides, pad)


average_pooling.planned(plan_pooling)


def plan_global_pooling(x):
    if len(x) < 2:
        raise PlanError("global pooling takes (channels, sizes…), not %s" % written(x))
    return Plan(x[:1])


@layers.part("global_max_pooling")
def global_max_pooling(make, x):
    """The largest element of each channel; (channels, sizes…) becomes (channels,)."""
    return C.reshape(C.reduce_max(x, axis=list(range(1, len(x.shape)))), x.shape[:1])


global_max_pooling.planned(plan_global_pooling)


@layers.part("global_average_pooling")
def global_average_pooling(make, x):
    """The mean of each channel; (channels, sizes…) becomes (channels,)."""
    return C.reshape(C.reduce_mean(x, axis=list(range(1, len(x.shape)))), x.shape[:1])


global_average_pooling.planned(plan_global_pooling)
