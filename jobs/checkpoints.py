"""The checkpoints of a job, read from the volume: list, verify, choose, link, pin."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from jobs.errors import Conflict, Fault, NotFound
from jobs.record import rfc3339
from trainer.files import fsync_folder, read_json
from trainer.layout import CheckpointDirectory, RunDirectory

Losses = dict[str, dict[str, float | None]]


class Checkpoint(BaseModel):
    """One published checkpoint, as its manifest tells it."""

    model_config = ConfigDict(frozen=True)

    id: str
    """``<job>@<samples>``."""
    job: str
    step: int
    samples: int
    epoch: int
    losses: Losses
    metrics: Losses
    size: int
    """Bytes of all its files."""
    sha256: str
    """Digest of the manifest, which holds the digest of every file."""
    best: bool
    """The best by the metric that the spec watches."""
    pinned: bool
    created_at: str


@dataclass(frozen=True)
class Chosen:
    """A checkpoint that was found whole."""

    id: str
    samples: int
    directory: CheckpointDirectory
    manifest: dict[str, Any]

    @property
    def stale(self) -> int:
        """Epochs in a row, at its end, that did not better the watched value."""
        try:
            return int(read_json(self.directory.loop)["stale"])
        except FileNotFoundError:
            raise _retired(self.directory) from None


def checkpoint_id(job_id: str, samples: int) -> str:
    return f"{job_id}@{samples}"


def list_checkpoints(run: RunDirectory) -> list[Checkpoint]:
    """The published checkpoints, oldest first. A broken manifest's checkpoint is left out."""
    best = _best(run)
    found = []
    for samples in run.published_checkpoints():
        directory = run.checkpoint(samples)
        manifest, faults = _read_manifest(directory)
        if not faults:
            found.append(_describe(directory, manifest, best=samples == best))
    return found


def get_checkpoint(run: RunDirectory, samples: int) -> Checkpoint:
    """One published checkpoint; NotFound where there is none."""
    for checkpoint in list_checkpoints(run):
        if checkpoint.samples == samples:
            return checkpoint
    raise NotFound(f"job {run.path.name} has no checkpoint at {samples} samples")


def verify(directory: CheckpointDirectory) -> list[Fault]:
    """Everything wrong with a checkpoint: each file missing, truncated or changed, by name."""
    manifest, faults = _read_manifest(directory)
    if faults:
        return faults
    for name, expected in sorted(manifest["files"].items()):
        path = directory.path / name
        place = _place(path)
        if not path.is_file():
            faults.append(Fault(place, "missing", f"{place[1:]} is missing"))
        elif path.stat().st_size != expected["size"]:
            detail = f"{place[1:]} has {path.stat().st_size} bytes where {expected['size']} were written"
            faults.append(Fault(place, "truncated", detail))
        elif _sha256(path) != expected["sha256"]:
            detail = f"the content of {place[1:]} has changed: its SHA-256 is not the manifest's"
            faults.append(Fault(place, "hash_mismatch", detail))
    return faults


def choose(run: RunDirectory, which: str | int) -> Chosen:
    """The checkpoint to start from: ``latest``, ``best``, a sample count or ``<job>@<samples>``.

    It is verified by hash. NotFound where there is none such; Conflict where it is broken,
    naming the files and, as ``whole_checkpoint``, the newest whole one before it.
    """
    samples = resolve(run, which)
    faults = verify(run.checkpoint(samples))
    job_id = run.path.name
    if not faults:
        directory = run.checkpoint(samples)
        return Chosen(checkpoint_id(job_id, samples), samples, directory, read_json(directory.manifest))
    before = (
        s for s in reversed(run.published_checkpoints()) if s < samples and not verify(run.checkpoint(s))
    )
    whole = next(before, None)
    offer = (
        f"{checkpoint_id(job_id, whole)} is the newest whole checkpoint before it"
        if whole is not None
        else "no whole checkpoint comes before it"
    )
    raise Conflict(
        f"checkpoint {checkpoint_id(job_id, samples)} is broken: {faults[0].detail}; {offer}",
        faults=faults,
        extra={"whole_checkpoint": None if whole is None else checkpoint_id(job_id, whole)},
    )


