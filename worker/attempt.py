"""One attempt at a job: claim it, train in a process of its own, say how it ended."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from jobs.errors import Refused, Unavailable
from jobs.journal import last_event
from jobs.log import bind
from jobs.queue import TokenQueue
from jobs.record import Kind, Record
from jobs.recovery.reconcile import close_journal, give_tokens
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Hold, Store
from jobs.tracing import tracing
from trainer.files import read_json
from worker import fork_servers
from worker.bell import Bell, Readable, ring_on_message
from worker.finish import Ending, Outcome, decide, read_result
from worker.fork_servers import ForkedTrainer
from worker.launch import TrainerProcess, launch, trainer_environment
from worker.lease import BEAT_SECONDS, Lease, Way
from worker.limits import Breach, Watchdog
from worker.mlflow_runs import Beside
from worker.processes import kill_group, record_process
from worker.relay import Relay
from worker.run_lock import locked
from worker.tensorboard import Board
from worker.tracing import AttemptTrace

_GLANCE_SECONDS = 0.1
"""How often the trainer's facts are looked at."""
_LOOKS = 5
"""How often those whose turn it is are looked up again, before the reconciler has to see to the rest."""

log = logging.getLogger("worker")


@dataclass(frozen=True)
class Means:
    """What every attempt of a worker needs: read, and made, once. ``store`` connects in each process anew."""

    settings: Settings
    store: Store


of_this_worker: Means | None = None
"""Those of the worker, as its horses find them."""


def run_attempt(token: str, worker_class: str | None = None) -> None:
    """What a token asks for: the next attempt of the job of its class whose turn it is, if any waits."""
    assert of_this_worker is not None
    settings, store = of_this_worker.settings, of_this_worker.store
    # Others may claim the same ones at this moment.
    for _ in range(_LOOKS):
        for job_id in store.ready(worker_class):
            record = _claim(job_id, token, store, settings)
            if record is not None:
                bind(job=record.id, attempt=record.attempt)
                log.info("attempt %d of %s begins", record.attempt, record.id)
                tracing.set_up("worker")
                Attempt(settings, store, record).supervise()
                tracing.flush()
                return


def _claim(job_id: str, token: str, store: Store, settings: Settings) -> Record | None:
    run = settings.volume.job(job_id)
    attempts = (int(entry.name) for entry in run.attempts.glob("*") if entry.name.isdigit())
    return store.claim(
        job_id,
        worker=os.environ["RQ_WORKER_ID"],
        lease_seconds=settings.lease_seconds,
        last_attempt=max(attempts, default=0),
        floor=last_event(run),
        token=token,
    )


