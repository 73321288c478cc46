"""Learners: how parameters follow gradients, set up so that each is the rule people expect.

Every learner takes the mean gradient of a minibatch (``minibatch_size=IGNORE``); without it
CNTK feeds adaptive learners the sum and they hardly move. The engine sets the rate before
each minibatch from the schedule, so the constructor's rate is only the first one.
In the registration, ``state`` is the number of values kept a parameter (beside its gradient) and
``sparse`` says that CNTK implements the learner for the sparse gradients of sparse inputs.
"""

from typing import Optional

from trainer.engine import IGNORE, C
from trainer.parts.registry import Param, Registry

learners = Registry("learner")

RATE = {"part": "schedule", "number": "constant"}


def regularized(l1, l2, clip_norm, clip_value):
    """CNTK's options for penalties and clipping; of the two clippings at most one is set."""
    options = {"minibatch_size": IGNORE, "l1_regularization_weight": l1, "l2_regularization_weight": l2}
    if clip_value is not None:
        options.update(
            gradient_clipping_threshold_per_sample=clip_value, gradient_clipping_with_truncation=True
        )
    elif clip_norm is not None:
        options.update(
            gradient_clipping_threshold_per_sample=clip_norm, gradient_clipping_with_truncation=False
        )
    return options


def momentum_schedule(value):
    return C.momentum_schedule(value, minibatch_size=IGNORE)


@learners.part("sgd", rate="learning_rate", state=0, sparse=True)
def sgd(
    parameters,
    rate,
    *,
    learning_rate=Param(0.01, **RATE),
    l1: float = Param(0.0, ge=0),
    l2: float = Param(0.0, ge=0),
    clip_norm: Optional[float] = Param(None, gt=0),
    clip_value: Optional[float] = Param(None, gt=0),
):
    """Stochastic gradient descent: p -= rate * gradient."""
    return C.sgd(parameters, rate, **regularized(l1, l2, clip_norm, clip_value))


@learners.part("momentum", rate="learning_rate", state=1, sparse=True)
def momentum(
    parameters,
    rate,
    *,
    learning_rate=Param(0.01, **RATE),
    momentum: float = Param(0.9, ge=0, lt=1),
    unit_gain: bool = Param(False),
    l1: float = Param(0.0, ge=0),
    l2: float = Param(0.0, ge=0),
    clip_norm: Optional[float] = Param(None, gt=0),
    clip_value: Optional[float] = Param(None, gt=0),
):
    """Heavy-ball momentum: v = momentum * v + gradient; p -= rate * v.

    ``unit_gain`` scales the gradient by (1 - momentum), CNTK's default and not other libraries'.
    """
    return C.momentum_sgd(
        parameters,
        rate,
        momentum_schedule(momentum),
        unit_gain=unit_gain,
        **regularized(l1, l2, clip_norm, clip_value),
    )


@learners.part("nesterov", rate="learning_rate", state=1, sparse=True)
def nesterov(
    parameters,
    rate,
    *,
    learning_rate=Param(0.01, **RATE),
    momentum: float = Param(0.9, ge=0, lt=1),
    unit_gain: bool = Param(False),
    l1: float = Param(0.0, ge=0),
    l2: float = Param(0.0, ge=0),
    clip_norm: Optional[float] = Param(None, gt=0),
    clip_value: Optional[float] = Param(None, gt=0),
):
    """Nesterov's accelerated gradient."""
    return C.nesterov(
        parameters,
        rate,
        momentum_schedule(momentum),
        unit_gain=unit_gain,
        **regularized(l1, l2, clip_norm, clip_value),
    )


@learners.part("adam", rate="alpha", state=2)
def adam(
    parameters,
    rate,
    *,
    alpha=Param(0.001, **RATE),
    beta1: float = Param(0.9, ge=0, lt=1),
    beta2: float = Param(0.999, ge=0, lt=1),
    epsilon: float = Param(1e-8, gt=0),
    l1: float = Param(0.0, ge=0),
    l2: float = Param(0.0, ge=0),
    clip_norm: Optional[float] = Param(None, gt=0),
    clip_value: Optional[float] = Param(None, gt=0),
):
    """Adam in its paper's words (Kingma and Ba, 2015).

    alpha is CNTK's learning rate, beta1 its momentum, beta2 its variance momentum. CNTK adds
    epsilon to the uncorrected root of the second moment:
    p -= alpha * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon).
    """
    return C.adam(
        parameters,
        rate,
        momentum_schedule(beta1),
        unit_gain=True,
        variance_momentum=momentum_schedule(beta2),
        epsilon=epsilon,
        **regularized(l1, l2, clip_norm, clip_value),
    )