def link(source: CheckpointDirectory, target: CheckpointDirectory) -> None:
    """Hard-link a whole checkpoint to another place, so that no retention can take it away."""
    manifest = read_json(source.manifest)
    target.path.mkdir(parents=True)
    try:
        for name in [*manifest["files"], source.manifest.name]:
            os.link(source.path / name, target.path / name)
    except FileNotFoundError:
        raise _retired(source) from None
    fsync_folder(target.path)


def pin(run: RunDirectory, samples: int) -> Checkpoint:
    """Keep retention away from a checkpoint."""
    get_checkpoint(run, samples)
    run.checkpoint(samples).pinned.touch()
    return get_checkpoint(run, samples)


def unpin(run: RunDirectory, samples: int) -> Checkpoint:
    get_checkpoint(run, samples)
    run.checkpoint(samples).pinned.unlink(missing_ok=True)
    return get_checkpoint(run, samples)


def resolve(run: RunDirectory, which: str | int) -> int:
    job_id, published = run.path.name, run.published_checkpoints()
    if which in ("latest", "best"):
        samples = _best(run) if which == "best" else published[-1] if published else None
        if samples is None:
            raise NotFound(f"job {job_id} has no {which} checkpoint")
        return samples
    owner, _, number = str(which).rpartition("@")
    if owner not in ("", job_id) or not number.isdigit() or int(number) not in published:
        have = ", ".join(map(str, published)) or "none"
        raise NotFound(f"job {job_id} has no checkpoint {which!r}; it has, by samples: {have}")
    return int(number)


def _best(run: RunDirectory) -> int | None:
    """The published checkpoint with the best score by the metric that the spec watches."""
    scores = []
    for samples in run.published_checkpoints():
        manifest, faults = _read_manifest(run.checkpoint(samples))
        if not faults and manifest["score"] is not None:
            scores.append((manifest["score"], samples))
    if not scores:
        return None
    if read_json(run.spec)["watch"]["better"] == "lower":
        return min(scores)[1]
    return max(scores, key=lambda entry: (entry[0], -entry[1]))[1]


def _read_manifest(directory: CheckpointDirectory) -> tuple[dict[str, Any], list[Fault]]:
    place = _place(directory.manifest)
    try:
        manifest = read_json(directory.manifest)
        stated = manifest["sha256"]
        rest = {key: value for key, value in manifest.items() if key != "sha256"}
    except FileNotFoundError:
        return {}, [Fault(place, "missing", f"{place[1:]} is missing")]
    except (ValueError, TypeError, KeyError):
        return {}, [Fault(place, "unreadable", f"{place[1:]} is no manifest")]
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()
    if hashlib.sha256(canonical).hexdigest() != stated:
        detail = f"the content of {place[1:]} has changed: its SHA-256 is not the one it states"
        return {}, [Fault(place, "hash_mismatch", detail)]
    return manifest, []


def _describe(directory: CheckpointDirectory, manifest: dict[str, Any], *, best: bool) -> Checkpoint:
    return Checkpoint(
        id=checkpoint_id(manifest["job"], manifest["samples"]),
        job=manifest["job"],
        step=manifest["step"],
        samples=manifest["samples"],
        epoch=manifest["epoch"],
        losses=manifest["losses"],
        metrics=manifest["metrics"],
        size=sum(file["size"] for file in manifest["files"].values()),
        sha256=manifest["sha256"],
        best=best,
        pinned=directory.pinned.exists(),
        created_at=rfc3339(round(manifest["created_at"] * 1000)) or "",
    )


def _retired(directory: CheckpointDirectory) -> Conflict:
    return Conflict(f"the checkpoint {_place(directory.path)[1:]} was retired meanwhile")


def _place(path: Path) -> str:
    """A file of a checkpoint as users know it: /<job>/checkpoints/<samples>/<file>."""
    return "/" + "/".join(path.parts[path.parts.index("jobs") + 1 :])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
