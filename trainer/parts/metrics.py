"""Metrics: one number an example, averaged over whole epochs and splits, never weighted.

``better`` in the registration says which way is better; ``finish`` what becomes of the mean.
"""

import math

from trainer.engine import C
from trainer.parts.registry import Param, Registry

metrics = Registry("metric")


@metrics.part("classification_error", target="classes", better="lower")
def classification_error(output, target, *, top_n: int = Param(1, ge=1)):
    """Share of examples whose true class is not among the ``top_n`` highest scores."""
    return C.classification_error(output, target, topN=top_n)


@metrics.part("accuracy", target="classes", better="higher")
def accuracy(output, target, *, top_n: int = Param(1, ge=1)):
    """Share of examples whose true class is among the ``top_n`` highest scores."""
    return 1 - C.classification_error(output, target, topN=top_n)


@metrics.part("root_mean_squared_error", target="values", better="lower", finish=math.sqrt)
def root_mean_squared_error(output, target):
    """Square root of the mean squared difference over all elements of all examples."""
    difference = output - target
    return C.reshape(C.reduce_mean(difference * difference), (1,))
