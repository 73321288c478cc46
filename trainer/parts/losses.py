"""Losses: one number an example, from a node of the network and a target.

The engine turns a term into sum(weight * loss) / n over a minibatch of n examples, and the name of an
``element_weight`` into its node. ``target``
in the registration says which fields fit: "classes" (a categorical field, or a distribution
over classes), "values" (numbers of the output's shape), "labels" (numbers in 0..1), or "layer":
another node of the network.
"""

from typing import Optional

from trainer.engine import C
from trainer.parts.pairs import similarities
from trainer.parts.registry import Param, Registry

losses = Registry("loss")


@losses.part("cross_entropy_with_softmax", target="classes")
def cross_entropy_with_softmax(output, target, *, label_smoothing: float = Param(0.0, ge=0, lt=1)):
    """Softmax cross entropy between scores and classes, per example.

    ``label_smoothing`` moves that share of the target's mass evenly to all classes.
    """
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / output.shape[0]
    return C.cross_entropy_with_softmax(output, target)


@losses.part("squared_error", target="values")
def squared_error(output, target):
    """Sum of squared differences over the elements of an example."""
    return C.squared_error(output, target)


@losses.part("smooth_l1", target="values")
def smooth_l1(
    output,
    target,
    *,
    sigma: float = Param(1.0, gt=0),
    element_weight: Optional[str] = Param(
        None, documentation="an input or a field of the output's shape: what each element counts"
    ),
):
    """Quadratic near the target and linear beyond, summed over the elements of an example.

    With d = element_weight * (output - target) an element adds (sigma * d)^2 / 2 where abs(d) < 1 / sigma^2,
    else abs(d) - 1 / (2 * sigma^2). So a weight of 0 leaves an element out.
    """
    difference = output - target
    if element_weight is not None:
        difference = difference * element_weight
    squared = float(sigma) ** 2
    distance = C.abs(difference)
    near = C.stop_gradient(C.less(distance, 1 / squared))
    per_element = near * (0.5 * squared) * difference * difference + (1 - near) * (distance - 0.5 / squared)
    return C.reshape(C.reduce_sum(per_element), (1,))


@losses.part("logistic", target="labels")
def logistic(output, target):
    """Binary cross entropy from scores (logits), summed over the labels of an example.

    max(z, 0) - z t + log(1 + exp(-abs(z))): exact for any score, where CNTK's own
    binary_cross_entropy clamps and loses its gradient.
    """
    per_label = C.relu(output) - output * target + C.log(1 + C.exp(-C.abs(output)))
    return C.reshape(C.reduce_sum(per_label), (1,))


@losses.part("ranking_with_negatives", target="layer")
def ranking_with_negatives(
    output,
    target,
    *,
    scale: float = Param(10.0, gt=0),
    similarity: str = Param("cosine", choices=("cosine", "dot_product")),
):
    """Softmax cross entropy of a row's own partner among those of all rows of its minibatch.

    ``output`` and ``target`` are the vectors of two towers, such as question and answer. The partners
    of the other rows are the negatives, so the loss grows with the minibatch, and a row alone has
    none. Scores are similarities times ``scale``.
    """
    everyone, own = similarities(output, target, similarity)
    return C.reshape(C.reduce_log_sum_exp(everyone * scale, axis=0) - own * scale, (1,))


@losses.part("margin_ranking", target="layer")
def margin_ranking(output, target, *, margin: float = Param(1.0, gt=0)):
    """max(0, margin - (output - target)), summed over the elements of an example.

    ``output`` scores the right partner and ``target``, a layer too, one that is known to be wrong.
    """
    return C.reshape(C.reduce_sum(C.relu(margin - (output - target))), (1,))
