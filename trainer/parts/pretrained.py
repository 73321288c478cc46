"""The layer that is part of a base model, and which of the model's nodes such a layer takes."""

from typing import List, Mapping, Optional, Sequence, Set

from trainer.parts.layers import layers
from trainer.parts.registry import Param, Plan


def between(sources: Mapping[str, Sequence[str]], first: Optional[str], last: str) -> List[str]:
    """Names of the nodes that make ``last`` out of ``first`` (None: of the model's input), in order.

    ``sources`` maps the name of each node of the model to those of the nodes that it takes in; its order is
    that in which they are computed. ``first`` itself is not among them.
    """
    reached = set()  # type: Set[str]
    ahead = [last]
    while ahead:
        name = ahead.pop()
        if name != first and name not in reached:
            reached.add(name)
            ahead.extend(sources[name])
    return [name for name in sources if name in reached]


def frozen(sources: Mapping[str, Sequence[str]], first: Optional[str], last: str, freeze: str) -> Set[str]:
    """The names among ``between`` whose weights stay as they are: "all", "none", or all that the node
    ``freeze`` depends on, with itself."""
    if freeze == "none":
        return set()
    return set(between(sources, first, last if freeze == "all" else freeze))


@layers.part("pretrained", base="model")
def pretrained(
    make,
    x,
    *,
    model: str = Param(documentation="id of a model in /v1/models, whose nodes are listed there"),
    first: Optional[str] = Param(
        None,
        documentation="node that the layer's input takes the place of; null: the model's own input",
    ),
    last: str = Param(documentation="node whose output is the layer's"),
    freeze: str = Param(
        "all", documentation="all, none, or a node: it and what it depends on keep their weights"
    ),
    sha256: Optional[str] = Param(None, documentation="of the model's file; filled in at submission"),
):
    """Part of a model that was trained before, with the weights that it has: what makes one node of another.

    Frozen weights stay as they are to the bit, batch normalization among them works by its running means and
    variances, and dropout is left out. The other weights are learned from where they were, under the names
    that they have in the model; where a name is not the weight's alone, the node's stands before it.
    """
    return make.graft(model, sha256, first, last, freeze).build(x)


@pretrained.planned
def plan_pretrained(x, *, base, first, last, freeze, **_):
    """``base`` is what is known of the model: it tells a cut's ``shape`` and what is ``learned`` of it."""
    return Plan(base.shape(x, first, last), base.learned(first, last, freeze))
