"""The spec as pydantic models: its structure, types and limits. Meaning is checked in normalise.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError

from jobs.errors import InvalidInput
from jobs.specs.keeping_models import Decision, Keep, distinct
from jobs.specs.part_models import Strict, discriminated, part_models, reference
from jobs.specs.region_models import Regions
from jobs.specs.structure import parse_as, structural_faults
from jobs.specs.training_models import CheckpointRules, Limits, Training
from trainer.parts import Part, augmentations, layers, learners, losses, metrics, recipes

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
Split = Literal["train", "valid"]
Weight = Annotated[float, Field(ge=0)]


Augmentation = reference(part_models(augmentations), None, augmentations)


class InputSpec(Strict):
    """A field of the data set as the network sees it: ``(value - shift) * scale``.

    Lists have a number for each channel, which is the first axis, in the order of the network's channels:
    stored images are red, green, blue, and ``channel_order`` may turn that round first.
    ``standardize`` takes mean and deviation of each element from the training split instead. Images that are
    trained are changed by ``augment`` before, one augmentation after the other; evaluated ones are not.
    """

    field: str
    standardize: bool = False
    shift: float | Annotated[list[float], Field(min_length=1)] = 0.0
    scale: float | Annotated[list[float], Field(min_length=1)] = 1.0
    channel_order: Literal["rgb", "bgr"] = "rgb"
    augment: list[Augmentation] = Field(default=[])  # type: ignore[valid-type]  # built from the registry


def _input(value: Any) -> Any:
    return {"field": value} if isinstance(value, str) else value


class LayerBase(Strict):
    name: Name
    share: Name | None = Field(
        default=None, description="a layer of the same type and shapes: its parameters are this one's too"
    )


class OneInput(LayerBase):
    input: str


class TwoInputs(LayerBase):
    inputs: list[str] = Field(min_length=2, max_length=2)


class ManyInputs(LayerBase):
    inputs: list[str] = Field(min_length=2)


class Targeted(Strict):
    """What compares a node of the network with an input or a field of the data set.

    Several dense fields as ``target`` stand side by side as one vector.
    """

    name: Name | None = None
    output: str
    target: str | Annotated[list[str], Field(min_length=1)]


class Term(Targeted):
    """Over the n examples (steps, where the output has one value a step) of a minibatch with the weights w:
    ``mean`` is sum(w * loss) / n, as in CNTK, ``weighted_mean`` sum(w * loss) / sum(w)."""

    weight: float = Field(default=1.0, gt=0)
    class_weights: dict[str, Weight] | list[Weight] | Literal["balanced"] | None = None
    """Class to weight (1 where a class is not named), one weight a class in the field's order, or
    ``balanced``: n / (classes * count)."""
    example_weight: str | None = Field(default=None, description="instead of the spec's own")
    normalization: Literal["mean", "weighted_mean"] = "mean"


class After(Strict):
    """A job to wait for: until it has succeeded, or until it has come to any end."""

    job: str
    on: Literal["success", "end"] = "success"


def _after(value: Any) -> Any:
    return {"job": value} if isinstance(value, str) else value


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Watch(Strict):
    """The value that best checkpoints and early stopping go by: a metric's or a loss term's name."""

    metric: str
    split: Split | None = None
    better: Literal["lower", "higher"] | None = Field(default=None, description="follows from the metric")


Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/=-]+$", max_length=64)]
Tags = Annotated[
    list[Tag],
    Field(max_length=20, description="words to find the job by", json_schema_extra={"uniqueItems": True}),
    AfterValidator(distinct),
]


class StartFrom(Strict):
    """``exact`` continues everything; ``continue`` too, with another learning rate if need be;
    ``weights`` takes the weights and starts a fresh learner."""

    job: str
    checkpoint: Annotated[int, Field(ge=0)] | str = "latest"
    mode: Literal["exact", "continue", "weights"]


def _layer_base(part: Part) -> type[Strict]:
    if part.variadic:
        return ManyInputs
    return TwoInputs if len(part.positional) == 3 else OneInput


Layer = discriminated(part_models(layers, _layer_base))
Loss = discriminated(part_models(losses, lambda _: Term))
Metric = discriminated(part_models(metrics, lambda _: Targeted))
Learner = reference(part_models(learners), None, learners)
Recipe = discriminated(part_models(recipes))

FROM_RECIPE = ("inputs", "network", "objective", "learner")
"""Required keys of a plain spec that a recipe may bring."""


def _or_a_recipe(schema: dict[str, Any]) -> None:
    """What a recipe brings need not be there beside it."""
    schema["required"] = [key for key in schema["required"] if key not in FROM_RECIPE]
    schema["anyOf"] = [{"required": ["recipe"]}, {"required": list(FROM_RECIPE)}]


class JobSpec(Strict):
    """One training job as its author writes it."""

    model_config = ConfigDict(json_schema_extra=_or_a_recipe)

    spec_version: Literal[1] = 1
    name: str = Field(default="", max_length=200)
    dataset: str
    recipe: Recipe | None = Field(  # type: ignore[valid-type]  # built from the registry
        default=None,
        exclude=True,
        description="short for a plain spec, which is what is kept: keys beside it replace what it says",
    )
    inputs: dict[Name, Annotated[InputSpec, BeforeValidator(_input)]] = Field(min_length=1)
    regions: Regions | None = Field(default=None, description="parts of images, for a detector")
    network: list[Layer] = Field(min_length=1)  # type: ignore[valid-type]  # built from the registry
    objective: list[Loss] = Field(min_length=1)  # type: ignore[valid-type]  # likewise
    example_weight: str | None = None
    metrics: list[Metric] = Field(default=[])  # type: ignore[valid-type]  # likewise
    outputs: Annotated[list[str], AfterValidator(distinct)] | None = None
    learner: Learner  # type: ignore[valid-type]  # likewise
    training: Training
    checkpoints: CheckpointRules = CheckpointRules()
    limits: Limits = Limits()
    tags: Tags = Field(default=[])
    priority: int = Field(default=5, ge=0, le=9, description="9 comes first; waiting makes up for it")
    after: list[Annotated[After, BeforeValidator(_after)]] = Field(
        default=[], max_length=100, description="jobs to wait for; an id alone: until it has succeeded"
    )
    requires: dict[str, Annotated[list[str], Field(min_length=1), BeforeValidator(_one_or_more)]] = Field(
        default={}, description="labels that a worker must have, each with the values that will do"
    )
    watch: Watch | None = None
    start_from: StartFrom | None = None
    decisions: list[Decision] = Field(default=[], description="0.5 for what is not named")
    keep: Keep | None = None
    cached: Annotated[list[str], AfterValidator(distinct)] | None = Field(
        default=None,
        description="layers whose values are computed once for the data set and kept on the volume, since "
        "nothing before them is learned; without it those behind frozen base models, unless there are "
        "gigabytes of them; [] for none",
    )
    fingerprint: str | None = Field(
        default=None, description="computed anew, so that an answer can be posted back"
    )


def parse(document: Mapping[str, Any]) -> JobSpec:
    """The spec as a model; InvalidInput with every structural fault at once."""
    return parse_as(JobSpec, document)


def check_with_recipe(document: Mapping[str, Any]) -> None:
    """InvalidInput with every structural fault of a recipe and of what stands beside it."""
    try:
        JobSpec.model_validate(document)
    except ValidationError as error:
        faults = [
            found
            for found in structural_faults(error, document, JobSpec)
            if found.code != "missing" or found.pointer[1:] not in FROM_RECIPE
        ]
        if faults:
            raise InvalidInput.of(faults) from None
