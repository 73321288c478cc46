"""Where a job starts from: the checkpoint that its spec names, checked before the job exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.checkpoints import Chosen, choose
from jobs.dataset import load_schema
from jobs.errors import Conflict, Fault, InvalidInput, NotFound
from jobs.fingerprint import diff
from jobs.shapes import plan
from jobs.spec import NormalisedSpec
from trainer.layout import Volume, read_json


def resolve_start(spec: NormalisedSpec, volume: Volume) -> Chosen | None:
    """The whole checkpoint that ``start_from`` names; None where the job starts afresh.

    InvalidInput where there is none such; Conflict where it is broken, or where the two
    specs do not fit: ``differences`` then lists pointer, here and there.
    """
    start = spec.document["start_from"]
    if start is None:
        return None
    source = volume.job(start["job"])
    if source.path.parent != volume.jobs or not source.spec.is_file():
        raise _fault("job", "unknown_job", f"there is no job {start['job']!r}")
    try:
        chosen = choose(source, start["checkpoint"])
    except NotFound as error:
        raise _fault("checkpoint", "unknown_checkpoint", error.detail) from None
    there = read_json(source.spec)
    if start["mode"] == "exact":
        _require_same(spec, there, start["job"])
    else:
        _require_weights(spec, there, start["job"], volume)
    return chosen


def _fault(key: str, code: str, detail: str) -> InvalidInput:
    return InvalidInput.of([Fault(f"/start_from/{key}", code, detail)])


def _require_same(spec: NormalisedSpec, there: Mapping[str, Any], job_id: str) -> None:
    if spec.fingerprint == there["fingerprint"]:
        return
    differences = diff(spec.document, there)
    places = ", ".join(difference["pointer"] for difference in differences)
    raise Conflict(
        f"an exact continuation of {job_id} may change nothing but the budget, and these differ: {places}; "
        "make them equal, or take the weights alone with mode 'weights'",
        extra={"differences": differences},
    )


def _require_weights(spec: NormalisedSpec, there: Mapping[str, Any], job_id: str, volume: Volume) -> None:
    """Every parameter must be in the other job, in the same shape."""
    try:
        known = _parameters(there, volume)
    except NotFound:
        # Its data set is gone, and with it the shapes; the trainer compares the parameters themselves.
        return
    differences = [
        {"pointer": f"/network/{name}", "here": shape, "there": known.get(name)}
        for name, shape in _parameters(spec.document, volume).items()
        if shape != known.get(name)
    ]
    if differences:
        misfits = ", ".join(str(difference["pointer"]).rpartition("/")[2] for difference in differences)
        raise Conflict(
            f"the weights of {job_id} do not fit this network: {misfits}; "
            "a layer takes the weights of a layer of the same name and shape",
            extra={"differences": differences},
        )


def _parameters(document: Mapping[str, Any], volume: Volume) -> dict[str, list[int]]:
    """The shape of each parameter, by its full name such as "code.W"."""
    fields = load_schema(volume, document["dataset"]).fields
    inputs = {name: fields[entry["field"]].shape for name, entry in document["inputs"].items()}
    return {
        f"{layer.name}.{parameter}": list(shape)
        for layer in plan(inputs, document["network"], []).layers
        for parameter, shape in layer.parameter_shapes.items()
    }
