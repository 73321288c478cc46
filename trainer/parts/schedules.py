"""Learning-rate schedules: pure functions of the epochs trained so far (a fraction counts).

Every rate is above zero: CNTK takes no step, and counts no example, at a rate of zero.
"""

import math
from typing import List

from trainer.parts.registry import Param, Registry

schedules = Registry("schedule")


@schedules.part("constant")
def constant(epoch, *, rate: float = Param(gt=0)):
    """The same rate throughout."""
    return rate


@schedules.part("step")
def step(
    epoch, *, rate: float = Param(gt=0), every_epochs: float = Param(gt=0), factor: float = Param(0.1, gt=0)
):
    """``rate`` multiplied by ``factor`` after each ``every_epochs``."""
    return rate * factor ** math.floor(epoch / every_epochs)


@schedules.part("piecewise")
def piecewise(epoch, *, rates: List[float] = Param(gt=0), until_epochs: List[float] = Param(gt=0)):
    """``rates[i]`` until epoch ``until_epochs[i]``; the last rate, one more, holds from there on."""
    for rate, until in zip(rates, until_epochs):
        if epoch < until:
            return rate
    return rates[-1]


@schedules.part("exponential")
def exponential(epoch, *, rate: float = Param(gt=0), factor: float = Param(gt=0)):
    """``rate * factor ** epochs``, falling smoothly."""
    return rate * factor**epoch


@schedules.part("cosine")
def cosine(
    epoch, *, rate: float = Param(gt=0), epochs: float = Param(gt=0), minimum: float = Param(1e-6, gt=0)
):
    """Half a cosine from ``rate`` down to ``minimum`` over ``epochs`` (Loshchilov and Hutter, 2017)."""
    share = min(epoch / epochs, 1.0)
    return minimum + (rate - minimum) * (1 + math.cos(math.pi * share)) / 2


@schedules.part("warm_up")
def warm_up(
    epoch,
    *,
    epochs: float = Param(gt=0),
    start_factor: float = Param(0.01, gt=0, le=1),
    then=Param(part="schedule", number="constant"),
):
    """``then``, scaled up linearly from ``start_factor`` to 1 over the first ``epochs``."""
    share = min(epoch / epochs, 1.0)
    return schedules.build(then, epoch) * (start_factor + (1 - start_factor) * share)


def described(document):
    """A schedule of a complete spec in one line: ``0.001``, or ``cosine(rate=0.1, epochs=20.0, …)``."""
    if document["type"] == "constant":
        return repr(document["rate"])
    settings = [
        "%s=%s" % (name, described(document[name]) if param.part else repr(document[name]))
        for name, (_, param) in schedules[document["type"]].params.items()
    ]
    return "%s(%s)" % (document["type"], ", ".join(settings))
