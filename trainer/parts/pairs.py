"""Layers that bring two nodes together: the products, differences and scores of two towers."""

from trainer.engine import C
from trainer.parts.layers import layers, written
from trainer.parts.registry import Param, Plan, PlanError

TINY = 1e-12
"""Added to squared lengths."""


def plan_score(a, b):
    if a != b:
        raise PlanError(
            "inputs of %s and %s cannot be compared; bring both to one shape first, by a dense layer say"
            % (written(a), written(b))
        )
    return Plan((1,))


@layers.part("cosine")
def cosine(make, a, b):
    """The cosine of the angle between two vectors, -1 to 1; 0 where one of them is zero."""
    return C.reshape(C.reduce_sum(normalized(a) * normalized(b)), (1,))


@layers.part("dot_product")
def dot_product(make, a, b):
    """The sum of the products of corresponding elements."""
    return C.reshape(C.reduce_sum(a * b), (1,))


cosine.planned(plan_score)
dot_product.planned(plan_score)


def normalized(x):
    """A vector of length 1. CNTK's own cosine_distance has no gradient but NaN where a vector is zero."""
    return x / C.sqrt(C.reduce_sum(x * x) + TINY)


def similarities(output, target, similarity):
    """The scores of each row against the ``target`` of every row of the minibatch, and against its own."""
    if similarity == "cosine":
        output, target = normalized(output), normalized(target)
    everyone = C.times(output, C.transpose(C.unpack_batch(target), (1, 0)))
    return everyone, C.reduce_sum(output * target)


def plan_elementwise(a, b):
    # One number may stand beside a whole vector: a weight, a gate.
    if a != b and (1,) not in (a, b):
        raise PlanError(
            "inputs of %s and %s do not go together element by element; their shapes must be equal, or one "
            "of them 1" % (written(a), written(b))
        )
    return Plan(b if a == (1,) else a)


@layers.part("product")
def elementwise_product(make, a, b):
    """The products of corresponding elements, or each element times one number."""
    return a * b


elementwise_product.planned(plan_elementwise)


@layers.part("difference")
def difference(make, a, b, *, absolute: bool = Param(False)):
    """The differences of corresponding elements, or with ``absolute`` their distances."""
    found = a - b
    return C.abs(found) if absolute else found


@difference.planned
def plan_difference(a, b, *, absolute):
    return plan_elementwise(a, b)
