"""The spec as pydantic models: its structure, types and limits. Meaning is checked in normalise.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from jobs.errors import InvalidInput
from jobs.settings import MOST_BLOCKTIME_MS, MklCode, Threads
from jobs.specs.part_models import Strict, discriminated, part_models, reference
from jobs.specs.region_models import Regions
from jobs.specs.structure import nearest as nearest
from jobs.specs.structure import shown as shown
from jobs.specs.structure import structural_faults as structural_faults
from trainer.parts import Part, augmentations, layers, learners, losses, metrics, recipes

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
Split = Literal["train", "valid"]
Weight = Annotated[float, Field(ge=0)]
Model = TypeVar("Model", bound=BaseModel)


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


class EarlyStopping(Strict):
    """End when ``patience`` epochs in a row did not better the watched value by ``min_delta``."""

    patience: int = Field(ge=1)
    min_delta: float = Field(default=0.0, ge=0)


class Training(Strict):
    epochs: int = Field(ge=1, le=1_000_000_000, description="passes over the training split")
    minibatch_size: int = Field(default=64, ge=1, description="examples a step")
    seed: int = Field(default=1, ge=0, lt=2**31)
    shuffle: bool = True
    permutation: Literal["drawn", "computed"] | None = Field(
        default=None,
        description="how rows are shuffled for an epoch: drawn as a whole at its start (8 bytes a row), or "
        "computed as they come; without it computed where the training split has more than a million rows, "
        "and as in the job that is continued",
    )
    threads: Threads | None = Field(
        default=None,
        description="CPU threads; the bits depend on it. auto, as without it: what the service is set to, or "
        "else as many as the network gains by and workers have cores for; as in the job that is continued",
    )
    mkl_code: MklCode | None = Field(
        default=None,
        description="instructions that Intel's library computes with; the bits depend on it: auto (AVX-512 "
        "on AMD's processors too, where a canary of such layers has come back), library (what it takes by "
        "itself), avx2 or avx512",
    )
    blocktime_ms: int | None = Field(
        default=None,
        ge=0,
        le=MOST_BLOCKTIME_MS,
        description="how long threads that have nothing to do spin before they sleep",
    )
    early_stopping: EarlyStopping | None = None
    rate_factors: dict[str, Annotated[float, Field(gt=0)]] | None = Field(
        default=None, description="layer to what the learner's rate is multiplied by for it; 1 for the others"
    )
    bias_rate_factor: float | None = Field(
        default=None,
        gt=0,
        description="what the rate of each bias is multiplied by, beside its layer's factor",
    )


class CheckpointRules(Strict):
    # Hashable, so that pydantic need not copy it for each spec that leaves it out.
    model_config = ConfigDict(frozen=True)

    every_epochs: int | None = Field(default=1, ge=1)
    every_minibatches: int | None = Field(default=None, ge=1)
    keep_last: int = Field(default=2, ge=1)
    keep_best: int = Field(default=1, ge=0)
    keep_bytes: int | None = Field(
        default=None, ge=1, description="of all that are kept; the newest stays and pinned ones do, whatever"
    )


Duration = Annotated[float, Field(gt=0, le=10 * 366 * 24 * 3600)]
"""Seconds; at most ten years, which whoever reckons with times can hold."""


class Limits(Strict):
    """What a job may take; what is left out has no limit. A trainer saves before it leaves, if it can."""

    # Hashable, so that pydantic need not copy it for each spec that leaves it out.
    model_config = ConfigDict(frozen=True)

    max_runtime_s: Duration | None = Field(default=None, description="running, over all attempts")
    max_queue_s: Duration | None = Field(
        default=None, description="waiting for a worker, since it was submitted, resumed or retried"
    )
    stall_s: Duration | None = Field(
        default=None, description="without a sign of life; if left out, the service's own limit"
    )
    memory_bytes: int | None = Field(default=None, ge=1, description="resident, over all its processes")


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


def _distinct(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("each entry may stand here once only")
    return values


def _threshold(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
    if not number and value != "tuned":
        raise ValueError("a threshold is a probability in 0..1, or 'tuned'")
    return value


Threshold = Annotated[Annotated[float, Field(ge=0, le=1)] | Literal["tuned"], BeforeValidator(_threshold)]


Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/=-]+$", max_length=64)]
Tags = Annotated[
    list[Tag],
    Field(max_length=20, description="words to find the job by", json_schema_extra={"uniqueItems": True}),
    AfterValidator(_distinct),
]


class Decision(Strict):
    """From which probability on the labels of a logistic term's output are said.

    ``tuned`` finds, after the training and on the validation split, the threshold (or with
    ``per_label`` one for each label) that is best by the figure that ``by`` names.
    """

    output: str
    threshold: Threshold = 0.5
    per_label: bool = False
    by: Literal["hamming_loss", "micro_f1", "macro_f1"] = "hamming_loss"


SHOWN = 100
"""Images of a picture at the most."""


def _images(value: Any) -> Any:
    whole = [isinstance(number, int) and not isinstance(number, bool) for number in _several(value)]
    count = len(value) if isinstance(value, list) else value
    if not all(whole) or not 1 <= count <= SHOWN:
        raise ValueError(f"images is how many the picture shows, 1 to {SHOWN}, or a list of as many rows")
    if isinstance(value, list) and (len(set(value)) < count or min(value) < 0):
        raise ValueError("rows are counted from 0, and each may stand here once only")
    return value


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


Images = Annotated[
    Annotated[int, Field(ge=1, le=SHOWN)]
    | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=SHOWN)],
    BeforeValidator(_images),
]


class Keep(Strict):
    """What a job leaves at its end of the values of inputs and layers, over the split that it evaluates.

    Each node in ``values`` becomes ``<node>.npy``: the first ``rows`` rows of the split, in its order. Those
    in ``pictures`` are drawn below one another in ``pictures.png``, for the first ``images`` rows, or for the
    rows of the data set that ``images`` lists.
    """

    values: Annotated[list[str], AfterValidator(_distinct)] = Field(default=[])
    rows: int = Field(default=10_000, ge=1)
    pictures: Annotated[list[str], AfterValidator(_distinct)] = Field(default=[])
    images: Images = 10


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
    outputs: Annotated[list[str], AfterValidator(_distinct)] | None = None
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
    cached: Annotated[list[str], AfterValidator(_distinct)] | None = Field(
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


def parse_as(model: type[Model], document: Mapping[str, Any]) -> Model:
    """A document as one of our models; InvalidInput with every structural fault at once."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise InvalidInput.of(structural_faults(error, document, model)) from None


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
