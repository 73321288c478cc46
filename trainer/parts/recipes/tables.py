"""Recipes for plain rows: one example is a row of numbers and classes."""

from functools import reduce
from operator import mul
from typing import Dict, List, Optional, Union

from trainer.parts.recipes.registry import Stack, adam, identifier, recipes
from trainer.parts.registry import Param

HIDDEN = {"ge": 1, "empty": True, "documentation": "units of each hidden layer, none for a linear model"}
DROPOUT = Param(0.0, ge=0, lt=1, documentation="share of each hidden layer that is left out in training")
L2 = Param(0.0, ge=0, into="learner", documentation="weight decay of the proposed learner")
CLASS_WEIGHTS = Param(
    None, documentation="balanced, weights by class, or one weight a class in the field's order"
)
EXAMPLE_WEIGHT = Param(None, field="numbers", into="example_weight", documentation="field of weights")


@recipes.part("classifier")
def classifier(
    fields,
    *,
    inputs: List[str] = Param(field="table", documentation="fields that go in, side by side"),
    target: str = Param(field="classes"),
    hidden: List[int] = Param([64], **HIDDEN),
    activation=Param("relu", part="activation"),
    dropout: float = DROPOUT,
    class_weights: Optional[Union[Dict[str, float], List[float], str]] = CLASS_WEIGHTS,
    label_smoothing: float = Param(0.0, ge=0, lt=1),
    example_weight: Optional[str] = EXAMPLE_WEIGHT,
    l2: float = L2,
):
    """One class a row, from numbers and classes: a feed-forward network and softmax cross entropy.

    Dense inputs are standardized by the training split, categorical ones enter as one-hot vectors.
    """
    stack = Stack(fields)
    stack.together(inputs)
    stack.hidden(hidden, activation, dropout)
    scores = stack.put("scores", "dense", units=fields[target].classes)
    term = {"type": "cross_entropy_with_softmax", "output": scores, "target": target}
    if class_weights is not None:
        term["class_weights"] = class_weights
    if label_smoothing:
        term["label_smoothing"] = label_smoothing
    fragment = {
        "inputs": stack.inputs,
        "network": stack.layers,
        "objective": [term],
        "metrics": [{"type": "classification_error", "output": scores, "target": target}],
        "learner": adam(l2),
    }
    if example_weight is not None:
        fragment["example_weight"] = example_weight
    return fragment


@recipes.part("regressor")
def regressor(
    fields,
    *,
    inputs: List[str] = Param(field="table", documentation="fields that go in, side by side"),
    targets: List[str] = Param(field="numbers", documentation="fields to predict, all by one network"),
    hidden: List[int] = Param([64], **HIDDEN),
    activation=Param("relu", part="activation"),
    dropout: float = DROPOUT,
    example_weight: Optional[str] = EXAMPLE_WEIGHT,
    l2: float = L2,
):
    """Numbers from numbers and classes, several targets at once on shared layers.

    Inputs and targets are standardized by the training split for training, so that each target counts
    alike; the model's outputs (``predicted_<target>``) and the metrics are in the target's own units.
    """
    stack = Stack(fields)
    shared = stack.together(inputs)
    shared = stack.hidden(hidden, activation, dropout) or shared
    objective, metrics, outputs = [], [], []
    for target in targets:
        field = fields[target]
        standardized = stack.input(target, name=target + "_standardized")
        head = stack.put("head_" + target, "dense", of=shared, units=elements(field.shape))
        head = shaped(stack, head, target, field.shape)
        objective.append(
            {"name": identifier(target), "type": "squared_error", "output": head, "target": standardized}
        )
        scale = [deviation if deviation > 0 else 1.0 for deviation in field.std or ()]
        output = stack.put("predicted_" + target, "rescale", scale=scale, shift=list(field.mean or ()))
        outputs.append(output)
        metrics.append(
            {
                "name": identifier("rmse_" + target),
                "type": "root_mean_squared_error",
                "output": output,
                "target": target,
            }
        )
    fragment = {
        "inputs": stack.inputs,
        "network": stack.layers,
        "objective": objective,
        "metrics": metrics,
        "outputs": outputs,
        "learner": adam(l2),
    }
    if len(targets) > 1:
        fragment["watch"] = {"metric": "total"}
    if example_weight is not None:
        fragment["example_weight"] = example_weight
    return fragment


@recipes.part("multilabel_classifier")
def multilabel_classifier(
    fields,
    *,
    input: str = Param(field="numbers"),
    labels: str = Param(field="labels", documentation="field of zeros and ones, one element a label"),
    hidden: List[int] = Param([128], **HIDDEN),
    activation=Param("relu", part="activation"),
    dropout: float = Param(0.5, ge=0, lt=1),
    threshold: float = Param(
        0.5, gt=0, lt=1, documentation="a label is said where its probability is above it"
    ),
    l2: float = Param(0.0001, ge=0, into="learner", documentation=L2.documentation),
):
    """Any number of labels a row: one score a label, trained with the logistic loss."""
    stack = Stack(fields)
    stack.input(input)
    stack.hidden(hidden, activation, dropout)
    scores = stack.put("scores", "dense", units=elements(fields[labels].shape))
    compared = {"output": scores, "target": labels}
    return {
        "inputs": stack.inputs,
        "network": stack.layers,
        "objective": [dict(compared, type="logistic")],
        "metrics": [
            dict(compared, type=metric, threshold=threshold)
            for metric in ("hamming_loss", "subset_accuracy", "micro_f1", "macro_f1")
        ],
        "decisions": [{"output": scores, "threshold": threshold}],
        "learner": adam(l2),
    }


@recipes.part("joint_autoencoder_classifier")
def joint_autoencoder_classifier(
    fields,
    *,
    input: str = Param(field="numbers"),
    target: str = Param(field="classes"),
    code: int = Param(32, ge=1, documentation="units of the layer that both tasks share"),
    activation=Param("relu", part="activation"),
    dropout: float = Param(0.0, ge=0, lt=1, documentation="share of the code that is left out in training"),
    reconstruction_weight: float = Param(0.3, gt=0),
    scale: Optional[float] = Param(
        None, gt=0, documentation="what the input is multiplied by; without it, it is standardized"
    ),
    l2: float = L2,
):
    """A class and the input itself from one code: cross entropy + weight * squared error."""
    stack = Stack(fields)
    shape = fields[input].shape
    x = stack.input(input, name=None, **({} if scale is None else {"scale": scale}))
    shared = stack.put("code", "dense", units=code, activation=activation)
    if dropout:
        shared = stack.put("dropped", "dropout", rate=dropout)
    scores = stack.put("scores", "dense", of=shared, units=fields[target].classes)
    flat = stack.put("rebuilt", "dense", of=shared, units=elements(shape))
    rebuilt = shaped(stack, flat, "rebuilt", shape)
    return {
        "inputs": stack.inputs,
        "network": stack.layers,
        "objective": [
            {"type": "cross_entropy_with_softmax", "output": scores, "target": target},
            {"type": "squared_error", "output": rebuilt, "target": x, "weight": reconstruction_weight},
        ],
        "metrics": [
            {"type": "classification_error", "output": scores, "target": target},
            {"type": "root_mean_squared_error", "output": rebuilt, "target": x},
        ],
        "learner": adam(l2),
    }


def elements(shape):
    """How many numbers an example of this shape has."""
    return reduce(mul, shape, 1)


def shaped(stack, node, name, shape):
    """A vector in the shape of what it is compared with."""
    return node if len(shape) == 1 else stack.put(name + "_shaped", "reshape", shape=list(shape))
