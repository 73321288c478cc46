"""Layers on the way back from a small picture to a large one: transposed convolution and unpooling."""

from typing import List, Optional

from trainer.engine import C
from trainer.parts.convolutions import Sizes, slid, spread
from trainer.parts.layers import activation_parameters, filled, layers, written
from trainer.parts.registry import Param, Plan, PlanError


def spanned(sizes, windows, strides, pad):
    """Sizes that windows slide over to end in ``sizes``: n * stride with padding, else what they cover."""
    if pad:
        return [n * s for n, s in zip(sizes, strides)]
    return [(n - 1) * s + k for n, k, s in zip(sizes, windows, strides)]


def unfolded(x, filter_shape, strides, pad, output_shape):
    """Sizes behind a transposed convolution of an input of shape ``x``, without its channels."""
    rank = len(filter_shape)
    if rank not in (1, 2, 3):
        raise PlanError("filter_shape takes 1, 2 or 3 sizes, not %d" % rank)
    if len(x) != rank + 1:
        raise PlanError(
            "a filter of %s slides over %d dimensions behind a channel axis, but the input is %s;"
            " put a reshape layer before it" % (written(filter_shape), rank, written(x))
        )
    steps = spread(strides, rank, "strides")
    sizes = spanned(x[1:], filter_shape, steps, pad)
    if output_shape is not None:
        sizes = spread(list(output_shape), rank, "output_shape")
    back = slid(sizes, filter_shape, steps, pad)
    if back != tuple(x[1:]):
        raise PlanError(
            "output_shape %s does not belong to an input of %s: a convolution with these filters, strides "
            "and padding makes %s of it; leave output_shape out for %s"
            % (
                written(sizes),
                written(x[1:]),
                written(back),
                written(spanned(x[1:], filter_shape, steps, pad)),
            )
        )
    return tuple(sizes)


@layers.part("convolution_transpose")
def convolution_transpose(
    make,
    x,
    *,
    filters: int = Param(ge=1),
    filter_shape: List[int] = Param(ge=1),
    strides: Sizes = Param(1, ge=1),
    pad: bool = Param(True),
    output_shape: Optional[List[int]] = Param(
        None, ge=1, documentation="sizes of the output without its channels, where several are possible"
    ),
    activation=Param("none", part="activation"),
    init=Param("glorot_uniform", part="initializer"),
    bias: bool = Param(True),
    init_bias: float = Param(0.0),
):
    """Transposed convolution ("deconvolution") in one, two or three dimensions over (channels, sizes…).

    Every element of the input adds its multiple of the filter to the output, ``strides`` apart. The output's
    sizes are such that a convolution with the same ``filter_shape``, ``strides`` and ``pad`` leads back to
    the input's: input * stride with ``pad``, else (input - 1) * stride + filter. With strides more than one
    size does; ``output_shape`` picks another.
    """
    rank = len(filter_shape)
    sizes = unfolded(x.shape, filter_shape, strides, pad, output_shape)
    kernel = (x.shape[0], filters) + tuple(filter_shape)
    weights = make.parameter("W", kernel, init, output_rank=-1, filter_rank=rank)
    maps = C.convolution_transpose(
        weights,
        x,
        strides=(x.shape[0],) + tuple(spread(strides, rank, "strides")),
        auto_padding=[False] + [pad] * rank,
        output_shape=(filters,) + sizes,
    )
    if bias:
        maps = maps + make.parameter("b", (filters,) + (1,) * rank, init_bias)
    return make.activation(activation, maps)


@convolution_transpose.planned
def plan_convolution_transpose(
    x, *, filters, filter_shape, strides, pad, output_shape, activation, init, bias, **_
):
    sizes = unfolded(x, filter_shape, strides, pad, output_shape)
    parameters = {"W": filled(init, (x[0], filters) + tuple(filter_shape))}
    if bias:
        parameters["b"] = (filters,) + (1,) * len(filter_shape)
    shape = (filters,) + sizes
    parameters.update(activation_parameters(activation, shape))
    return Plan(shape, parameters)


@layers.part("max_unpooling")
def max_unpooling(
    make,
    pooled,
    x,
    *,
    window: List[int] = Param(ge=1),
    strides: Optional[Sizes] = Param(None, ge=1),
    pad: bool = Param(False),
):
    """Puts every element of the first input where the largest element of its window of the second one is.

    The second input is what a ``max_pooling`` of the same settings takes in, and gives the shape; the first
    has the shape of what that layer makes. All other elements are 0. Of equal largest ones the first counts.
    ``strides`` defaults to the window; windows may not overlap. The gradient is CNTK's: the largest in each
    window, wherever the element was put.
    """
    rank = len(window)
    steps = apart(window, strides)
    return C.unpooling(
        pooled, x, C.MAX_UNPOOLING, tuple(window), strides=tuple(steps), auto_padding=[False] + [pad] * rank
    )


def apart(window, strides):
    """Strides of windows that do not overlap: two windows could want the same place for their elements."""
    steps = spread(window if strides is None else strides, len(window), "strides")
    if any(step < size for step, size in zip(steps, window)):
        raise PlanError(
            "windows of %s that are %s apart overlap, and two of them can have one place for their largest "
            "element; use strides as large as the window" % (written(window), written(steps))
        )
    return steps


@max_unpooling.planned
def plan_max_unpooling(pooled, x, *, window, strides, pad):
    rank = len(window)
    if len(x) != rank + 1:
        raise PlanError(
            "a window of %s slides over %d dimensions behind a channel axis, but the second input is %s"
            % (written(window), rank, written(x))
        )
    steps = apart(window, strides)
    made = x[:1] + slid(x[1:], window, steps, pad)
    if tuple(pooled) != tuple(made):
        raise PlanError(
            "max_pooling with these settings makes %s of the second input, %s, but the first input is %s; "
            "give what was pooled, or a layer of its shape, and then what it was pooled from"
            % (written(made), written(x), written(pooled))
        )
    return Plan(x)
