"""ONNX's operations on pictures: convolution, normalization, pooling, padding."""

import numpy as np

from trainer.engine import C
from trainer.onnx.step import operation

NORMALIZATION_SAMPLES = 4096
"""Time constant of running means, in samples, should batch normalization be trained on."""


def padding(step, size):
    """(lower, upper) of each spatial dimension, from ``pads`` or ``auto_pad``."""
    pads = step.attribute("pads", [0] * (2 * len(size)))
    step.only("auto_pad", "NOTSET", "VALID")
    if len(pads) != 2 * len(size) or min(pads) < 0:
        step.refuse("pads %s do not fit %d dimensions" % (pads, len(size)))
    return list(zip(pads[: len(size)], pads[len(size) :]))


def centred(pads, size, strides):
    """Whether CNTK's own padding is the same: the window's centre on the first element, odd sizes.

    From stride 3 on CNTK may begin with another element.
    """
    wanted = [((n - 1) // 2,) * 2 for n in size]
    return pads == wanted and all(n % 2 for n in size) and max(strides) <= 2


def padded(x, pads, value=0.0):
    """Explicit padding of the spatial dimensions; the channels stay."""
    return C.pad(x, [(0, 0)] + pads, mode=C.ops.CONSTANT_PAD, constant_value=value)


@operation("Conv")
def convolution(step):
    x, weight = step.tensor(0), step.array(1)
    size = list(weight.shape[2:])
    step.attribute("kernel_shape")
    strides = step.attribute("strides", [1] * len(size))
    dilations = step.attribute("dilations", [1] * len(size))
    groups = step.attribute("group", 1)
    if set(dilations) != {1} or groups != 1:
        step.refuse("dilation %s and %s groups: CNTK has neither on CPU" % (dilations, groups))
    if len(x.shape) != len(size) + 1 or weight.shape[1] != x.shape[0]:
        step.refuse("weights of shape %s do not fit an input of shape %s" % (weight.shape, x.shape))
    pads = padding(step, size)
    any_pad = any(low or high for low, high in pads)
    own = any_pad and centred(pads, size, strides)
    if any_pad and not own:
        x = padded(x, pads)
    made = C.convolution(
        step.parameter(1),
        x,
        strides=(1,) + tuple(strides),
        auto_padding=[False] + [own] * len(size),
    )
    if step.has(2):
        made = made + step.parameter(2, (weight.shape[0],) + (1,) * len(size))
    return made


@operation("BatchNormalization")
def batch_normalization(step):
    x = step.tensor(0)
    epsilon = step.attribute("epsilon", 1e-5)
    step.attribute("momentum")
    step.only("spatial", 1)
    step.only("training_mode", 0)
    step.attribute("is_test")
    name, shape = step.node.name, step.array(1).shape
    statistics = [
        C.constant(np.ascontiguousarray(step.array(place), np.float32), name=step.node.inputs[place])
        for place in (3, 4)
    ]
    return C.batch_normalization(
        x,
        step.parameter(1),
        step.parameter(2),
        statistics[0],
        statistics[1],
        # A count of zero would have the first minibatch replace the statistics.
        running_count=C.constant(float(NORMALIZATION_SAMPLES), shape=(), name=name + ".count"),
        spatial=len(x.shape) > len(shape),
        normalization_time_constant=NORMALIZATION_SAMPLES,
        epsilon=epsilon,
        use_cudnn_engine=False,
    )


def pooling(step, kind, outside):
    x = step.tensor(0)
    size = step.attribute("kernel_shape")
    strides = step.attribute("strides", [1] * len(size))
    step.only("storage_order", 0)
    if set(step.attribute("dilations", [1])) != {1}:
        step.refuse("dilation: CNTK's pooling has none")
    ceiling = bool(step.attribute("ceil_mode", 0))
    pads = padding(step, size)
    any_pad = any(low or high for low, high in pads)
    include = bool(step.attribute("count_include_pad", 0))
    own = any_pad and centred(pads, size, strides)
    if any_pad and not own:
        if kind == C.AVG_POOLING and not include:
            step.refuse("pads %s with an average over real values only" % pads)
        x = padded(x, pads, outside)
    if ceiling and any_pad:
        step.refuse("ceil_mode with pads")
    return C.pooling(
        x,
        kind,
        tuple(size),
        strides=tuple(strides),
        auto_padding=[own] * len(size),
        ceil_out_dim=ceiling,
        include_pad=include and own,
    )


@operation("MaxPool")
def max_pool(step):
    return pooling(step, C.MAX_POOLING, -3e38)


@operation("AveragePool")
def average_pool(step):
    return pooling(step, C.AVG_POOLING, 0.0)


@operation("GlobalAveragePool")
def global_average_pool(step):
    x = step.tensor(0)
    return C.reduce_mean(x, axis=tuple(range(1, len(x.shape))), keepdims=True)


@operation("GlobalMaxPool")
def global_max_pool(step):
    x = step.tensor(0)
    return C.reduce_max(x, axis=tuple(range(1, len(x.shape))), keepdims=True)


@operation("Pad")
def pad(step):
    x = step.tensor(0)
    step.only("mode", "constant")
    pads = step.integers(1) if step.has(1) else step.attribute("pads")
    value = step.attribute("value", 0.0)
    if step.has(2):
        value = float(step.array(2))
    rank = len(x.shape)
    if pads is None or len(pads) != 2 * (rank + 1) or pads[0] or pads[rank + 1] or min(pads) < 0:
        step.refuse("pads %s do not fit, or change the batch" % pads)
    pairs = list(zip(pads[1 : rank + 1], pads[rank + 2 :]))
    return C.pad(x, pairs, mode=C.ops.CONSTANT_PAD, constant_value=value)


@operation("LRN")
def local_response_normalization(step):
    x, size = step.tensor(0), step.attribute("size")
    alpha, beta = step.attribute("alpha", 1e-4), step.attribute("beta", 0.75)
    if not size or not size % 2:
        step.refuse("size %s: an odd number of channels is needed" % size)
    return C.local_response_normalization(x, size // 2, step.attribute("bias", 1.0), alpha, beta)