@learners.part("adamax", rate="alpha", state=2)
def adamax(
    parameters,
    rate,
    *,
    alpha=Param(0.002, **RATE),
    beta1: float = Param(0.9, ge=0, lt=1),
    beta2: float = Param(0.999, ge=0, lt=1),
    epsilon: float = Param(1e-8, gt=0),
    l1: float = Param(0.0, ge=0),
    l2: float = Param(0.0, ge=0),
    clip_norm: Optional[float] = Param(None, gt=0),
    clip_value: Optional[float] = Param(None, gt=0),
):
    """Adam with the infinity norm in place of the second moment (section 7 of the same paper)."""
    return C.adam(
        parameters,
        rate,
        momentum_schedule(beta1),
        unit_gain=True,
        variance_momentum=momentum_schedule(beta2),
        epsilon=epsilon,
        adamax=True,
        **regularized(l1, l2, clip_norm, clip_value),
    )


@learners.part("fsadagrad", rate="learning_rate", state=2)
def fsadagrad(
    parameters,
    rate,
    *,
    learning_rate=Param(0.001, **RATE),
    momentum: float = Param(0.9, ge=0, lt=1),
    variance_momentum: float = Param(0.999, ge=0, lt=1),
    unit_gain: bool = Param(True),
    l1: float = Param(0.0, ge=0),
    l2: float = Param(0.0, ge=0),
    clip_norm: Optional[float] = Param(None, gt=0),
    clip_value: Optional[float] = Param(None, gt=0),
):
    """CNTK's frequency-smoothed AdaGrad, an own relative of Adam."""
    return C.fsadagrad(
        parameters,
        rate,
        momentum_schedule(momentum),
        unit_gain=unit_gain,
        variance_momentum=momentum_schedule(variance_momentum),
        **regularized(l1, l2, clip_norm, clip_value),
    )


@learners.part("adagrad", rate="learning_rate", state=1, sparse=True)
def adagrad(
    parameters,
    rate,
    *,
    learning_rate=Param(0.01, **RATE),
    l1: float = Param(0.0, ge=0),
    l2: float = Param(0.0, ge=0),
    clip_norm: Optional[float] = Param(None, gt=0),
    clip_value: Optional[float] = Param(None, gt=0),
):
    """AdaGrad (Duchi et al., 2011), without CNTK's averaging multiplier."""
    return C.adagrad(
        parameters, rate, need_ave_multiplier=False, **regularized(l1, l2, clip_norm, clip_value)
    )


@learners.part("adadelta", rate="learning_rate", state=2, sparse=True)
def adadelta(
    parameters,
    rate,
    *,
    learning_rate=Param(1.0, **RATE),
    rho: float = Param(0.9, gt=0, lt=1),
    epsilon: float = Param(1e-6, gt=0),
    l1: float = Param(0.0, ge=0),
    l2: float = Param(0.0, ge=0),
    clip_norm: Optional[float] = Param(None, gt=0),
    clip_value: Optional[float] = Param(None, gt=0),
):
    """AdaDelta (Zeiler, 2012)."""
    return C.adadelta(
        parameters, rate, rho=rho, epsilon=epsilon, **regularized(l1, l2, clip_norm, clip_value)
    )


@learners.part("rmsprop", rate="learning_rate", state=3)
def rmsprop(
    parameters,
    rate,
    *,
    learning_rate=Param(0.001, **RATE),
    gamma: float = Param(0.95, gt=0, lt=1),
    inc: float = Param(1.2, gt=1),
    dec: float = Param(0.7, gt=0, lt=1),
    max: float = Param(10.0, gt=0),
    min: float = Param(0.1, gt=0),
    l1: float = Param(0.0, ge=0),
    l2: float = Param(0.0, ge=0),
    clip_norm: Optional[float] = Param(None, gt=0),
    clip_value: Optional[float] = Param(None, gt=0),
):
    """RMSProp by CNTK's own rule: a step size a parameter grows by ``inc`` and shrinks by ``dec``.

    Not the rule of other libraries; their results are not comparable.
    """
    return C.rmsprop(
        parameters,
        rate,
        gamma=gamma,
        inc=inc,
        dec=dec,
        max=max,
        min=min,
        need_ave_multiplier=False,
        **regularized(l1, l2, clip_norm, clip_value),
    )
