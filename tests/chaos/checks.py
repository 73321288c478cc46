"""What must hold when the dust has settled, looked at from outside: the API, the volume, the processes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from client import Client
from client.documents import Job
from jobs.states import TERMINAL, Reason, State, allowed
from tests.chaos.processes import Processes
from trainer.checkpoints import BrokenCheckpoint, verify
from trainer.layout import AttemptDirectory, RunDirectory, Volume


@dataclass(frozen=True)
class Reference:
    """What an undisturbed job of a variant left."""

    parameters_sha256: str
    losses: bytes
    """Of every minibatch, as losses.f64 holds them."""


def reference(job: Job, run: RunDirectory) -> Reference:
    assert job["status"] == "succeeded", job["detail"]
    assert job["result"] is not None
    digest = job["result"]["parameters_sha256"]
    assert digest is not None
    return Reference(digest, run.losses.read_bytes())


def lost(accepted: Mapping[str, str], jobs: list[Job]) -> Iterator[str]:
    """Jobs that were acknowledged and are not there."""
    found = {job["id"] for job in jobs}
    yield from (f"{job}: acknowledged, and not among the jobs" for job in accepted if job not in found)


def ended_otherwise(jobs: list[Job], cancelled: set[str]) -> Iterator[str]:
    """Jobs that did not succeed, but for those that somebody cancelled."""
    for job in jobs:
        wanted = {"succeeded", "cancelled"} if job["id"] in cancelled else {"succeeded"}
        if job["status"] not in wanted:
            yield f"{job['id']}: {job['status']} ({job['reason']}: {job['detail']})"


def differing(
    jobs: list[Job], variants: Mapping[str, str], references: Mapping[str, Reference], volume: Volume
) -> Iterator[str]:
    """Succeeded jobs whose parameters or losses are not the reference's, bit for bit."""
    for job in jobs:
        if job["status"] != "succeeded":
            continue
        expected = references[variants[job["id"]]]
        result = job["result"] or {}
        if result.get("parameters_sha256") != expected.parameters_sha256:
            yield f"{job['id']}: other parameters than the reference's, in attempt {job['attempt']}"
        if volume.job(job["id"]).losses.read_bytes() != expected.losses:
            yield f"{job['id']}: other losses on the way than the reference's"


def doubled(volume: Volume) -> Iterator[str]:
    """Attempts that, by what their trainers wrote themselves, trained while the next one did."""
    for path in sorted(volume.jobs.iterdir()):
        run = RunDirectory(path)
        spans = [span for number in _attempts(run) if (span := _span(run.attempt(number))) is not None]
        for (_, end), (begin, _) in pairwise(spans):
            if end > begin:
                yield f"{path.name}: a trainer wrote {end - begin:.3f} s after the next one had started"


def _attempts(run: RunDirectory) -> list[int]:
    return sorted(int(entry.name) for entry in run.attempts.glob("*") if entry.name.isdigit())


def facts(attempt: AttemptDirectory) -> list[dict[str, Any]]:
    """What an attempt's trainer reported, but for a line that it did not finish."""
    if not attempt.facts.exists():
        return []
    return [json.loads(line) for line in attempt.facts.read_bytes().split(b"\n")[:-1]]


def _span(attempt: AttemptDirectory) -> tuple[float, float] | None:
    """When a trainer wrote its first and its last fact."""
    told = facts(attempt)
    return (told[0]["time"], told[-1]["time"]) if told else None


def orphans(processes: Processes, roots: set[int]) -> Iterator[str]:
    """Processes of this service that none of ``roots`` has started, and any trainer."""
    for process in processes.all():
        ancestors = {process.pid, *(parent.pid for parent in process.parents())}
        if not roots & ancestors:
            yield f"process {process.pid} lives on: {' '.join(process.cmdline())[:200]}"
    for trainer in processes.trainers():
        yield f"{trainer.job}: its trainer {trainer.pid} lives on"


def half_written(volume: Volume) -> Iterator[str]:
    """Files that somebody began and nobody finished, and checkpoints that are not whole."""
    for path in sorted(volume.jobs.rglob(".*")):
        yield f"{path.relative_to(volume.jobs)} was begun and never finished"
    for path in sorted(volume.jobs.iterdir()):
        run = RunDirectory(path)
        for samples in run.published_checkpoints():
            try:
                verify(run.checkpoint(samples))
            except BrokenCheckpoint as error:
                yield f"{path.name}: checkpoint {samples}: {error}"
        for document in (run.spec, run.result):
            if document.exists():
                json.loads(document.read_text(encoding="utf-8"))


_STATES = {state.value for state in State}


def disordered(jobs: list[Job], client: Client) -> Iterator[str]:
    """Events with a gap, out of order, or that tell of a change of state which there is none of."""
    for job in jobs:
        events = client.jobs.events(job["id"])
        numbers = [event["seq"] for event in events]
        if numbers != list(range(1, len(events) + 1)):
            yield f"{job['id']}: its events are numbered {_gaps(numbers)}"
        state = None
        for event in events:
            if event["type"] not in _STATES:
                continue
            target = State(event["type"])
            # A record made anew begins again, whatever the lost one said last.
            before = None if event["reason"] == Reason.RECOVERED and state not in TERMINAL else state
            if not allowed(before, target, event["reason"]) or not isinstance(event["detail"], str):
                yield f"{job['id']}: event {event['seq']} leads from {state} to {target} ({event})"
            state = target
        if state is None or state.value != job["status"]:
            yield f"{job['id']}: is {job['status']}, and its last event says {state}"


def _gaps(numbers: list[int]) -> str:
    gaps = [f"{a}->{b}" for a, b in zip([0, *numbers], numbers, strict=False) if b != a + 1]
    return ", ".join(gaps[:10])
