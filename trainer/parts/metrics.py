"""Metrics: one number an example, averaged over whole epochs and splits, never weighted.

``better`` in the registration says which way is better; ``finish`` what becomes of the mean.
"""

import math

import numpy as np

from trainer.engine import C
from trainer.parts.registry import Param, Registry

metrics = Registry("metric")


def missed(output, target, top_n):
    """One for each example whose true class is not among the ``top_n`` highest scores, else zero.

    CNTK's classification_error is not used: with topN it answers with one sum for the whole
    minibatch, and against a distribution with a probability. Of equal scores the first counts
    as higher, so that scores without any difference are not always right.
    """
    if top_n == 1:
        return C.not_equal(C.argmax(output), C.argmax(target))
    positions = C.constant(np.arange(output.shape[0], dtype=np.float32))
    score = C.reduce_sum(output * C.hardmax(target))
    before = C.less(positions, C.argmax(target)) * C.equal(output, score)
    return C.greater_equal(C.reduce_sum(C.greater(output, score) + before), top_n)


@metrics.part("classification_error", target="classes", better="lower")
def classification_error(output, target, *, top_n: int = Param(1, ge=1)):
    """Share of examples whose true class is not among the ``top_n`` highest scores.

    The true class of a distribution is its largest element.
    """
    return missed(output, target, top_n)


@metrics.part("accuracy", target="classes", better="higher")
def accuracy(output, target, *, top_n: int = Param(1, ge=1)):
    """Share of examples whose true class is among the ``top_n`` highest scores.

    The true class of a distribution is its largest element.
    """
    return 1 - missed(output, target, top_n)


@metrics.part("root_mean_squared_error", target="values", better="lower", finish=math.sqrt)
def root_mean_squared_error(output, target):
    """Square root of the mean squared difference over all elements of all examples."""
    difference = output - target
    return C.reshape(C.reduce_mean(difference * difference), (1,))
