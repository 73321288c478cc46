"""Evaluation of a trained network on a data set, as a job: what is asked for, and whether it fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import Field

from jobs.checkpoints import Chosen, choose
from jobs.dataset import AnySplit, DatasetSchema, FieldSchema, load_schema
from jobs.errors import Conflict, Fault, InvalidInput, NotFound
from jobs.idempotency import Claim
from jobs.record import Kind, Record
from jobs.settings import Settings
from jobs.specs.checks.comparisons import targets
from jobs.specs.normalise import NormalisedSpec
from jobs.specs.part_models import Strict
from jobs.specs.structure import parse_as
from jobs.specs.training_models import Limits
from jobs.store import Store
from jobs.submission.new_run import Submission
from jobs.submission.submit import enqueue
from trainer.files import read_json
from trainer.layout import RunDirectory

MODE = "evaluate"
"""What ``start_from`` of an evaluation says in its run directory and in lineages."""
_READING = {"pattern", "lowercase", "unknown", "max_length"}
"""What of a text's tokens is the same wherever it is read alike."""
_PREFERRED: tuple[AnySplit, ...] = ("test", "valid", "train", "unlabelled")


class EvaluationRequest(Strict):
    """Which checkpoint of a job to run on which split of which data set."""

    dataset: str | None = Field(default=None, description="the job's own where none is named")
    split: AnySplit | None = Field(
        default=None, description="test where the data set has it, else valid, else train"
    )
    checkpoint: Annotated[int, Field(ge=0)] | str = Field(
        default="latest", description="latest, best, a number of samples or an id"
    )
    name: str = Field(default="", max_length=200)


def submit_evaluation(
    job_id: str,
    document: Mapping[str, Any],
    store: Store,
    settings: Settings,
    claim: Claim | None = None,
    owner: str | None = None,
) -> Record:
    """Queue the evaluation of a checkpoint of a job that trains or has trained.

    Raises InvalidInput with every fault, NotFound without the job, Conflict where the data set
    differs from the one trained on (``differences``) or the checkpoint is broken, Unavailable while
    Redis is away. Whatever is raised, nothing is left behind.
    """
    volume = settings.volume
    source = store.get(job_id)
    request = parse_as(EvaluationRequest, document)
    run = volume.job(source.id)
    if source.kind is not Kind.TRAINING or not run.spec.is_file():
        trained = f"; it evaluates {source.resumed_from.job}" if source.resumed_from else ""
        raise Conflict(f"{job_id} is no training, so it has no checkpoints to evaluate{trained}")
    spec = read_json(run.spec)
    fitted_schema = run.schema if run.schema.is_file() else volume.dataset(source.dataset).schema
    if not fitted_schema.is_file():
        raise Conflict(f"the schema that {job_id} was trained on is gone with data set {source.dataset}")
    fitted = DatasetSchema.model_validate(read_json(fitted_schema))
    faults: list[Fault] = []
    start = _checkpoint(run, request, faults)
    schema = _schema(settings, request.dataset or source.dataset, faults)
    split = _split(schema, request, faults) if schema else None
    if faults or start is None or schema is None or split is None:
        raise InvalidInput.of(faults)
    require_same_fields(spec, _of_split(schema, split), fitted)
    contents = {
        **spec,
        "name": request.name or f"{source.name or job_id} on {schema.name}"[:200],
        "dataset": schema.id,
        "start_from": {"job": job_id, "checkpoint": start.id, "mode": MODE},
        # What the training was to do and to have says nothing of the evaluation.
        "limits": Limits().model_dump(),
        "priority": 5,
        "tags": [],
        "after": [],
        "requires": {},
        "evaluation": {"split": split, "thresholds": _thresholds(run)},
        "keep": _kept(spec, schema.id),
    }
    evaluation = Submission(
        NormalisedSpec(contents),
        start,
        kind=Kind.EVALUATION,
        fitted_schema=fitted_schema,
        claim=claim,
        owner=owner,
    )
    return enqueue(evaluation, store, volume).record


def _kept(spec: Mapping[str, Any], dataset: str) -> dict[str, Any] | None:
    """What the training kept. Of other data rows that were chosen say nothing but how many there were."""
    keep: dict[str, Any] | None = spec.get("keep")
    if keep is None or dataset == spec["dataset"] or not isinstance(keep["images"], list):
        return keep
    return {**keep, "images": len(keep["images"])}


def _checkpoint(run: RunDirectory, request: EvaluationRequest, faults: list[Fault]) -> Chosen | None:
    try:
        return choose(run, request.checkpoint)
    except NotFound as error:
        faults.append(Fault("/checkpoint", "unknown_checkpoint", error.detail))
        return None


def _schema(settings: Settings, dataset_id: str, faults: list[Fault]) -> DatasetSchema | None:
    try:
        return load_schema(settings.volume, dataset_id)
    except NotFound as error:
        faults.append(Fault("/dataset", "unknown_dataset", error.detail))
        return None


