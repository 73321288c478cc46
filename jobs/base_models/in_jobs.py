"""Base models that a job's layers are parts of: found at submission, and kept with the job from then on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jobs.base_models.records import ModelRecord, load_model
from jobs.errors import NotFound
from trainer.files import fsync_folder, read_json
from trainer.layout import RunDirectory, Volume
from trainer.parts import layers

Lookup = Callable[[str], ModelRecord]
"""The record of a model that can be used; NotFound or Conflict where there is none such."""


def lookup(volume: Volume, *runs: RunDirectory) -> Lookup:
    """Finds models among those of the volume, and those deleted since among what ``runs`` keep."""

    def found(model_id: str) -> ModelRecord:
        for run in runs:
            if model_id.isidentifier() and run.base_record(model_id).is_file():
                return ModelRecord.model_validate(read_json(run.base_record(model_id)))
        return load_model(volume, model_id)

    return found


def link(run: RunDirectory, contents: Mapping[str, Any], volume: Volume) -> None:
    """Hard-link the models of a complete spec into the run directory: deleting them harms no job then.

    They may be those that the job keeps which this one starts from. NotFound where one has just gone.
    """
    start = contents["start_from"]
    source = volume.job(start["job"]) if start else None
    for model_id in named(contents):
        model = volume.model(model_id)
        places = [(model.model, model.record)]
        if source is not None:
            places.append((source.base(model_id), source.base_record(model_id)))
        run.bases.mkdir(exist_ok=True)
        if not any(_linked(place, run, model_id) for place in places):
            raise NotFound(f"there is no model {model_id!r}")
        fsync_folder(run.bases)


def named(contents: Mapping[str, Any]) -> Iterator[str]:
    """The ids of the base models that a spec names, each once."""
    of_layers = (layer["model"] for layer in contents.get("network", ()) if of_base(layer))
    yield from dict.fromkeys(of_layers)


def of_base(layer: Mapping[str, Any]) -> bool:
    """Whether a layer is part of a base model."""
    return "base" in layers[layer["type"]].facts


def _linked(place: tuple[Path, Path], run: RunDirectory, model_id: str) -> bool:
    model, record = place
    try:
        os.link(model, run.base(model_id))
        os.link(record, run.base_record(model_id))
    except FileNotFoundError:
        run.base(model_id).unlink(missing_ok=True)
        return False
    return True
