"""Metrics: numbers of each example, summed over whole epochs and splits, never weighted.

``better`` in the registration says which way is better. ``finish`` maps the sums and the number of
examples to the metric; without it a metric is the mean of one number an example. What no mean of
examples or minibatches can tell, such as F1, sums counts and finishes them: counts of whole
numbers add up exactly, in whatever pieces a split is read or an epoch resumed.
"""

import math

import numpy as np

from trainer.engine import C
from trainer.parts.pairs import similarities
from trainer.parts.registry import Param, Registry

metrics = Registry("metric")

TOLERANCE = 1e-6
"""The same product, summed in another order, differs by this much at the most."""


def mean(sums, count):
    return sums[0] / count


def root_of_mean(sums, count):
    return math.sqrt(sums[0] / count)


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


def mean_recall(sums, count):
    right, true = sums.reshape(2, -1)
    occurring = true > 0
    return (right[occurring] / true[occurring]).mean()


@metrics.part("balanced_accuracy", target="classes", better="higher", finish=mean_recall)
def balanced_accuracy(output, target):
    """Mean over the classes that occur of the share of their examples that are recognised.

    The true class of a distribution is its largest element.
    """
    true = C.hardmax(target)
    return C.splice(true * (1 - missed(output, target, 1)), true, axis=0)


@metrics.part("root_mean_squared_error", target="values", better="lower", finish=root_of_mean)
def root_mean_squared_error(output, target):
    """Square root of the mean squared difference over all elements of all examples."""
    difference = output - target
    return C.reshape(C.reduce_mean(difference * difference), (1,))


@metrics.part("mean_image_rmse", target="values", better="lower")
def mean_image_rmse(output, target):
    """Mean over the examples of the square root of each one's mean squared difference.

    The figure of CNTK's article on image autoencoders, which scales pixels by 1/256; never above
    ``root_mean_squared_error``, which takes one root over all examples.
    """
    difference = output - target
    return C.reshape(C.sqrt(C.reduce_mean(difference * difference)), (1,))


def said(output, threshold):
    """1 for each label whose probability is above the threshold: compared as scores, which never saturate."""
    return C.greater(output, math.log(threshold / (1 - threshold)))


def counts(output, target, threshold):
    """1 or 0 for each label: said and true, then said, then true. Of a share, more than half is true."""
    labels = (int(np.prod(output.shape)),)
    predicted = C.reshape(said(output, threshold), labels)
    true = C.reshape(C.greater(target, 0.5), labels)
    return C.splice(predicted * true, predicted, true, axis=0)


def f1(both, predicted, true):
    """2 both / (predicted + true); 0 for a label that is neither said nor true, as in scikit-learn."""
    return 2 * both / np.maximum(predicted + true, 1)


def micro(sums, count):
    return f1(*sums.reshape(3, -1).sum(axis=1))


def macro(sums, count):
    return f1(*sums.reshape(3, -1)).mean()


@metrics.part("hamming_loss", target="labels", better="lower")
def hamming_loss(output, target, *, threshold: float = Param(0.5, gt=0, lt=1)):
    """Share of labels that are wrong; one is set where its probability is above ``threshold``.

    The output is scores (logits), as the logistic loss takes them.
    """
    return C.reshape(C.reduce_mean(C.not_equal(said(output, threshold), C.greater(target, 0.5))), (1,))


@metrics.part("subset_accuracy", target="labels", better="higher")
def subset_accuracy(output, target, *, threshold: float = Param(0.5, gt=0, lt=1)):
    """Share of examples with every label right. The output is scores (logits)."""
    wrong = C.not_equal(said(output, threshold), C.greater(target, 0.5))
    return C.equal(C.reshape(C.reduce_sum(wrong), (1,)), 0)


@metrics.part("micro_f1", target="labels", better="higher", finish=micro)
def micro_f1(output, target, *, threshold: float = Param(0.5, gt=0, lt=1)):
    """F1 of all labels of all examples taken together. The output is scores (logits)."""
    return counts(output, target, threshold)


@metrics.part("macro_f1", target="labels", better="higher", finish=macro)
def macro_f1(output, target, *, threshold: float = Param(0.5, gt=0, lt=1)):
    """Mean over the labels of each one's F1, 0 for one never said nor true. The output is scores (logits)."""
    return counts(output, target, threshold)


def correlation(sums, count):
    """From the sums of x, y, x^2, y^2 and x y; 0 where one of them does not vary."""
    x, y, xx, yy, xy = sums / count
    spread = (xx - x * x) * (yy - y * y)
    return (xy - x * y) / math.sqrt(spread) if spread > 0 else 0.0


@metrics.part("pearson", target="values", better="higher", finish=correlation)
def pearson(output, target):
    """Pearson's correlation between output and target over all elements of all examples."""
    pairs = (output, target, output * output, target * target, output * target)
    return C.splice(*[C.reshape(C.reduce_mean(numbers), (1,)) for numbers in pairs], axis=0)


@metrics.part("ranking_accuracy", target="layer", better="higher")
def ranking_accuracy(output, target, *, similarity: str = Param("cosine", choices=("cosine", "dot_product"))):
    """Share of rows whose own partner scores highest among those of all rows of the same minibatch."""
    everyone, own = similarities(output, target, similarity)
    return C.reshape(C.greater_equal(own, C.reduce_max(everyone) - TOLERANCE), (1,))
