"""Activations: elementwise functions (and the softmax family, over the last axis).

The engine passes ``make``, a ``trainer.parameters.Maker``, for the one that learns something.
"""

import numpy as np

from trainer.engine import C
from trainer.parts.registry import Param, Registry

activations = Registry("activation")


@activations.part("none")
def none(make, x):
    """The identity."""
    return x


@activations.part("relu")
def relu(make, x):
    """max(x, 0)."""
    return C.relu(x)


@activations.part("leaky_relu")
def leaky_relu(make, x, *, alpha: float = Param(0.01, ge=0)):
    """x where positive, alpha * x elsewhere."""
    return C.leaky_relu(x, alpha)


@activations.part("elu")
def elu(make, x, *, alpha: float = Param(1.0, gt=0)):
    """x where positive, alpha * (exp(x) - 1) elsewhere."""
    return C.elu(x, alpha)


@activations.part("selu")
def selu(make, x):
    """Scaled exponential linear unit with the constants of Klambauer et al. (2017)."""
    return C.selu(x)


@activations.part("param_relu", parameters=("alpha",))
def param_relu(make, x, *, init: float = Param(0.25)):
    """leaky_relu whose slope is learned, one slope for each element of the first axis."""
    slopes = make.parameter("alpha", slope_shape(x.shape), init)
    return C.relu(x) - slopes * C.relu(-x)


def slope_shape(shape):
    """One slope an element of the first axis, broadcast over the others."""
    return tuple(shape[:1]) + (1,) * (len(shape) - 1)


@activations.part("sigmoid")
def sigmoid(make, x):
    """1 / (1 + exp(-x))."""
    return C.sigmoid(x)


@activations.part("hard_sigmoid")
def hard_sigmoid(make, x, *, alpha: float = Param(0.2, gt=0), beta: float = Param(0.5)):
    """max(0, min(1, alpha * x + beta))."""
    return C.hard_sigmoid(x, alpha, beta)


@activations.part("tanh")
def tanh(make, x):
    """The hyperbolic tangent."""
    return C.tanh(x)


@activations.part("softplus")
def softplus(make, x):
    """log(1 + exp(x))."""
    return C.softplus(x)


@activations.part("softsign")
def softsign(make, x):
    """x / (1 + abs(x))."""
    return C.softsign(x)


@activations.part("softmax")
def softmax(make, x):
    """exp(x) / sum(exp(x)) over the last axis. For cross_entropy_with_softmax give the scores instead."""
    # Without an axis CNTK takes all elements of an example together.
    return C.softmax(x, axis=-1)


@activations.part("log_softmax")
def log_softmax(make, x):
    """x - log(sum(exp(x))) over the last axis."""
    return C.log_softmax(x, axis=-1)


@activations.part("hardmax")
def hardmax(make, x):
    """One at the largest element of the last axis, the first of equals, and zero elsewhere.

    No gradient passes.
    """
    # C.hardmax knows no axis, and C.one_hot refuses to be asked for a gradient.
    positions = C.constant(np.arange(x.shape[-1], dtype=np.float32))
    return C.equal(C.argmax(x, axis=-1), positions)
