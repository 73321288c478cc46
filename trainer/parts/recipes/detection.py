"""Recipes that find objects on images."""

from typing import List, Optional, Union

from trainer.parts.recipes.registry import RecipeError, Stack, recipes
from trainer.parts.registry import Param

PER_CHANNEL = ", one number or one a channel; without it what the base model's record says, else "
AS_BYTES = {"shift": 0.0, "scale": 0.00390625, "channel_order": "rgb"}
"""What becomes of pixels where no model says what it wants."""
COARSE = 16.0
"""Pixels a column of the features of AlexNet, VGG and their like, which the article builds on."""


@recipes.part(
    "fast_rcnn",
    places={
        "first": "pool_node",
        "last": "last_conv_node",
        "freeze": "start_train_conv_node",
        "inputs": "image",
    },
)
def fast_rcnn(
    fields,
    bases,
    *,
    image: str = Param("image", field="images", documentation="field of the images"),
    boxes: str = Param("boxes", field="boxes", documentation="field of the annotated boxes"),
    classes: str = Param("box_class", field="box_classes", documentation="field of their classes"),
    difficult: Optional[str] = Param(
        None, field="box_marks", documentation="field that marks boxes which are no examples"
    ),
    proposals: Optional[str] = Param("proposals", field="boxes", documentation="field of the candidates"),
    shift: Optional[Union[float, List[float]]] = Param(
        None, documentation="what is subtracted from pixels" + PER_CHANNEL + "0"
    ),
    scale: Optional[Union[float, List[float]]] = Param(
        None, documentation="what they are multiplied by then" + PER_CHANNEL + "1/256"
    ),
    channel_order: Optional[str] = Param(
        None, choices=("rgb", "bgr"), documentation="in which the network takes colours; likewise, else rgb"
    ),
    base_model: Optional[str] = Param(
        None,
        base=True,
        documentation="model whose convolutions make the features; without it they are learned anew",
    ),
    last_conv_node: Optional[str] = Param(
        None, documentation="the base model's node that is the features: where regions are pooled"
    ),
    train_conv_layers: bool = Param(
        True, documentation="whether the base model's convolutions are trained on"
    ),
    start_train_conv_node: Optional[str] = Param(
        None, documentation="the base model's node behind which they are; all of them where none is named"
    ),
    pool_node: Optional[str] = Param(
        None, documentation="the base model's node in whose place the regions' features are"
    ),
    last_hidden_node: Optional[str] = Param(
        None, documentation="the node up to which the base model follows behind that one, trained on"
    ),
    maps: List[int] = Param(
        [16, 32], ge=1, documentation="without a base model: filters of its 3 x 3 convolutions"
    ),
    stride: Optional[float] = Param(
        None, gt=0, documentation="pixels a column of the features; 16 with a base model, else as they are"
    ),
    offset: float = Param(
        0.0, documentation="pixels that convolutions without padding have cut off at the image's edge"
    ),
    roi_size: int = Param(7, ge=1, documentation="rows and columns that each region is pooled to"),
    hidden: List[int] = Param(
        [256], ge=1, empty=True, documentation="sizes of the dense layers behind the pooled regions"
    ),
    dropout: float = Param(0.0, ge=0, lt=1, documentation="share that is left out behind each of them"),
    proposals_per_image: int = Param(
        2000, ge=1, documentation="how many proposals of an image are looked at"
    ),
    regions_per_image: Optional[int] = Param(
        64, ge=1, documentation="how many of them are drawn for a training step; null: all of them"
    ),
    foreground_share: float = Param(
        0.25, gt=0, le=1, documentation="share of these that are objects, at most"
    ),
    foreground_overlap: float = Param(
        0.5, gt=0, le=1, documentation="a candidate that covers a box by as much (IoU) is an object"
    ),
    background_overlap: List[float] = Param(
        [0.0, 0.5],
        ge=0,
        le=1,
        documentation="what covers a box by the first and less than the second is none",
    ),
    add_annotated: bool = Param(True, documentation="whether annotated boxes are trained on as candidates"),
    flip: str = Param(
        "alternate",
        choices=("none", "alternate", "random"),
        documentation="left and right are swapped in every other epoch, or by chance, or never",
    ),
    target_means: List[float] = Param([0.0, 0.0, 0.0, 0.0], documentation="of corrections of boxes"),
    target_deviations: List[float] = Param([0.1, 0.1, 0.2, 0.2], gt=0, documentation="of the same"),
    sigma: float = Param(1.0, gt=0, documentation="of smooth L1: where it turns from quadratic to linear"),
    box_weight: float = Param(1.0, gt=0, documentation="of the loss of boxes beside that of classes"),
    suppression_overlap: float = Param(
        0.5, gt=0, le=1, documentation="of detections of a class that cover each other by more, one stays"
    ),
    least_score: float = Param(0.0, ge=0, le=1, documentation="detections below are left out"),
    detections_per_image: int = Param(100, ge=1, documentation="the best ones of each image are kept"),
    learning_rates: List[float] = Param(
        [0.001, 0.0001, 0.00001], gt=0, into="learner", documentation="one after the other"
    ),
    until_epochs: List[float] = Param(
        [10.0, 20.0], gt=0, empty=True, into="learner", documentation="when each gives way to the next"
    ),
    learning_rate_factor: float = Param(
        1.0, gt=0, into="learner", documentation="what they all are multiplied by"
    ),
    momentum: float = Param(0.9, ge=0, lt=1, into="learner"),
    l2: float = Param(0.0005, ge=0, into="learner", documentation="weight decay"),
    bias_rate_factor: float = Param(
        2.0, gt=0, documentation="what the learning rate of biases is multiplied by"
    ),
):
    """Objects on images, by Fast R-CNN (Girshick, 2015).

    Convolutions make features of the whole image; each region's are pooled to one size; dense layers say its
    class, or that it is background, and for each class how its box is to be corrected. ``scores`` and
    ``corrections`` are the last layers. Trained with the sum of softmax cross entropy and smooth L1.
    """
    for name, given in (("target_means", target_means), ("target_deviations", target_deviations)):
        if len(given) != 4:
            raise RecipeError(name, "%d numbers, but a correction has 4: x, y, width, height" % len(given))
    if len(learning_rates) != len(until_epochs) + 1:
        raise RecipeError(
            "until_epochs",
            "%d rates need %d epochs at which they change, not %d"
            % (len(learning_rates), len(learning_rates) - 1, len(until_epochs)),
        )
    stack = Stack(fields)
    # These names are those of fields that the regions make, and no node may have them.
    stack.names.taken.update(("rois", "region_class", "region_targets", "region_weights"))
    given = {"shift": shift, "scale": scale, "channel_order": channel_order}
    known = bases[base_model].preprocessing if base_model else AS_BYTES
    stack.input(image, **{word: known[word] if value is None else value for word, value in given.items()})
    if base_model is None:
        own = (
            ("last_conv_node", last_conv_node),
            ("start_train_conv_node", start_train_conv_node),
            ("pool_node", pool_node),
            ("last_hidden_node", last_hidden_node),
        )
        for name, given in own:
            if given is not None:
                raise RecipeError(name, "there is no base_model whose node it could be")
        convolutions(stack, maps)
    else:
        if last_conv_node is None:
            raise RecipeError("base_model", "name last_conv_node, the node of the model that is the features")
        freeze = (start_train_conv_node or "none") if train_conv_layers else "all"
        stack.put("features", "pretrained", model=base_model, last=last_conv_node, freeze=freeze)
    if stride is None:
        stride = COARSE if base_model else float(2 ** (len(maps) - 1))
    features = stack.top
    stack.inputs["rois"] = {"field": "rois"}
    stack.put(
        "pooled", "roi_pooling", [features, "rois"], size=[roi_size, roi_size], stride=stride, offset=offset
    )
    if (pool_node is None) != (last_hidden_node is None):
        raise RecipeError(
            "pool_node" if pool_node else "last_hidden_node",
            "pool_node and last_hidden_node go together: from where to where the base model follows",
        )
    if pool_node is not None:
        stack.put(
            "head", "pretrained", model=base_model, first=pool_node, last=last_hidden_node, freeze="none"
        )
    top = stack.hidden(hidden, "relu", dropout)
    count = len(fields[classes].classes) + 1
    scores = stack.put("scores", "dense", top, units=count, init={"type": "normal", "scale": 0.01})
    corrections = stack.put(
        "corrections", "dense", top, units=4 * count, init={"type": "normal", "scale": 0.001}
    )
    rates = [rate * learning_rate_factor for rate in learning_rates]
    rate = {"type": "piecewise", "rates": rates, "until_epochs": until_epochs}
    if not until_epochs:
        rate = rates[0]
    return {
        "inputs": stack.inputs,
        "regions": {
            "image": image,
            "boxes": boxes,
            "classes": classes,
            "difficult": difficult,
            "proposals": proposals,
            "proposals_per_image": proposals_per_image,
            "regions_per_image": regions_per_image,
            "foreground_share": foreground_share,
            "foreground_overlap": foreground_overlap,
            "background_overlap": background_overlap,
            "add_annotated": add_annotated,
            "flip": flip,
            "target_means": target_means,
            "target_deviations": target_deviations,
            "suppression_overlap": suppression_overlap,
            "least_score": least_score,
            "detections_per_image": detections_per_image,
        },
        "network": stack.layers,
        "objective": [
            {"type": "cross_entropy_with_softmax", "output": scores, "target": "region_class"},
            {
                "type": "smooth_l1",
                "output": corrections,
                "target": "region_targets",
                "element_weight": "region_weights",
                "sigma": sigma,
                "weight": box_weight,
            },
        ],
        "metrics": [{"type": "classification_error", "output": scores, "target": "region_class"}],
        "outputs": [scores, corrections],
        "learner": {"type": "momentum", "learning_rate": rate, "momentum": momentum, "l2": l2},
        "training": {"bias_rate_factor": bias_rate_factor},
    }


def convolutions(stack, maps):
    """3 x 3 convolutions, with pooling of 2 x 2 between them; what they make is on the top."""
    for stage, filters in enumerate(maps, 1):
        stack.put(
            "conv_%d" % stage,
            "convolution",
            filters=filters,
            filter_shape=[3, 3],
            activation="relu",
            init="he_normal",
        )
        if stage < len(maps):
            stack.put("pool_%d" % stage, "max_pooling", window=[2, 2])
