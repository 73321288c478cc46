"""Every part that a spec can name, one registry a kind. Nothing here needs CNTK to be read."""

from trainer.parts import (  # noqa: F401  # they register their layers
    convolutions,
    pairs,
    pretrained,
    regions,
    sequences,
    unpooling,
)
from trainer.parts.activations import activations
from trainer.parts.augmentations import augmentations
from trainer.parts.initializers import initializers
from trainer.parts.layers import layers
from trainer.parts.learners import learners
from trainer.parts.losses import losses
from trainer.parts.metrics import metrics
from trainer.parts.recipes import recipes
from trainer.parts.registry import REQUIRED, Param, Part, Plan, PlanError, Registry
from trainer.parts.rescaling import rescale
from trainer.parts.schedules import schedules

registries = {
    registry.kind: registry
    for registry in (
        layers,
        activations,
        initializers,
        losses,
        metrics,
        learners,
        schedules,
        augmentations,
        recipes,
    )
}

__all__ = [
    "REQUIRED",
    "Param",
    "Part",
    "Plan",
    "PlanError",
    "Registry",
    "activations",
    "augmentations",
    "initializers",
    "layers",
    "learners",
    "losses",
    "metrics",
    "recipes",
    "registries",
    "rescale",
    "schedules",
]
