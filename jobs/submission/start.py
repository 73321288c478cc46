"""Where a job starts from: the checkpoint that its spec names, checked before the job exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.base_models.in_jobs import lookup, of_base
from jobs.base_models.shapes import Base
from jobs.checkpoints import Chosen, choose
from jobs.dataset import load_schema
from jobs.errors import Conflict, Fault, InvalidInput, NotFound
from jobs.specs.checks.regions import with_regions
from jobs.specs.fingerprint import diff
from jobs.specs.normalise import NormalisedSpec
from jobs.specs.shapes import Node, plan
from trainer.files import read_json
from trainer.layout import RunDirectory, Volume
from trainer.parts import learners


def resolve_start(spec: NormalisedSpec, volume: Volume) -> Chosen | None:
    """The whole checkpoint that ``start_from`` names; None where the job starts afresh.

    InvalidInput where there is none such, or where it leaves nothing to train; Conflict where
    it is broken, or where the two specs do not fit: ``differences`` then lists pointer, here
    and there.
    """
    start = spec.document["start_from"]
    if start is None:
        return None
    source = source_of(start, volume)
    try:
        chosen = choose(source, start["checkpoint"])
    except NotFound as error:
        raise _fault("checkpoint", "unknown_checkpoint", error.detail) from None
    there = read_json(source.spec)
    if start["mode"] == "weights":
        _require_weights(spec, there, start["job"], volume)
    else:
        _require_same(spec, there, start)
        _require_work_left(spec, chosen)
    return chosen


def source_of(start: Mapping[str, Any], volume: Volume) -> RunDirectory:
    """The job that ``start_from`` names; InvalidInput where there is none such."""
    source = volume.job(start["job"])
    if source.path.parent != volume.jobs or not source.spec.is_file():
        raise _fault("job", "unknown_job", f"there is no job {start['job']!r}")
    return source


def _fault(key: str, code: str, detail: str) -> InvalidInput:
    return InvalidInput.of([Fault(f"/start_from/{key}", code, detail)])


def _require_same(spec: NormalisedSpec, there: Mapping[str, Any], start: Mapping[str, Any]) -> None:
    """Nothing differs but the budget and, in mode ``continue``, the learning rate."""
    differences = diff(spec.document, there)
    rates = [difference for difference in differences if _is_rate(difference["pointer"], spec, there)]
    if start["mode"] == "continue":
        differences = [difference for difference in differences if difference not in rates]
    if not differences:
        return
    places = ", ".join(difference["pointer"] for difference in differences)
    kind, may_change = {
        "exact": ("an exact continuation", "nothing but the budget"),
        "continue": ("a continuation", "nothing but the learning rate and the budget"),
    }[start["mode"]]
    way = "take another learning rate with mode 'continue'" if differences == rates else "make them equal"
    raise Conflict(
        f"{kind} of {start['job']} may change {may_change}, and these differ: {places}; "
        f"{way}, or take the weights alone with mode 'weights'",
        extra={"differences": differences},
    )


def _is_rate(pointer: str, spec: NormalisedSpec, there: Mapping[str, Any]) -> bool:
    """Whether a difference lies in the rate of one and the same kind of learner."""
    kind = spec.document["learner"]["type"]
    place = f"/learner/{learners[kind].facts['rate']}"
    return there["learner"]["type"] == kind and (pointer == place or pointer.startswith(f"{place}/"))


def _require_work_left(spec: NormalisedSpec, chosen: Chosen) -> None:
    """A run planned with this budget from its beginning would have gone on behind the checkpoint."""
    training = spec.document["training"]
    done = chosen.manifest["epoch"]
    if done >= training["epochs"]:
        detail = (
            f"nothing is left to train: {chosen.id} has {done} epochs behind it and the budget ends "
            f"after {training['epochs']}; the epochs of both jobs count, so give more than {done}"
        )
        raise InvalidInput.of([Fault("/training/epochs", "nothing_left", detail)])
    stopping = training["early_stopping"]
    if stopping is None:
        return
    stale = chosen.stale
    if stale >= stopping["patience"]:
        detail = (
            f"nothing is left to train: {chosen.id} has {stale} epochs without a better value behind it, "
            f"which a patience of {stopping['patience']} does not outlast; give a patience of more than "
            f"{stale}, or no early stopping"
        )
        raise InvalidInput.of([Fault("/training/early_stopping/patience", "nothing_left", detail)])


def _require_weights(spec: NormalisedSpec, there: Mapping[str, Any], job_id: str, volume: Volume) -> None:
    """Every parameter must be in the other job, in the same shape, or else in a base model."""
    try:
        known = _parameters(there, volume, volume.job(job_id))
    except (NotFound, Conflict):
        # Its data set is gone, and with it the shapes; the trainer compares the parameters themselves.
        return
    inherited = {layer["name"] for layer in spec.document["network"] if of_base(layer)}
    differences = [
        {"pointer": f"/network/{name}", "here": shape, "there": known.get(name)}
        for name, shape in _parameters(spec.document, volume, volume.job(job_id)).items()
        if shape != known.get(name, shape if name.partition(".")[0] in inherited else None)
    ]
    if differences:
        misfits = ", ".join(str(difference["pointer"]).rpartition("/")[2] for difference in differences)
        raise Conflict(
            f"the weights of {job_id} do not fit this network: {misfits}; "
            "a layer takes the weights of a layer of the same name and shape",
            extra={"differences": differences},
        )


def _parameters(document: Mapping[str, Any], volume: Volume, run: RunDirectory) -> dict[str, list[int]]:
    """The shape of each parameter, by its full name such as "code.W"."""
    fields = with_regions(document, load_schema(volume, document["dataset"])).fields
    inputs = {
        name: Node(fields[entry["field"]].shape, fields[entry["field"]].axis)
        for name, entry in document["inputs"].items()
    }
    find = lookup(volume, run)
    bases = {layer["name"]: Base(find(layer["model"])) for layer in document["network"] if of_base(layer)}
    return {
        f"{layer.name}.{parameter}": list(shape)
        for layer in plan(inputs, document["network"], [], bases).layers
        for parameter, shape in layer.parameter_shapes.items()
    }
