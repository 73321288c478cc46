"""Base models as records on the volume: what an import found, and what others read of it."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.errors import Conflict, NotFound
from trainer.files import read_json
from trainer.layout import Volume

_ID = re.compile(r"mdl_[0-9a-f]{24}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelStatus(StrEnum):
    """Where a base model stands."""

    IMPORTING = "importing"
    """A worker has still to open it, or is at it."""
    READY = "ready"
    REFUSED = "refused"
    """It cannot be used; ``detail`` says why."""


class Preprocessing(_Strict):
    """What a model wants of images: it sees (value - shift) * scale, channel by channel.

    Lists have one number a channel, in the order that the model wants its channels in.
    """

    shift: float | list[float] = 0.0
    scale: float | list[float] = 1.0
    channel_order: Literal["rgb", "bgr"] = "rgb"
    """Stored images are RGB; ``bgr`` turns their channels round before anything else."""


class ModelSource(_Strict):
    """Where a model came from: an upload, or a job of this service."""

    format: Literal["cntk", "onnx", "job"]
    filename: str | None = None
    size: int
    """Bytes."""
    sha256: str
    job: str | None = None
    checkpoint: str | None = None
    """``<job>@<samples>``; None beside a job: its finished model."""


class ModelInput(_Strict):
    """What the model is fed."""

    name: str
    shape: tuple[int, ...]
    """Of one example, channels first; -1 where any size fits."""


class ModelNode(_Strict):
    """One operation of the network. Nodes come in topological order, and no two have one name."""

    name: str
    op: str
    """As CNTK calls it: Convolution, BatchNormalization, ReLU, Plus, …"""
    shape: tuple[int, ...]
    """Of its output for one example, channels first; -1 where any size fits."""
    inputs: list[str]
    """Names of the nodes and inputs that it takes in; parameters and constants are left out."""
    parameters: int
    """Numbers in the trainable parameters that the node itself takes in."""
    attributes: dict[str, Any] = {}
    """What it takes, besides the shapes of ``inputs``, to tell the shape for another size of the
    model's input (docs/models.md names them)."""


class ModelRecord(_Strict):
    """``model.json``: a base model, from the request to import it on."""

    record_version: Literal[1] = 1
    id: str
    """Derived from content and options: the same file with the same options is the same model."""
    name: str
    status: ModelStatus
    detail: str = ""
    """Why it was refused."""
    created_at: datetime
    owner: str | None = None
    """Name of the token that it was brought with; None where no token was asked for."""
    source: ModelSource
    preprocessing: Preprocessing | None = None
    """None: the model takes stored values as they are."""
    sandbox: str | None = None
    """What held the process that opened it; None until then."""
    sha256: str | None = None
    """Of model.dnn."""
    inputs: list[ModelInput] = []
    outputs: list[str] = []
    """Names of the nodes whose values the model gives."""
    nodes: list[ModelNode] = []
    parameters: int = Field(default=0, description="numbers in all trainable parameters")


def load_record(volume: Volume, model_id: str) -> ModelRecord:
    """The record of a model, whatever its status; NotFound where there is none."""
    try:
        # An id becomes part of a path, so only what looks like one is looked for.
        if not _ID.fullmatch(model_id):
            raise FileNotFoundError
        return ModelRecord.model_validate(read_json(volume.model(model_id).record))
    except FileNotFoundError:
        raise NotFound(f"there is no model {model_id!r}") from None


def load_model(volume: Volume, model_id: str) -> ModelRecord:
    """The record of a model that can be used; NotFound, or Conflict where it is not ready."""
    record = load_record(volume, model_id)
    if record.status is ModelStatus.IMPORTING:
        raise Conflict(f"model {model_id!r} is still being imported; try again when it is ready")
    if record.status is ModelStatus.REFUSED:
        raise Conflict(f"model {model_id!r} was refused: {record.detail}")
    return record