def _split(schema: DatasetSchema, request: EvaluationRequest, faults: list[Fault]) -> AnySplit | None:
    have = [split for split in get_args(AnySplit) if split in schema.splits and schema.splits[split].rows]
    if request.split is None:
        found = next((split for split in _PREFERRED if split in have), None)
    else:
        found = request.split if request.split in have else None
    if found is None:
        wanted = f"no {request.split} split" if request.split else "no rows in any split"
        detail = f"data set {schema.id} has {wanted}; it has: {', '.join(have) or 'none'}"
        faults.append(Fault("/split", "unknown_split", detail))
    return found


def _of_split(schema: DatasetSchema, split: AnySplit) -> DatasetSchema:
    """The schema without the fields that the rows of the split lack."""
    lacked = schema.splits[split].lacks
    fields = {name: field for name, field in schema.fields.items() if name not in lacked}
    return schema.model_copy(update={"fields": fields})


def require_same_fields(spec: Mapping[str, Any], schema: DatasetSchema, fitted: DatasetSchema) -> None:
    """Every field that the network reads is there as it was; of targets, weights and annotated boxes those
    that are there. Conflict with every difference."""
    inputs = {entry["field"] for entry in spec["inputs"].values()}
    used = [name for name in _fields(spec, fitted) if name in inputs or name in schema.fields]
    looked_at = _of_regions(spec, schema)
    differences = [
        found
        for name in dict.fromkeys(used + looked_at)
        for found in field_differences(
            name, schema.fields.get(name), fitted.fields[name], read_by_steps=name in used
        )
    ]
    differences = differences or _axis_differences(used + looked_at, schema, fitted)
    if differences:
        places = ", ".join(difference["pointer"] for difference in differences)
        raise Conflict(
            f"data set {schema.id} differs from the one trained on, {fitted.id}, in what the network "
            f"uses: {places}; upload it with the same options for these fields",
            extra={"differences": differences},
        )


def _fields(spec: Mapping[str, Any], fitted: DatasetSchema) -> list[str]:
    """The fields that inputs, targets and weights name, each once."""
    layers = {layer["name"] for layer in spec["network"]}
    compared = [name for item in spec["objective"] + spec["metrics"] for name in targets(item)]
    keys = ("example_weight", "element_weight")
    weights = [spec["example_weight"], *(term.get(key) for term in spec["objective"] for key in keys)]
    named = [*spec["inputs"], *compared, *filter(None, weights)]
    fields = [spec["inputs"].get(name, {}).get("field", name) for name in named if name not in layers]
    return [name for name in dict.fromkeys(fields) if name in fitted.fields]


def _of_regions(spec: Mapping[str, Any], schema: DatasetSchema) -> list[str]:
    """The fields that regions are made of: images and proposals, and what is annotated where it is there."""
    rules = spec.get("regions")
    if rules is None:
        return []
    annotated = [rules[key] for key in ("boxes", "classes", "difficult") if rules[key] in schema.fields]
    return [rules["image"], *filter(None, [rules["proposals"]]), *annotated]


def _axis_differences(used: list[str], schema: DatasetSchema, fitted: DatasetSchema) -> list[dict[str, Any]]:
    """Fields that went together step by step must have equal lengths here too."""
    found = []
    first: dict[str, str | None] = {}
    for name in used:
        here, there = schema.fields[name].axis, fitted.fields[name].axis
        if there is not None and first.setdefault(there, here) != here:
            found.append({"pointer": f"/fields/{_escaped(name)}/axis", "here": here, "there": there})
    return found


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def field_differences(
    name: str, here: FieldSchema | None, there: FieldSchema, read_by_steps: bool = True
) -> list[dict[str, Any]]:
    at = f"/fields/{_escaped(name)}"
    known = _meaning(there)
    if here is None:
        return [{"pointer": at, "here": None, "there": known}]
    found = _meaning(here)
    # Of fields of another kind the rest differs by itself. A field need not tell of its columns.
    compared = known if here.kind == there.kind else ("kind",)
    if read_by_steps and here.min_length == 0 and there.min_length != 0:
        # The network reads at least one step of each row.
        return [{"pointer": f"{at}/min_length", "here": 0, "there": there.min_length}]
    return [
        {"pointer": f"{at}/{key}", "here": found[key], "there": known[key]}
        for key in compared
        if found[key] != known[key] and not (key == "columns" and None in (found[key], known[key]))
    ]


def _meaning(field: FieldSchema) -> dict[str, Any]:
    """What a number or class of a field stands for: equal in all data that one network reads."""
    keys = {"kind", "shape", "sequence", "classes", "columns", "hashed", "standardized"}
    meaning = field.model_dump(include=keys, mode="json")
    return meaning | {"tokens": field.tokens and field.tokens.model_dump(include=_READING)}


def _thresholds(run: RunDirectory) -> dict[str, list[float]]:
    """Those that the finished model came with; none where the job has not come to its end."""
    result = read_json(run.result) if run.result.is_file() else {}
    thresholds: dict[str, list[float]] = result.get("thresholds") or {}
    return thresholds
