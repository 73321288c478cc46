"""``create_app``: the HTTP front end put together. Nothing happens on import."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry

from app import problems
from app.admission.access import Guard, authorised
from app.admission.admitted import admitted
from app.admission.query import known_parameters_only
from app.admission.rates import Rates
from app.description import describe
from app.middleware.conditional import ConditionalReads
from app.middleware.headers import SecurityHeaders
from app.middleware.heads import HeadsOfReads
from app.middleware.limits import BodyLimits
from app.middleware.prometheus_http import V1, CountRequests, HttpFigures
from app.middleware.request_ids import RequestIds
from app.middleware.request_log import RequestLog
from app.pages import routes as pages
from app.prometheus import JobsCollector
from app.resources.problem import Problem
from app.routes import (
    artifacts,
    audit,
    batch,
    bulk,
    checkpoints,
    datasets,
    evaluations,
    events,
    forks,
    health,
    jobs,
    lineage,
    logs,
    metrics,
    models,
    parts,
    posted,
    rawlogs,
    rescans,
    scrape,
    steering,
    sweeps,
    tokens,
    webhooks,
    workers,
)
from app.sending import Sender
from app.specs import Specs
from app.state import AppState, Reading
from app.streams.hub import Hub
from app.submitting import Submitting
from ingest.incoming import sweep_incoming
from jobs.access.tokens import Tokens
from jobs.access.usage import Usage
from jobs.errors import Unavailable
from jobs.queries.glance import Glances
from jobs.queue import TokenQueue
from jobs.recovery.reconcile import reconcile
from jobs.recovery.rescan import Rescan, rescan, rescan_if_lost
from jobs.settings import Settings
from jobs.store import Store
from jobs.submission.submissions import Submissions
from jobs.sweeps.driver import SweepDriver
from jobs.tracing import tracing
from jobs.volume import make_volume

log = logging.getLogger("uvicorn.error")

RECONCILE_SECONDS = 1.0
SWEEP_SECONDS = 0.25

DESCRIPTION = """Training jobs for the Microsoft Cognitive Toolkit: upload a data set, post a
job's spec, follow its events, fetch its checkpoints, and resume from any of them.

Every error is `application/problem+json` (RFC 9457) and lists all faults at once."""


def create_app(settings: Settings) -> FastAPI:
    """The application of these settings. It connects and writes only once it is started."""
    registry = CollectorRegistry()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[AppState]:
        volume = settings.volume
        store = Store.open(settings)
        queue = TokenQueue(store.client)
        try:
            await asyncio.to_thread(make_volume, volume, store)
        except Unavailable as error:
            log.warning("%s", error.detail)
        sweep_incoming(volume)
        guard = Guard(settings, Tokens(volume))
        of_jobs = JobsCollector(store, volume)
        registry.register(of_jobs)
        reconciler = asyncio.create_task(reconcile_forever(store, queue, settings, guard))
        driver = asyncio.create_task(drive_sweeps(store, settings))
        sender = asyncio.create_task(Sender(store, settings).run())
        hub = Hub(store, settings, app.state.stopping)
        submissions = Submissions(store, settings)
        submissions.start()
        reading = Reading(Glances.open(settings), Specs(volume))
        try:
            async with hub.open():
                yield {
                    "settings": settings,
                    "store": store,
                    "queue": queue,
                    "hub": hub,
                    "submitting": Submitting(submissions),
                    "reading": reading,
                    "guard": guard,
                    "registry": registry,
                    "rates": Rates(store),
                    "usage": Usage(store, volume),
                }
        finally:
            await asyncio.to_thread(submissions.close)
            await reading.glances.close()
            registry.unregister(of_jobs)
            for task in (reconciler, driver, sender):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            store.client.close()

    app = FastAPI(
        title="CNTK jobs",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        # Ours load nothing from other hosts: app.pages.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        responses={"default": {"model": Problem, "description": "An error, as a problem document"}},
    )
    # A server that is shutting down says so here, for streams that would otherwise go on.
    app.state.stopping = lambda: False
    app.add_middleware(ConditionalReads)
    app.add_middleware(CountRequests, figures=HttpFigures(registry))
    app.add_middleware(HeadsOfReads)
    problems.register(app)
    # From the inside out.
    log_requests = (RequestLog,) if settings.log == "json" else ()
    for layer in (BodyLimits, audit.Audit, *log_requests, SecurityHeaders):
        app.add_middleware(layer)
    if tracing.tracer is not None:
        # OpenTelemetry need not be installed where there is no collector.
        from app.middleware.tracing import TraceRequests

        app.add_middleware(TraceRequests, tracer=tracing.tracer)
    app.add_middleware(RequestIds)
    describe(app)
    # Those that are asked most come first: routes are tried one after the other.
    of_jobs = (jobs, batch, bulk, forks, steering, evaluations, lineage, events, metrics, logs, rawlogs)
    of_files = (posted, checkpoints, artifacts, datasets, models)
    for room in (*of_jobs, *of_files, parts, workers, webhooks, rescans, tokens, audit, sweeps):
        app.include_router(room.router, prefix=V1, dependencies=[Depends(admitted)])
    app.include_router(health.router, dependencies=[Depends(known_parameters_only)])
    app.include_router(scrape.router, dependencies=[Depends(authorised), Depends(known_parameters_only)])
    app.include_router(pages.router)
    return app


async def drive_sweeps(store: Store, settings: Settings) -> None:
    """Take sweeps further, a few times a second, through every outage of Redis."""
    driver = SweepDriver(store, settings)
    while True:
        # While Redis is away the reconciler says so.
        with suppress(Unavailable, OSError):
            await asyncio.to_thread(driver.step)
        await asyncio.sleep(SWEEP_SECONDS)


async def reconcile_forever(store: Store, queue: TokenQueue, settings: Settings, guard: Guard) -> None:
    """Put lost jobs back in the queue, once a second, through every outage of Redis."""
    away = False
    look: Callable[[Store, TokenQueue, Settings], Rescan | None] = rescan
    while True:
        try:
            # Once at the beginning for whatever one record is missing, then where all of them are.
            await asyncio.to_thread(make_volume, settings.volume, store)
            # Quotas first: what a rescan queues must not run beyond them.
            await asyncio.to_thread(guard.tell, store)
            await asyncio.to_thread(look, store, queue, settings)
            look = rescan_if_lost
            await asyncio.to_thread(reconcile, store, queue, settings)
            away = False
        except Unavailable as error:
            if not away:
                log.warning("%s", error.detail)
            away = True
        except Exception:
            log.exception("the reconciler failed; it tries again")
        await asyncio.sleep(RECONCILE_SECONDS)
