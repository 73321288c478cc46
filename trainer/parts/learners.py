"""Learners: how parameters follow gradients, set up so that each is the rule people expect.

A part answers with the call of CNTK that it stands for. Every learner takes the mean gradient of
a minibatch (``minibatch_size=IGNORE``); without it CNTK feeds adaptive learners the sum and they
hardly move. The engine sets the rate before each minibatch from the schedule, so the call's rate
is only the first one.

In the rules below p is one parameter, g its gradient. Clipping comes first, then l2 adds to the
gradient, then the rule moves p, then l1 shrinks it. All of them treat every parameter alike,
biases included, and none depends on the number of examples in a minibatch.
In the registration, ``state`` is the number of values kept a parameter (beside its gradient) and
``sparse`` says that the learner trains on sparse inputs and resumes there bit for bit. Of those
that CNTK would take as well, nesterov diverges, and adadelta's bits depend on when it is saved.
"""

from collections import OrderedDict
from typing import Any, Dict, Optional

from trainer.parts.calls import Call
from trainer.parts.registry import Param, Registry
from trainer.parts.schedules import described

learners = Registry("learner")

RATE = {"part": "schedule", "number": "constant"}
L1 = Param(0.0, ge=0, documentation="after each step every element moves by rate * l1 towards 0 (proximal)")
L2 = Param(0.0, ge=0, documentation="adds l2 * p to the gradient behind the clipping (coupled weight decay)")
CLIP_NORM = Param(
    None,
    gt=0,
    documentation="longest gradient of a parameter: a longer one is scaled, each parameter by itself",
)
CLIP_VALUE = Param(None, gt=0, documentation="largest magnitude of a gradient's element: a larger one is cut")


def regularized(l1, l2, clip_norm, clip_value):
    """CNTK's options for penalties and clipping; of the two clippings at most one is set."""
    options = OrderedDict()
    if l1:
        options["l1_regularization_weight"] = l1
    if l2:
        options["l2_regularization_weight"] = l2
    threshold = clip_norm if clip_value is None else clip_value
    if threshold is not None:
        options["gradient_clipping_threshold_per_sample"] = threshold
        options["gradient_clipping_with_truncation"] = clip_value is not None
    return options


def call_of(document: Dict[str, Any]) -> str:
    """The call behind a learner of a complete spec, and that call written out with its rate."""
    call = learners.build(document)
    rate = document[learners[document["type"]].facts["rate"]]
    if rate["type"] == "constant":
        return call.written(described(rate))
    return "%s, rate set before each minibatch: %s" % (call, described(rate))


@learners.part("sgd", rate="learning_rate", state=0, sparse=True)
def sgd(
    *,
    learning_rate=Param(0.01, **RATE),
    l1: float = L1,
    l2: float = L2,
    clip_norm: Optional[float] = CLIP_NORM,
    clip_value: Optional[float] = CLIP_VALUE,
):
    """Stochastic gradient descent: p -= rate * g."""
    return Call("sgd", **regularized(l1, l2, clip_norm, clip_value))


@learners.part("momentum", rate="learning_rate", state=1, sparse=True)
def momentum(
    *,
    learning_rate=Param(0.01, **RATE),
    momentum: float = Param(0.9, ge=0, lt=1),
    unit_gain: bool = Param(False),
    l1: float = L1,
    l2: float = L2,
    clip_norm: Optional[float] = CLIP_NORM,
    clip_value: Optional[float] = CLIP_VALUE,
):
    """Heavy-ball momentum: v = momentum * v + rate * g; p -= v.

    A change of the rate therefore reaches the velocity bit by bit, unlike in libraries that
    multiply v by the rate. Behind a sparse input it is v = momentum * v + g; p -= rate * v, for
    those elements alone that occur in the minibatch. ``unit_gain`` scales g by (1 - momentum),
    CNTK's default and not other libraries'.
    """
    return Call(
        "momentum_sgd",
        momentum=momentum,
        unit_gain=unit_gain,
        **regularized(l1, l2, clip_norm, clip_value),
    )


@learners.part("nesterov", rate="learning_rate", state=1)
def nesterov(
    *,
    learning_rate=Param(0.01, **RATE),
    momentum: float = Param(0.9, ge=0, lt=1),
    unit_gain: bool = Param(False),
    l1: float = L1,
    l2: float = L2,
    clip_norm: Optional[float] = CLIP_NORM,
    clip_value: Optional[float] = CLIP_VALUE,
):
    """Nesterov's accelerated gradient: v = momentum * v + rate * g; p -= rate * g + momentum * v.

    ``unit_gain`` scales g by (1 - momentum), CNTK's default and not other libraries'.
    """
    return Call(
        "nesterov",
        momentum=momentum,
        unit_gain=unit_gain,
        **regularized(l1, l2, clip_norm, clip_value),
    )


