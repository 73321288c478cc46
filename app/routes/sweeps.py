"""``/v1/sweeps``: many trials of one spec."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from starlette.concurrency import run_in_threadpool

from app.admission.access import CallerDep
from app.body import Document
from app.examples import sweeps as examples
from app.idempotency import Keyed
from app.paging import Number, page_token
from app.resources.sweeps import Sweep, SweepPage, Trial, TrialPage
from app.state import SettingsDep, StoreDep, VolumeDep
from jobs import idempotency
from jobs.idempotency import Made
from jobs.sweeps.public import public, shown
from jobs.sweeps.registry import create, ids_of, load
from jobs.sweeps.trials import cancel, trials

router = APIRouter(prefix="/sweeps", tags=["sweeps"])

BODY = {
    "requestBody": {
        "required": True,
        "description": "A job's spec, what is varied in it, and how.",
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/SweepSpec"},
                "example": examples.SWEEP_SPEC,
            }
        },
    }
}


@router.post(
    "",
    summary="Have a spec tried with many values",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: {"headers": {"Location": {"schema": {"type": "string"}}}}},
    openapi_extra=BODY,
)
async def create_sweep(
    document: Document,
    response: Response,
    store: StoreDep,
    settings: SettingsDep,
    keyed: Keyed,
    caller: CallerDep,
) -> Sweep:
    asked = keyed.asked(document)
    async with keyed.once() as found:
        if isinstance(found, Made):
            found.require(asked)
            sweep = await run_in_threadpool(load, settings.volume, found.id)
        else:
            sweep = await run_in_threadpool(create, document, settings, caller.name)
            if found is not None:
                claim = found.of(asked, status.HTTP_202_ACCEPTED)
                await run_in_threadpool(idempotency.settle, store, claim, sweep.id)
    response.headers["Location"] = f"/v1/sweeps/{sweep.id}"
    return Sweep.model_validate(await run_in_threadpool(public, sweep, settings.volume, store))


@router.get("", summary="List sweeps, newest first")
def list_sweeps(
    store: StoreDep,
    volume: VolumeDep,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
    page_token: Annotated[str | None, page_token(r"^swp_[0-9A-Z]{26}$")] = None,
) -> SweepPage:
    ids = [one for one in ids_of(volume) if page_token is None or one < page_token]
    found = [public(load(volume, one), volume, store) for one in ids[:page_size]]
    more = ids[page_size - 1] if len(ids) > page_size else None
    return SweepPage(items=[Sweep.model_validate(one) for one in found], next_page_token=more)


@router.get("/{sweep_id}", summary="One sweep, with its best trial")
def read_sweep(sweep_id: str, store: StoreDep, volume: VolumeDep) -> Sweep:
    return Sweep.model_validate(public(load(volume, sweep_id), volume, store))


@router.get("/{sweep_id}/trials", summary="The trials of a sweep, in the order in which they were begun")
def list_trials(
    sweep_id: str,
    store: StoreDep,
    volume: VolumeDep,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
    page_token: Number = None,
) -> TrialPage:
    sweep = load(volume, sweep_id)
    first = int(page_token) if page_token else 0
    found = [trial for trial in trials(volume, store, sweep_id) if trial.begun.number >= first]
    more = str(found[page_size].begun.number) if len(found) > page_size else None
    items = [Trial.model_validate(shown(trial, sweep.goal)) for trial in found[:page_size]]
    return TrialPage(items=items, next_page_token=more)


@router.post("/{sweep_id}/cancel", summary="End a sweep and its trials; asking again changes nothing")
def cancel_sweep(sweep_id: str, store: StoreDep, volume: VolumeDep) -> Sweep:
    return Sweep.model_validate(public(cancel(sweep_id, volume, store), volume, store))