class Attempt:
    """A claimed job, from the claim to its next state."""

    def __init__(self, settings: Settings, store: Store, record: Record) -> None:
        self._settings = settings
        self._store = store
        self._job_id, self._number = record.id, record.attempt
        self._dataset = settings.volume.dataset(record.dataset)
        self._run = settings.volume.job(record.id)
        self._files = self._run.attempt(record.attempt)
        self._relay = Relay(store, self._run, record)
        # What an evaluation has to show is no course.
        self._board = Board(self._run, record.attempt) if record.kind is Kind.TRAINING else None
        self._mlflow = Beside(self._run, record.attempt) if self._board else None
        self._trace = AttemptTrace(self._run, record)
        bind(trace_id=self._trace.trace_id)
        self._bell = Bell()
        self._lease = Lease(store, record, settings.lease_seconds)
        self._breach: Breach | None = None

    def supervise(self) -> None:
        """Bring the attempt to its end and the job to its next state.

        Returns without a word where the job has meanwhile become another worker's.
        """
        self._bell.listen_to_signals()
        if not self._run.spec.exists() and self._settings.volume.present():
            detail = "its submission was interrupted: there is no run directory on the volume"
            self._insist(lambda: self._move(Outcome(State.FAILED, Reason.INCOMPLETE, detail)))
            return
        ring_on_message(self._bell, self._settings.effective_redis_url, f"cj:wake:{self._job_id}")
        ending = self._train()
        if not self._lease.lost:
            self._conclude(ending)

    def _train(self) -> Ending:
        """Run the trainer to its end, unless the job has come to its own end before."""
        process, trouble, told = None, None, False
        try:
            self._run.attempts.mkdir(exist_ok=True)
            self._files.path.mkdir(exist_ok=True)
            record_process(self._files.supervisor, os.getpid())
            with locked(self._run, self._number, self._still_wanted, self._glance) as lock:
                if lock is not None and read_result(self._run) is None and self._way() is Way.STAY:
                    self._run.sweep()
                    trainer = trainer_environment(self._settings)
                    process = launch(
                        self._run, self._files, self._dataset, trainer, lock, fork_servers.of_this_worker
                    )
        except OSError as error:
            trouble = error
        # Now the trainer alone holds the lock.
        if process is not None:
            told = self._watch(process)
        return Ending(
            read_result(self._run),
            process.returncode if process is not None else None,
            cancelled=self._lease.hold in (Hold.CANCEL, Hold.CANCEL_SAVING),
            breach=self._breach,
            paused=self._lease.hold is Hold.PAUSE,
            told=told,
            stopping=self._bell.stop_asked,
            trouble=trouble,
        )

    def _watch(self, process: TrainerProcess) -> bool:
        """Relay, renew, and end the trainer when it must leave, until it is gone.

        Whether it was told to save and leave.
        """
        kill_at = None
        rung = True
        # The end of one that was started afresh is a signal.
        news = [process] if isinstance(process, ForkedTrainer) else []
        limits = read_json(self._run.spec).get("limits") or {}
        watchdog = Watchdog(limits, self._relay.record, self._files, self._settings.stall_seconds)
        while process.poll() is None:
            self._lease.beat(now=rung)
            self._breach = self._breach or watchdog.look(process.pid)
            way = self._way()
            if way is Way.AT_ONCE:
                kill_group(process.pid)
            elif way is Way.SAVING and kill_at is None:
                process.send_signal(signal.SIGTERM)
                kill_at = time.monotonic() + self._settings.stop_grace_seconds
            elif kill_at is not None and time.monotonic() > kill_at:
                kill_group(process.pid)
            self._lease.try_out(self._relay.forward)
            self._show()
            rung = self._glance(*news)
        # Its group may hold more processes than the one that has ended.
        kill_group(process.pid)
        self._show(last=True)
        return kill_at is not None

    def _show(self, *, last: bool = False) -> None:
        """Let those who watch from outside see how far it has come."""
        self._trace.look()
        if self._board is not None and not self._lease.lost:
            self._board.look(last=last)

    def _way(self) -> Way:
        wanted = self._bell.stop_asked or self._breach is not None
        return Way.SAVING if self._lease.way is Way.STAY and wanted else self._lease.way

    def _glance(self, *others: Readable) -> bool:
        return self._bell.wait(_GLANCE_SECONDS, *others)

    def _still_wanted(self) -> bool:
        self._lease.beat(now=True)
        return self._way() is Way.STAY

    def _conclude(self, ending: Ending) -> None:
        """Pass on the last facts and move the job on, however long Redis is away."""
        if self._insist(lambda: self._relay.forward(last=True)):
            outcome = decide(self._relay.record, self._run, ending, self._settings)
            self._insist(lambda: self._move(outcome))

    def _move(self, outcome: Outcome) -> None:
        moved = self._store.transition(
            self._relay.record,
            outcome.target,
            outcome.reason,
            outcome.detail,
            fields=outcome.fields,
            floor=self._relay.journaled,
            delay_s=outcome.delay_s,
        )
        log.info("attempt %d of %s ended: %s (%s)", self._number, self._job_id, moved.state, moved.reason)
        if self._mlflow is not None:
            self._mlflow.end(moved.state)
        self._trace.end(moved.state.value, moved.reason.value, moved.updated_at)
        if moved.owner is not None:
            give_tokens(self._store, TokenQueue(self._store.client))
        if moved.ended:
            close_journal(self._store, self._settings, self._job_id)
            # Those that waited for it need not wait for the reconciler as well.
            for job_id in self._store.settle_dependencies():
                TokenQueue(self._store.client).push(job_id, self._store.get(job_id).worker_class)
            return
        if moved.claimable:
            TokenQueue(self._store.client).push(self._job_id, moved.worker_class)
        self._relay.journal()

    def _insist(self, step: Callable[[], None]) -> bool:
        """Repeat a step until Redis has taken it; False where the job is another's by then.

        A worker that must leave does not wait: the next attempt finds the result on the volume.
        """
        while True:
            try:
                step()
                return True
            except Refused:
                return False
            except Unavailable:
                if self._bell.stop_asked:
                    return False
                self._bell.wait(BEAT_SECONDS / 2)
