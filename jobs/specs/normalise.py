"""From the spec that a client posts to the one that a trainer runs: checked, resolved, complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.base_models.in_jobs import lookup
from jobs.dataset import DatasetSchema, load_schema
from jobs.errors import Fault, InvalidInput, JobsError, NotFound
from jobs.settings import AUTO, Settings
from jobs.specs.checks import check
from jobs.specs.checks.names import names
from jobs.specs.checks.regions import with_regions
from jobs.specs.estimate import estimate
from jobs.specs.fingerprint import SINCE, fingerprint
from jobs.specs.models import check_with_recipe, parse
from jobs.specs.recipes import (
    base_faults,
    blamed,
    contradictions,
    expand,
    field_faults,
    sound_faults,
    values_of,
)
from jobs.specs.structure import in_order, soundness
from jobs.specs.threads import worthwhile
from trainer.files import read_json
from trainer.layout import RunDirectory, Volume

DRAWN_ROWS = 1 << 20
"""Of so many rows, drawing an order takes milliseconds and 8 MB; of many more, seconds and gigabytes."""
Allowance = Callable[[Mapping[str, list[str]]], int]
"""How many threads a job may have that requires certain labels of its worker."""


@dataclass(frozen=True)
class NormalisedSpec:
    """A spec with every default filled in and every name resolved, as spec.json holds it."""

    document: dict[str, Any]
    measure: Callable[[], dict[str, Any]] = dict

    @property
    def estimate(self) -> dict[str, Any]:
        """What a job will take; worked out for whoever asks."""
        return self.measure()

    @property
    def fingerprint(self) -> str:
        return str(self.document["fingerprint"])

    @property
    def dataset(self) -> str:
        return str(self.document["dataset"])


def normalise(
    document: Mapping[str, Any],
    volume: Volume,
    settings: Settings,
    run: RunDirectory | None = None,
    allowance: Allowance = lambda requires: 1,
) -> NormalisedSpec:
    """The complete spec; InvalidInput with every fault at once, NotFound without its data set.

    ``run`` is the directory of a job that the spec is already that of: it keeps its base models.
    Where its structure (types, keys) is wrong, its sound parts are still searched for names of nothing;
    what hangs on more than names, such as shapes, is only looked for in a whole spec.
    A recipe is expanded, and leaves no trace but what it stands for. ``allowance`` is asked where the network
    is large enough for threads, and nobody has named a number.
    """
    if document.get("recipe") is not None:
        return expanded(document, volume, settings, allowance)
    try:
        spec = parse(document).model_dump()
        schema = _schema(volume, spec["dataset"])
    except (InvalidInput, NotFound) as error:
        raise _with_names(error, document, volume) from None
    start = spec["start_from"]
    kept = [run, volume.job(start["job"])] if start else [run]
    planned, faults = check(spec, schema, lookup(volume, *filter(None, kept)))
    if faults:
        raise InvalidInput.of(faults)
    spec["network"] = [spec["network"][position] for position in planned.order]
    continued = volume.job(start["job"]) if start and start["mode"] != "weights" else run
    _settle(spec["training"], settings, schema.splits["train"].rows, continued)
    if spec["training"]["threads"] is None:
        worth = worthwhile(spec, planned, with_regions(spec, schema))
        spec["training"]["threads"] = min(worth, allowance(spec["requires"])) if worth > 1 else 1
    spec["fingerprint"] = fingerprint(spec)
    return NormalisedSpec(spec, lambda: estimate(spec, planned, with_regions(spec, schema), settings))


def _schema(volume: Volume, dataset_id: str) -> DatasetSchema:
    """The data set's; NotFound, which points at where the spec names it."""
    try:
        return load_schema(volume, dataset_id)
    except NotFound as error:
        fault = Fault("/dataset", "unknown_dataset", error.detail)
        raise NotFound(error.detail, faults=[fault]) from None


def _with_names(error: JobsError, document: Mapping[str, Any], volume: Volume) -> JobsError:
    """A refusal that also says which names in the sound parts of a spec are those of nothing.

    A data set that is not there stays NotFound where nothing else is wrong.
    """
    sound = soundness(error.faults)
    schema, more = None, list[Fault]()
    start = document.get("start_from")
    job = start.get("job") if isinstance(start, Mapping) else None
    models = lookup(volume, *([volume.job(job)] if isinstance(job, str) and job.isidentifier() else []))
    if sound("/dataset"):
        try:
            schema = _schema(volume, document["dataset"])
        except NotFound as missing:
            more += missing.faults
    if document.get("recipe") is not None:
        # What stands beside it has its meaning only with what the recipe makes.
        more += sound_faults(document, sound, schema, models)
    else:
        more += names(document, sound, schema, models)
    if not more and isinstance(error, NotFound):
        return error
    return InvalidInput.of(in_order([*error.faults, *more], document))


def _settle(training: dict[str, Any], settings: Settings, rows: int, continued: RunDirectory | None) -> None:
    """Fill in what a spec leaves to the service, as it is for so many rows.

    What the bits depend on is as in the run that is continued, if one is. Threads stay None where the
    network decides.
    """
    if training["threads"] == AUTO:
        training["threads"] = None
    usual: dict[str, Any] = {
        "threads": None if settings.threads == AUTO else settings.threads,
        "mkl_code": settings.mkl_code,
        "blocktime_ms": settings.blocktime_ms,
        "permutation": "drawn" if rows <= DRAWN_ROWS else "computed",
    }
    if continued is not None and continued.spec.is_file():
        theirs = {**SINCE, **read_json(continued.spec)["training"]}
        usual.update({key: theirs[key] for key in ("threads", "mkl_code", "permutation")})
    training.update({key: value for key, value in usual.items() if training[key] is None})


def expanded(
    document: Mapping[str, Any], volume: Volume, settings: Settings, allowance: Allowance
) -> NormalisedSpec:
    """The complete spec of what a recipe stands for; faults are said of what the author wrote."""
    try:
        check_with_recipe(document)
        schema = _schema(volume, document["dataset"])
    except (InvalidInput, NotFound) as error:
        raise _with_names(error, document, volume) from None
    values = values_of(document["recipe"])
    models = lookup(volume)
    if faults := contradictions(document) + field_faults(values, schema) + base_faults(values, models):
        raise InvalidInput.of(faults)
    plain = expand(document, values, schema, models)
    try:
        return normalise(plain, volume, settings, allowance=allowance)
    except InvalidInput as error:
        raise InvalidInput.of(blamed(error.faults, document)) from None
