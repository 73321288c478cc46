"""Layers: from input nodes to one output node, each with a pure rule for shape and parameters.

The engine passes ``make``, a ``trainer.parameters.Maker``, which names and seeds parameters.
Shapes are those of one example, or of one step of a sequence; images are (channels, height, width)
as in CNTK. In the registration, ``sparse`` says that a layer takes sparse inputs, and ``sequence``
what it makes of a sequence: "runs" is another one of the same steps, "ends" one value for the row;
"regions" looks up each step of the second input in the first, which has one value a row.
A layer without the word works on each step by itself. ``random``: what it yields
changes from one minibatch to the next.
"""

from functools import reduce
from operator import mul
from typing import List, Optional

from trainer.engine import C
from trainer.parts.activations import activations, slope_shape
from trainer.parts.initializers import initializers
from trainer.parts.registry import Param, Plan, PlanError, Registry

layers = Registry("layer")


def product(shape):
    return reduce(mul, shape, 1)


def written(shape):
    """A shape as people write it: 1 x 28 x 28."""
    return " x ".join(str(n) for n in shape)


def activation_parameters(activation, shape):
    """Parameters that a layer's activation brings along."""
    if "alpha" in activations[activation["type"]].facts.get("parameters", ()):
        return {"alpha": slope_shape(shape)}
    return {}


def filled(init, shape):
    """The shape of a layer's weights, once it is one that their initializer can fill."""
    check = initializers[init["type"]].facts.get("check")
    if check:
        check(shape)
    return shape


@layers.part("dense", sparse=True)
def dense(
    make,
    x,
    *,
    units: int = Param(ge=1),
    activation=Param("none", part="activation"),
    init=Param("glorot_uniform", part="initializer"),
    bias: bool = Param(True),
    init_bias: float = Param(0.0),
):
    """Fully connected: activation(x W + b); an input of any shape is taken as one vector."""
    weights = make.parameter("W", x.shape + (units,), init, output_rank=1)
    scores = C.times(x, weights, output_rank=1, infer_input_rank_to_map=-1)
    if bias:
        scores = scores + make.parameter("b", (units,), init_bias)
    return make.activation(activation, scores)


@dense.planned
def plan_dense(x, *, units, activation, init, bias, **_):
    parameters = {"W": filled(init, x + (units,))}
    if bias:
        parameters["b"] = (units,)
    parameters.update(activation_parameters(activation, (units,)))
    return Plan((units,), parameters)


class Codes:
    """A categorical input that is fed as the numbers of its classes."""

    def __init__(self, variable, classes):
        self.variable = variable
        self.classes = classes


@layers.part("embedding", sparse=True)
def embedding(make, x, *, units: int = Param(ge=1), init=Param("glorot_uniform", part="initializer")):
    """One learned vector for each class of a categorical or sparse input, summed over those set."""
    if isinstance(x, Codes):
        return C.gather(make.parameter("E", (x.classes, units), init, output_rank=1), x.variable)
    return C.times(x, make.parameter("E", x.shape + (units,), init, output_rank=1))


@embedding.planned
def plan_embedding(x, *, units, init):
    if len(x) != 1:
        raise PlanError("embedding takes a vector (a categorical or sparse field), not %s" % written(x))
    return Plan((units,), {"E": filled(init, x + (units,))})


@layers.part("dropout", random=True)
def dropout(make, x, *, rate: float = Param(0.5, ge=0, lt=1)):
    """Zero a share of the elements while training and scale the others up; nothing otherwise."""
    # The raw operator: the random state of C.layers.Dropout is lost in a checkpoint.
    return C.dropout(x, rate, seed=make.seed("dropout"))


@dropout.planned
def plan_dropout(x, **_):
    return Plan(x)


@layers.part("batch_normalization")
def batch_normalization(
    make,
    x,
    *,
    spatial: Optional[bool] = Param(None),
    normalization_time_constant: float = Param(5000.0, gt=0),
    epsilon: float = Param(1e-5, gt=0),
    init_scale: float = Param(1.0),
):
    """Batch normalization (Ioffe and Szegedy, 2015).

    ``spatial`` keeps one mean and deviation a channel; by default wherever there are channels.
    ``normalization_time_constant`` is that of the running averages, in examples: a minibatch of
    n counts 1 - exp(-n / constant) in them, the first one fully.
    """
    shape = normalized_shape(x.shape, spatial)
    return C.batch_normalization(
        x,
        make.parameter("scale", shape, init_scale),
        make.parameter("bias", shape, 0.0),
        make.statistic("mean", shape, 0.0),
        make.statistic("variance", shape, 0.0),
        spatial=len(shape) < len(x.shape),
        running_count=make.statistic("count", (), 0.0),
        normalization_time_constant=normalization_time_constant,
        epsilon=epsilon,
        use_cudnn_engine=False,
    )


def normalized_shape(shape, spatial):
    return shape[:1] if (len(shape) > 1 if spatial is None else spatial) else shape


@batch_normalization.planned
def plan_batch_normalization(x, *, spatial, **_):
    shape = normalized_shape(x, spatial)
    return Plan(x, {"scale": shape, "bias": shape})


@layers.part("activation")
def activation(make, x, *, function=Param("relu", part="activation")):
    """An activation by itself."""
    return make.activation(function, x)


@activation.planned
def plan_activation(x, *, function):
    return Plan(x, activation_parameters(function, x))


@layers.part("flatten")
def flatten(make, x):
    """All elements of an example as one vector, the last axis running fastest."""
    return C.reshape(x, (product(x.shape),))


@flatten.planned
def plan_flatten(x):
    return Plan((product(x),))


@layers.part("reshape")
def reshape(make, x, *, shape: List[int] = Param(ge=1)):
    """The same elements in another shape."""
    return C.reshape(x, tuple(shape))


@reshape.planned
def plan_reshape(x, *, shape):
    if product(shape) != product(x):
        raise PlanError(
            "%s holds %d elements and cannot become %s, which holds %d"
            % (written(x), product(x), written(shape), product(shape))
        )
    return Plan(shape)


@layers.part("splice")
def splice(make, *xs, axis: int = Param(0, ge=0)):
    """Inputs side by side along ``axis`` (concatenation); all other sizes agree."""
    return C.splice(*xs, axis=axis)


@splice.planned
def plan_splice(*xs, axis):
    first = xs[0]
    if axis >= len(first):
        raise PlanError("axis %d does not exist in an input of %s" % (axis, written(first)))
    for other in xs[1:]:
        if len(other) != len(first) or any(a != b for i, (a, b) in enumerate(zip(first, other)) if i != axis):
            raise PlanError(
                "inputs of %s and %s do not fit side by side along axis %d"
                % (written(first), written(other), axis)
            )
    return Plan(first[:axis] + (sum(x[axis] for x in xs),) + first[axis + 1 :])


@layers.part("sum")
def elementwise_sum(make, *xs):
    """The elementwise sum of inputs of one shape (a residual connection)."""
    return reduce(lambda a, b: a + b, xs)


@elementwise_sum.planned
def plan_sum(*xs):
    for other in xs[1:]:
        if other != xs[0]:
            raise PlanError(
                "inputs of %s and %s cannot be added; their shapes must be equal"
                % (written(xs[0]), written(other))
            )
    return Plan(xs[0])
