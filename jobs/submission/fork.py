"""Forks: a new job whose spec is another's with a JSON merge patch, and the difference on record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jobs.errors import Conflict, Fault, InvalidInput
from jobs.idempotency import Claim
from jobs.record import Kind, Record
from jobs.retry import submitted_spec
from jobs.settings import Settings
from jobs.specs.fingerprint import differences
from jobs.store import Store
from jobs.submission.new_run import Parent
from jobs.submission.submit import enqueue, prepare
from trainer.files import read_json


def fork(
    job_id: str,
    patch: Mapping[str, Any],
    store: Store,
    settings: Settings,
    claim: Claim | None = None,
    owner: str | None = None,
) -> Record:
    """Queue a job of the patched spec of another one, which may be in any state.

    The patch is merged into the complete spec that the job was submitted with; one that names ``recipe``
    into what was posted, which is then expanded anew. Raises what ``submit`` raises, NotFound without
    the job, Conflict where it has no spec to patch. Whatever is raised, nothing is left behind.
    """
    source = store.get(job_id)
    run = settings.volume.job(source.id)
    complete = submitted_spec(run)
    if source.kind is not Kind.TRAINING:
        raise Conflict(f"{job_id} is an evaluation: its spec is that of the job it evaluates; fork that one")
    if complete is None:
        raise Conflict(f"there is no run directory of {job_id} on the volume: its spec is gone")
    base: Any = complete
    if patch.get("recipe") is not None:
        if not run.posted.is_file():
            detail = f"{job_id} was not posted as a recipe; patch its network, objective and so on"
            raise InvalidInput.of([Fault("/recipe", "no_recipe", detail)])
        base = read_json(run.posted)
    document = merged(base, patch)
    submission = prepare(document, store, settings, claim, owner)
    changed = [
        {"pointer": found["pointer"], "from": found["there"], "to": found["here"]}
        for found in differences(submission.spec.document, complete)
    ]
    parent = Parent(job_id, dict(patch), changed)
    return enqueue(replace(submission, parent=parent), store, settings.volume).record


def merged(target: Any, patch: Any) -> Any:
    """``target`` with a JSON merge patch (RFC 7396): null takes a key away, a list is replaced whole."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found