@learners.part("adam", rate="alpha", state=2)
def adam(
    *,
    alpha=Param(0.001, **RATE),
    beta1: float = Param(0.9, ge=0, lt=1),
    beta2: float = Param(0.999, ge=0, lt=1),
    epsilon: float = Param(1e-8, gt=0),
    l1: float = L1,
    l2: float = L2,
    clip_norm: Optional[float] = CLIP_NORM,
    clip_value: Optional[float] = CLIP_VALUE,
):
    """Adam in its paper's words (Kingma and Ba, 2015).

    alpha is CNTK's learning rate, beta1 its momentum, beta2 its variance momentum. CNTK adds
    epsilon to the uncorrected root of the second moment:
    p -= alpha * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon).
    """
    return Call(
        "adam",
        momentum=beta1,
        unit_gain=True,
        variance_momentum=beta2,
        epsilon=epsilon,
        **regularized(l1, l2, clip_norm, clip_value),
    )


@learners.part("adamax", rate="alpha", state=2)
def adamax(
    *,
    alpha=Param(0.002, **RATE),
    beta1: float = Param(0.9, ge=0, lt=1),
    beta2: float = Param(0.999, ge=0, lt=1),
    epsilon: float = Param(1e-8, gt=0),
    l1: float = L1,
    l2: float = L2,
    clip_norm: Optional[float] = CLIP_NORM,
    clip_value: Optional[float] = CLIP_VALUE,
):
    """Adam with the infinity norm in place of the second moment (section 7 of the same paper).

    u = max(beta2 * u, abs(g)); p -= alpha / (1 - beta1^t) * m / (u + epsilon).
    """
    return Call(
        "adam",
        momentum=beta1,
        unit_gain=True,
        variance_momentum=beta2,
        epsilon=epsilon,
        adamax=True,
        **regularized(l1, l2, clip_norm, clip_value),
    )


@learners.part("fsadagrad", rate="learning_rate", state=2)
def fsadagrad(
    *,
    learning_rate=Param(0.001, **RATE),
    momentum: float = Param(0.9, ge=0, lt=1),
    variance_momentum: float = Param(0.999, ge=0, lt=1),
    unit_gain: bool = Param(True),
    l1: float = L1,
    l2: float = L2,
    clip_norm: Optional[float] = CLIP_NORM,
    clip_value: Optional[float] = CLIP_VALUE,
):
    """CNTK's frequency-smoothed AdaGrad, an own relative of Adam.

    With n smoothed as v, n the examples in the minibatch:
    v = variance_momentum * v + (1 - variance_momentum) * g^2;
    m = momentum * m + g * min(sqrt(n) / sqrt(v), 10); p -= rate * m.
    So the step grows with the root of the minibatch size. ``unit_gain`` scales what is added to
    m by (1 - momentum).
    """
    return Call(
        "fsadagrad",
        momentum=momentum,
        unit_gain=unit_gain,
        variance_momentum=variance_momentum,
        **regularized(l1, l2, clip_norm, clip_value),
    )


@learners.part("adagrad", rate="learning_rate", state=1, sparse=True)
def adagrad(
    *,
    learning_rate=Param(0.01, **RATE),
    l1: float = L1,
    l2: float = L2,
    clip_norm: Optional[float] = CLIP_NORM,
    clip_value: Optional[float] = CLIP_VALUE,
):
    """AdaGrad (Duchi et al., 2011): s = s + g^2; p -= rate * g / sqrt(s).

    Without CNTK's averaging multiplier.
    """
    return Call("adagrad", need_ave_multiplier=False, **regularized(l1, l2, clip_norm, clip_value))


@learners.part("adadelta", rate="learning_rate", state=2)
def adadelta(
    *,
    learning_rate=Param(1.0, **RATE),
    rho: float = Param(0.9, gt=0, lt=1),
    epsilon: float = Param(1e-6, gt=0),
    l1: float = L1,
    l2: float = L2,
    clip_norm: Optional[float] = CLIP_NORM,
    clip_value: Optional[float] = CLIP_VALUE,
):
    """AdaDelta (Zeiler, 2012).

    v = rho * v + (1 - rho) * g^2; d = sqrt((e + epsilon) / (v + epsilon)) * g;
    e = rho * e + (1 - rho) * d^2; p -= rate * d.
    """
    return Call("adadelta", rho=rho, epsilon=epsilon, **regularized(l1, l2, clip_norm, clip_value))


@learners.part("rmsprop", rate="learning_rate", state=3)
def rmsprop(
    *,
    learning_rate=Param(0.001, **RATE),
    gamma: float = Param(0.95, gt=0, lt=1),
    inc: float = Param(1.2, gt=1),
    dec: float = Param(0.7, gt=0, lt=1),
    max: float = Param(10.0, gt=0),
    min: float = Param(0.1, gt=0),
    l1: float = L1,
    l2: float = L2,
    clip_norm: Optional[float] = CLIP_NORM,
    clip_value: Optional[float] = CLIP_VALUE,
):
    """RMSProp by CNTK's own rule, not that of other libraries: their results are not comparable.

    v = gamma * v + (1 - gamma) * g^2, beginning at the first g^2. A step size an element begins
    at 0.02; it is multiplied by ``inc`` up to ``max`` where g keeps its sign and by ``dec`` down
    to ``min`` where not. p -= rate * step * g / sqrt(v + 1e-6).
    """
    return Call(
        "rmsprop",
        gamma=gamma,
        inc=inc,
        dec=dec,
        max=max,
        min=min,
        need_ave_multiplier=False,
        **regularized(l1, l2, clip_norm, clip_value),
    )
