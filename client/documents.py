"""The documents that the service answers with, as far as this client reads them.

The service's OpenAPI document (``/openapi.json``) is the whole truth; further keys pass
through untouched.
"""

from __future__ import annotations

from typing import Any, TypedDict

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
"""Statuses that never change again."""

Values = dict[str, dict[str, float | None]]
"""{split: {name: value}}; None where there is none yet or it is not finite."""


class Progress(TypedDict, total=False):
    """How far training is; empty or None before the first minibatch. ``eta_s`` in seconds."""

    epoch: int | None
    epochs: int | None
    minibatch: int | None
    step: int | None
    samples: int | None
    samples_per_second: float | None
    eta_s: float | None
    features: dict[str, int] | None


class Result(TypedDict, total=False):
    """What the trainer left at the end; ``parameters_sha256`` is what exactness is compared by."""

    outcome: str
    reason: str
    detail: str
    parameters_sha256: str | None
    step: int
    samples: int
    epoch: int
    best: dict[str, Any] | None
    seconds: float
    thresholds: dict[str, list[float]]


class ResumedFrom(TypedDict):
    """``step``, ``samples`` and ``epoch`` say what the checkpoint had behind it."""

    job: str
    checkpoint: str
    mode: str
    step: int | None
    samples: int | None
    epoch: int | None


class ForkedFrom(TypedDict):
    """The job that this one's spec was made of, by which merge patch. In a list only the job is there."""

    job: str
    patch: dict[str, Any] | None
    diff: list[dict[str, Any]] | None


class WaitingFor(TypedDict):
    """Why a job is queued and not running."""

    reason: str
    detail: str


class Job(TypedDict):
    """In a list, ``spec``, ``queue_position`` and ``waiting_for`` are None. Times are RFC 3339, in UTC."""

    id: str
    kind: str
    name: str
    tags: list[str]
    priority: int
    owner: str | None
    status: str
    reason: str
    detail: str
    attempt: int
    cancel_requested: bool
    pause_requested: bool
    progress: Progress
    losses: Values
    metrics: Values
    checkpoints: int
    timings: dict[str, float]
    resumed_from: ResumedFrom | None
    sweep: str | None
    forked_from: ForkedFrom | None
    dataset: str
    recipe: str | None
    fingerprint: str
    worker: str | None
    result: Result | None
    created_at: str
    updated_at: str
    started_at: str | None
    first_minibatch_at: str | None
    finished_at: str | None
    queue_position: int | None
    waiting_for: WaitingFor | None
    not_before: str | None
    spec: dict[str, Any] | None


class Descent(TypedDict):
    """One job of a lineage, and what it started from: a checkpoint of the next job in the list.

    ``found``: ``record``; ``volume`` where its record is gone; ``nothing`` where only its id is known.
    ``changed``: pointer, here and there (in the next job's spec); None where there is nothing to compare.
    """

    job: str
    found: str
    name: str | None
    status: str | None
    checkpoint: str | None
    step: int | None
    samples: int | None
    mode: str | None
    changed: list[dict[str, Any]] | None


class File(TypedDict):
    """A file that can be downloaded; ``path`` relative to its listing, ``size`` in bytes."""

    path: str
    size: int
    sha256: str | None
    href: str


class Checkpoint(TypedDict):
    """``id`` is what ``start_from.checkpoint`` may name; ``size`` in bytes."""

    id: str
    job: str
    step: int
    samples: int
    epoch: int
    losses: Values
    metrics: Values
    size: int
    sha256: str
    pinned: bool
    best: bool
    created_at: str
    files: list[File]


class Log(TypedDict):
    """The end of what an attempt's processes wrote; ``truncated`` where there is more before it."""

    attempt: int
    stream: str
    lines: list[str]
    truncated: bool


class LogPiece(TypedDict):
    """What was written to one stream of one attempt, from byte ``offset`` on."""

    attempt: int
    stream: str
    offset: int
    text: str


class Dataset(TypedDict):
    """An ingested data set; ``size`` in bytes."""

    id: str
    name: str
    format: str
    rows: int
    size: int
    fields: dict[str, dict[str, Any]]
    splits: dict[str, dict[str, Any]]
    created_at: str


class ModelNode(TypedDict):
    """One operation of a base model."""

    name: str
    op: str
    shape: list[int]
    inputs: list[str]
    parameters: int
    attributes: dict[str, Any]


class Model(TypedDict):
    """A base model. ``nodes`` is empty in a list, and until the import has ended."""

    id: str
    name: str
    status: str
    detail: str
    created_at: str
    source: dict[str, Any]
    preprocessing: dict[str, Any] | None
    sandbox: str | None
    sha256: str | None
    inputs: list[dict[str, Any]]
    outputs: list[str]
    nodes: list[ModelNode]
    parameters: int


class Webhook(TypedDict):
    """An address that is told of changes of state. ``disabled_because``: why the service switched it off."""

    id: str
    url: str
    events: list[str]
    job: str | None
    tag: str | None
    description: str
    owner: str | None
    enabled: bool
    disabled_because: str | None
    created_at: str


class NewWebhook(Webhook):
    """A webhook that was just made: ``secret`` signs its messages, and is told this once."""

    secret: str


class Delivery(TypedDict):
    """One message to a webhook, and how it went."""

    id: str
    type: str
    job: str | None
    status: str
    attempts: int
    created_at: str
    attempted_at: str | None
    next_at: str | None
    response_status: int | None
    error: str | None
    payload: str
