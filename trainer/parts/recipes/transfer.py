"""Recipes that build on a model which was trained before."""

from typing import Dict, List, Optional, Union

from trainer.parts.recipes.registry import Stack, adam, recipes
from trainer.parts.recipes.tables import CLASS_WEIGHTS, HIDDEN
from trainer.parts.registry import Param

UNDECIDED = {"type": "normal", "scale": 0.0001}
"""How the last layer begins: of few images, larger weights by chance are not unlearned."""
FROM_MODEL = "; without it what the model's record says"


@recipes.part(
    "transfer_classifier",
    places={"first": "feature_node", "last": "last_hidden_node", "freeze": "freeze", "inputs": "input"},
)
def transfer_classifier(
    fields,
    bases,
    *,
    input: str = Param("image", field="images", documentation="field of the images"),
    target: str = Param("class", field="classes", documentation="field of their classes"),
    model: str = Param(base=True, documentation="base model: an id of /v1/models, where nodes are listed"),
    feature_node: Optional[str] = Param(
        None, documentation="node that the images take the place of; without it the model's own input"
    ),
    last_hidden_node: str = Param(documentation="node whose values the new layers take in"),
    freeze: str = Param(
        "all",
        documentation="what of the model keeps its weights: all, none, or a node with all that it depends on",
    ),
    pooling: str = Param(
        "average",
        choices=("average", "max", "none"),
        documentation="what becomes of the places of an image, where the node has more than one",
    ),
    hidden: List[int] = Param([], **HIDDEN),
    dropout: float = Param(
        0.0, ge=0, lt=1, documentation="share of the new layers' inputs that is left out in training"
    ),
    class_weights: Optional[Union[Dict[str, float], List[float], str]] = CLASS_WEIGHTS,
    shift: Optional[Union[float, List[float]]] = Param(
        None, documentation="what is subtracted from pixels, one number or one a channel" + FROM_MODEL
    ),
    scale: Optional[Union[float, List[float]]] = Param(
        None, documentation="what they are multiplied by then, likewise" + FROM_MODEL
    ),
    channel_order: Optional[str] = Param(
        None, choices=("rgb", "bgr"), documentation="order in which it takes colours" + FROM_MODEL
    ),
    l2: float = Param(0.0005, ge=0, into="learner", documentation="weight decay of the proposed learner"),
):
    """Classes of images, from what another model has learned to see (transfer learning).

    The base model up to ``last_hidden_node`` is kept, what it says of the places of an image is pooled, and
    new dense layers are learned on that; ``prediction`` is the last. What a frozen model says of an image is
    computed once and cached.
    """
    base = bases[model]
    stack = Stack(fields)
    given = {"shift": shift, "scale": scale, "channel_order": channel_order}
    stack.input(input, **{word: base.preprocessing[word] if v is None else v for word, v in given.items()})
    cut = {} if feature_node is None else {"first": feature_node}
    stack.put("base", "pretrained", model=model, last=last_hidden_node, freeze=freeze, **cut)
    if len(base.nodes.get(last_hidden_node, ())) > 1 and pooling != "none":
        stack.put("pooled", "global_%s_pooling" % pooling)
    if dropout:
        stack.put("dropped_features", "dropout", rate=dropout)
    stack.hidden(hidden, {"type": "relu"}, dropout)
    scores = stack.put("prediction", "dense", units=len(fields[target].classes), init=dict(UNDECIDED))
    term = {"type": "cross_entropy_with_softmax", "output": scores, "target": target}
    if class_weights is not None:
        term["class_weights"] = class_weights
    return {
        "inputs": stack.inputs,
        "network": stack.layers,
        "objective": [term],
        "metrics": [
            {"type": metric, "output": scores, "target": target}
            for metric in ("classification_error", "balanced_accuracy")
        ],
        "learner": adam(l2),
    }
