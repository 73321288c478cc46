"""Whose a thing is: everybody reads everything, and changes only what is his own."""

from __future__ import annotations

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from app.admission.access import READING, Caller
from ingest import store as datasets
from jobs.base_models.records import load_record
from jobs.errors import Forbidden, NotFound
from jobs.store import Store
from jobs.sweeps import registry as sweeps
from jobs.webhooks import registry as webhooks
from trainer.layout import Volume

MAKE_ANEW = frozenset({"evaluate_job", "fork_job"})
"""Endpoints that post to somebody's job and leave it as it is: what they make is the caller's own."""


async def owners_only(request: Request, caller: Caller) -> None:
    """403 where a request would change what is another's. What is not there is the endpoint's to say."""
    if caller.admin or request.method in READING or request.scope["route"].name in MAKE_ANEW:
        return
    given = request.path_params
    for name, owner_of in _OWNERS.items():
        if name in given:
            store, volume = request.state.store, request.state.settings.volume
            try:
                owner = await run_in_threadpool(owner_of, given[name], store, volume)
            except NotFound:
                return
            if not caller.may_change(owner):
                whose = f"{owner}'s" if owner else "nobody's in particular"
                raise Forbidden(
                    f"{given[name]} is {whose}: {caller.name} may look at it, not change it",
                    extra={"owner": owner},
                )


def _of_job(job_id: str, store: Store, volume: Volume) -> str | None:
    return store.get(job_id).owner


def _of_checkpoint(checkpoint_id: str, store: Store, volume: Volume) -> str | None:
    return store.get(checkpoint_id.rpartition("@")[0]).owner


def _of_dataset(dataset_id: str, store: Store, volume: Volume) -> str | None:
    return datasets.get(volume, dataset_id).owner


def _of_model(model_id: str, store: Store, volume: Volume) -> str | None:
    return load_record(volume, model_id).owner


def _of_webhook(webhook_id: str, store: Store, volume: Volume) -> str | None:
    return webhooks.get(webhook_id, volume).owner


def _of_sweep(sweep_id: str, store: Store, volume: Volume) -> str | None:
    return sweeps.load(volume, sweep_id).owner


_OWNERS = {
    "job_id": _of_job,
    "checkpoint_id": _of_checkpoint,
    "dataset_id": _of_dataset,
    "model_id": _of_model,
    "webhook_id": _of_webhook,
    "sweep_id": _of_sweep,
}
