"""Takes sweeps further: begins trials, prunes them, ends sweeps. Any process may, one at a time a sweep.

What a step does follows from the volume and the records alone, and doing it again changes nothing: a trial
is written down before its job is made, and where it has none, whoever comes by makes it.
"""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobs.checkpoints import pin
from jobs.errors import Conflict, InvalidInput, JobsError, NotFound, TooMany, Unavailable
from jobs.ids import new_job_id
from jobs.journal import read_events
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from jobs.submission.new_run import TrialOf
from jobs.submission.submit import submit
from jobs.sweeps.course import Course, Fate
from jobs.sweeps.registry import Status, Sweep, end, ids_of, load, locked, state
from jobs.sweeps.trials import Begun, Trial, best, cancel_trials, measured, note, trials

if TYPE_CHECKING:
    from jobs.sweeps.study import Studied

_MOST_EVENTS = 10**9

log = logging.getLogger(__name__)


@dataclass
class _Open:
    """A sweep that goes on, and what this process has told Optuna of it."""

    sweep: Sweep
    studied: Studied
    learned: set[int]
    """Trials that have ended and were learned to the last."""


class SweepDriver:
    """The sweeps of a volume. One thread at a time may call ``step``."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._volume = settings.volume
        self._open: dict[str, _Open] = {}
        self._settled: set[str] = set()
        """Sweeps that have ended with all of their trials."""

    def step(self) -> None:
        """Take every sweep that has not ended a step further. Raises Unavailable while Redis is away."""
        for sweep_id in ids_of(self._volume):
            if sweep_id in self._settled:
                continue
            try:
                with locked(self._volume.sweep(sweep_id), wait=False) as mine:
                    if mine:
                        self._step(sweep_id)
            except Unavailable:
                self._open.pop(sweep_id, None)
                raise
            except Exception:
                # Begun anew from the volume the next time.
                self._open.pop(sweep_id, None)
                log.exception("sweep %s could not be taken further; the next step tries again", sweep_id)

    def _step(self, sweep_id: str) -> None:
        status, _, _ = state(self._volume.sweep(sweep_id))
        if status is Status.RUNNING:
            self._go_on(self._opened(sweep_id))
            return
        self._open.pop(sweep_id, None)
        if status is not Status.CANCELLED or cancel_trials(self._volume, self._store, sweep_id):
            self._settled.add(sweep_id)

    def _opened(self, sweep_id: str) -> _Open:
        # Optuna takes a second to load, which a service without sweeps need not spend.
        from jobs.sweeps.study import Studied

        if sweep_id not in self._open:
            sweep = load(self._volume, sweep_id)
            self._open[sweep_id] = _Open(sweep, Studied(sweep.posted, sweep.goal, sweep.epochs), set())
        return self._open[sweep_id]

    def _go_on(self, one: _Open) -> None:
        found = trials(self._volume, self._store, one.sweep.id)
        found = [self._made(one.sweep, trial) for trial in found]
        one.studied.learn(
            self._course(one.sweep, trial) for trial in found if trial.begun.number not in one.learned
        )
        one.learned |= {trial.begun.number for trial in found if trial.ended}
        self._prune(one, found)
        reason = self._reason_to_end(one.sweep, found)
        while reason is None and sum(not trial.ended for trial in found) < one.sweep.posted.concurrency:
            begun = self._begin(one, len(found))
            if begun is None:
                reason = "trials"
                break
            found.append(begun)
            if begun.record is None and begun.begun.refused is None:
                # No more are taken now.
                break
            reason = self._reason_to_end(one.sweep, found)
        if reason is not None and all(trial.ended for trial in found):
            self._end(one.sweep, found, reason)

    # Trials and their jobs

    def _begin(self, one: _Open, number: int) -> Trial | None:
        """The next trial, written down and with a job; None where there is no further one."""
        parameters = one.studied.next(number)
        if parameters is None:
            return None
        begun = Begun(number, new_job_id(), parameters)
        note(self._volume.sweep(one.sweep.id), begun)
        return self._made(one.sweep, Trial(begun, None))

    def _made(self, sweep: Sweep, trial: Trial) -> Trial:
        """The trial with its job, which is made unless it has been."""
        begun = trial.begun
        run = self._volume.job(begun.job)
        if trial.record is not None or begun.refused is not None or run.accepted.is_file():
            # One that was accepted and has no record is made anew by a rescan.
            return trial
        # A submission that was interrupted here left at most this.
        shutil.rmtree(run.path, ignore_errors=True)
        try:
            spec = sweep.spec_of(begun.number, begun.parameters)
            of = TrialOf(sweep.id, begun.job)
            record = submit(spec, self._store, self._settings, owner=sweep.owner, trial=of)
        except TooMany:
            return trial
        except (InvalidInput, NotFound, Conflict) as error:
            refused = replace(begun, refused=error.detail)
            note(self._volume.sweep(sweep.id), refused)
            return Trial(refused, None)
        return Trial(begun, record)

    def _course(self, sweep: Sweep, trial: Trial) -> Course:
        """What a trial has told, as its journal has it."""
        number, parameters = trial.begun.number, trial.begun.parameters
        if trial.record is None:
            return Course(number, parameters, Fate.FAILED if trial.begun.refused else Fate.GOING_ON)
        by_epoch = {}
        for event in read_events(self._volume.job(trial.record.id), limit=_MOST_EVENTS):
            if event["type"] == "epoch":
                value = measured(sweep.goal, event["metrics"], event["losses"])
                by_epoch[int(event["epoch"])] = float("nan") if value is None else value
        return Course(number, parameters, _fate(trial), by_epoch, trial.value(sweep.goal))

    def _prune(self, one: _Open, found: list[Trial]) -> None:
        condemned = set(one.studied.to_prune())
        for trial in found:
            if trial.begun.number in condemned and trial.record is not None and not trial.ended:
                with suppress(Conflict):
                    self._store.request_cancel(trial.record.id, reason=Reason.PRUNED)

    # The end

    def _reason_to_end(self, sweep: Sweep, found: list[Trial]) -> str | None:
        """Why no trial is begun any more; None where one is."""
        posted = sweep.posted
        if posted.trials is not None and len(found) >= posted.trials:
            return "trials"
        age_s = time.time() - sweep.created_at / 1000
        if posted.max_runtime_s is not None and age_s >= posted.max_runtime_s:
            return "runtime_limit"
        if posted.patience is not None:
            winner = best(sweep, found)
            since = -1 if winner is None else winner.begun.number
            later = [trial for trial in found if trial.begun.number > since]
            if winner is not None and sum(trial.ended for trial in later) >= posted.patience:
                return "patience"
        return None

    def _end(self, sweep: Sweep, found: list[Trial], reason: str) -> None:
        winner = best(sweep, found)
        if winner is not None:
            run = self._volume.job(winner.begun.job)
            for samples in run.published_checkpoints()[-1:]:
                # Kept whatever retention may do.
                with suppress(JobsError):
                    pin(run, samples)
        end(self._volume.sweep(sweep.id), Status.COMPLETED if winner else Status.FAILED, reason)
        self._open.pop(sweep.id, None)


def _fate(trial: Trial) -> Fate:
    if not trial.ended:
        return Fate.GOING_ON
    if trial.status == State.SUCCEEDED:
        return Fate.COMPLETE
    return Fate.PRUNED if trial.status == Reason.PRUNED else Fate.FAILED
