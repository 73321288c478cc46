"""Puts right what a crash of a worker, an API process or Redis left behind.

Every step is guarded by the store, so any number of processes may do this at any time.
"""

from __future__ import annotations

from jobs.backlog import IMPORTS
from jobs.errors import Refused
from jobs.journal import journal
from jobs.queue import TokenQueue
from jobs.record import Record
from jobs.recovery.crash import MOST_SECONDS, after_crash
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from jobs.workers import jobs_by_worker
from trainer.files import is_volume_fault


def reconcile(store: Store, queue: TokenQueue, settings: Settings) -> None:
    """One pass over what ran out or waited long enough, lost tokens, and events that only Redis has.

    Raises Unavailable where Redis goes away; the next pass takes it up.
    """
    store.clamp(settings.lease_seconds, MOST_SECONDS)
    # After a restart of Redis every lease looks old, though its holder is alive and about
    # to renew it.
    if store.uptime_seconds() > settings.lease_seconds:
        _expire_leases(store, queue, settings)
    store.fail_overdue()
    for job_id in store.settle_dependencies():
        queue.push(job_id, store.get(job_id).worker_class)
    for job_id in store.due():
        if store.note_due(job_id):
            queue.push(job_id, store.get(job_id).worker_class)
    _replace_lost_tokens(store, queue, settings)
    for job_id in store.unjournaled():
        close_journal(store, settings, job_id)


def close_journal(store: Store, settings: Settings, job_id: str) -> None:
    """Bring an ended job's last events to the volume, drop their stream, and what was left half written."""
    run = settings.volume.job(job_id)
    try:
        run.sweep()
        last = journal(store, run, job_id)
    except OSError as error:
        # The next pass tries again.
        if not is_volume_fault(error):
            raise
        return
    store.note_journaled(job_id, last if run.path.is_dir() else None)


def _expire_leases(store: Store, queue: TokenQueue, settings: Settings) -> None:
    for record in store.expired_leases():
        if record.state is State.RUNNING:
            _expire(store, queue, settings, record)


def requeue_of(store: Store, queue: TokenQueue, settings: Settings, worker: str) -> None:
    """Queue again what a worker ran whose supervising process was killed; for that worker alone to call."""
    job_id = jobs_by_worker(store).get(worker)
    if job_id is not None:
        record = store.get(job_id)
        if record.state is State.RUNNING and record.worker == worker:
            detail = f"the process that supervised attempt {record.attempt} was killed"
            _lose(store, queue, settings, record, detail, only_expired=False)


def _expire(store: Store, queue: TokenQueue, settings: Settings, record: Record) -> None:
    detail = f"worker {record.worker} no longer renewed its lease of attempt {record.attempt}"
    _lose(store, queue, settings, record, detail, only_expired=True)


def _lose(
    store: Store, queue: TokenQueue, settings: Settings, record: Record, detail: str, *, only_expired: bool
) -> None:
    run = settings.volume.job(record.id)
    verdict = after_crash(record, run, Reason.WORKER_LOST, detail, settings)
    try:
        moved = store.transition(
            record,
            verdict.target,
            verdict.reason,
            verdict.detail,
            fields=verdict.fields,
            only_expired=only_expired,
            delay_s=verdict.delay_s,
        )
    except Refused:
        return
    if moved.claimable:
        queue.push(record.id, record.worker_class)


def give_tokens(store: Store, queue: TokenQueue) -> None:
    """A token for each job that its owner's quota has let go: those have had none."""
    for worker_class in (None, *store.worker_classes()):
        for job_id, seen_ms in store.waiting_since_before(1, worker_class):
            if store.note_new_token(job_id, seen_ms):
                queue.push(job_id, worker_class)


def _replace_lost_tokens(store: Store, queue: TokenQueue, settings: Settings) -> None:
    """Give a new token to each queued job, or model to import, whose own was taken and came to nothing.

    Tokens of one class are taken in the order in which they were made. So a job's token is gone when it
    is older than the one to be taken next, or when none waits; a lease's time is left for
    the worker that has just taken it. However long the queue, nothing else gets a token.
    """
    for worker_class in (None, *store.worker_classes()):
        before = _token_lost_before(store, queue, settings, worker_class)
        for job_id, seen_ms in store.waiting_since_before(before, worker_class):
            if store.note_new_token(job_id, seen_ms):
                queue.push(job_id, worker_class)
    before = _token_lost_before(store, queue, settings, None)
    for model_id, seen_ms in store.imports_since_before(before):
        if store.note_new_token(model_id, seen_ms, IMPORTS):
            queue.push_import(model_id)


def _token_lost_before(store: Store, queue: TokenQueue, settings: Settings, worker_class: str | None) -> int:
    oldest, now = queue.oldest_ms(worker_class), store.now_ms()
    return (now if oldest is None else min(oldest, now)) - round(settings.lease_seconds * 1000)
