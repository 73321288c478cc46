"""Races of claim, renew, report, finish, reap, cancel, pause, resume and retry, against the real scripts.

Hypothesis plays supervisors that may be late or dead, a reaper and impatient users on a few jobs, in
any order that it can think of. A model in plain Python says what each step must come to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs import ids
from jobs.connection import connect
from jobs.errors import Conflict, Refused
from jobs.queue import TokenQueue, token_for
from jobs.record import Record
from jobs.scripts import source
from jobs.states import TERMINAL, Reason, State
from jobs.store import Hold, Store
from tests.new_records import queued
from tests.valkey_server import ValkeyServer

DATASET = "ds_1"
ENDS = {
    State.SUCCEEDED: Reason.COMPLETED,
    State.FAILED: Reason.DIVERGED,
    State.QUEUED: Reason.CRASHED,
    State.PAUSED: Reason.PAUSE_REQUESTED,
    State.CANCELLED: Reason.CANCEL_REQUESTED,
}


@dataclass
class Model:
    """What a job must be like."""

    state: State = State.QUEUED
    attempt: int = 0
    cancel: str = ""
    """"", "saving" or "now"."""
    pause: bool = False
    expired: bool = False
    delayed: bool = False
    events: list[str] = field(default_factory=lambda: ["queued"])

    def enter(self, state: State) -> None:
        self.state, self.pause, self.delayed = state, False, False
        self.events.append(state.value)

    def hold(self) -> Hold:
        if self.cancel:
            return Hold.CANCEL if self.cancel == "now" else Hold.CANCEL_SAVING
        return Hold.PAUSE if self.pause else Hold.HELD

    def settle(self, wanted: State) -> None:
        """A running attempt is over, and was to lead there: what users asked for last may decide."""
        if wanted in (State.QUEUED, State.PAUSED):
            if self.cancel:
                wanted = State.CANCELLED
            elif self.pause:
                wanted = State.PAUSED
            else:
                wanted = State.QUEUED
        self.enter(wanted)


@dataclass(frozen=True)
class Supervisor:
    """Somebody who once claimed a job. It may sleep for as long as it likes."""

    record: Record


class Jobs(RuleBasedStateMachine):
    """The rules. ``url`` is set by the test, ``fault`` too where the scripts are to be wrong."""

    url = ""
    fault: tuple[str, str, str] | None = None
    """(script, text, what stands there instead)."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(connect(self.url))
        self.store.client.flushall()
        if self.fault is not None:
            script, text, instead = self.fault
            whole = source(script)
            assert text in whole
            self.store._scripts[script] = self.store.client.register_script(whole.replace(text, instead))
        self.queue = TokenQueue(self.store.client)
        self.models: dict[str, Model] = {}

    def teardown(self) -> None:
        self.store.client.close()

    jobs: Bundle[str] = Bundle("jobs")
    supervisors: Bundle[Supervisor] = Bundle("supervisors")

    def push(self, job_id: str) -> Any:
        return lambda pipe: self.queue.push(job_id, None, pipe)

    @precondition(lambda self: len(self.models) < 3)
    @rule(target=jobs)
    def submit(self) -> str:
        record = Record(
            id=ids.new_job_id(),
            name="",
            state=State.QUEUED,
            reason=Reason.SUBMITTED,
            dataset=DATASET,
            fingerprint="f",
        )
        queued(self.store, record, token=token_for(record.id).document())
        self.models[record.id] = Model()
        return record.id

    @rule(target=supervisors, job=jobs, dead=st.booleans())
    def claim(self, job: str, dead: bool) -> Any:
        """A dead one's lease has run out as soon as it is there."""
        model = self.models[job]
        record = self.store.claim(job, worker="w", lease_seconds=0 if dead else 600)
        if model.state is not State.QUEUED or model.delayed:
            assert record is None
            return multiple()
        assert record is not None
        model.enter(State.RUNNING)
        model.attempt += 1
        model.expired = dead
        assert record.attempt == model.attempt
        return Supervisor(record)

    def is_current(self, supervisor: Supervisor) -> bool:
        model = self.models[supervisor.record.id]
        return model.state is State.RUNNING and model.attempt == supervisor.record.attempt

    @rule(supervisor=supervisors)
    def renew(self, supervisor: Supervisor) -> None:
        record, model = supervisor.record, self.models[supervisor.record.id]
        found = self.store.renew(record.id, record.attempt, 600)
        if self.is_current(supervisor):
            assert found is model.hold()
            model.expired = False
        else:
            assert found is Hold.LOST

    @rule(supervisor=supervisors)
    def report(self, supervisor: Supervisor) -> None:
        record = supervisor.record
        current = self.is_current(supervisor)
        try:
            self.store.report(
                record.id, record.attempt, events=[(1, record.attempt, {"type": "epoch"})], training=True
            )
        except Refused:
            assert not current
        else:
            assert current
            self.models[record.id].events.append("epoch")

    @rule(supervisor=supervisors, wanted=st.sampled_from(list(ENDS)), delay=st.sampled_from([0, 600]))
    def finish(self, supervisor: Supervisor, wanted: State, delay: int) -> None:
        record, model = supervisor.record, self.models[supervisor.record.id]
        current = self.is_current(supervisor)
        paused, cancelled = model.pause, model.cancel
        try:
            moved = self.store.transition(record, wanted, ENDS[wanted], delay_s=delay)
        except Refused:
            assert not current
            return
        assert current
        model.settle(wanted)
        assert moved.state is model.state
        model.delayed = bool(
            delay and wanted is State.QUEUED and model.state is State.QUEUED and not paused and not cancelled
        )
        assert moved.claimable == (model.state is State.QUEUED and not model.delayed)

    @rule(job=jobs)
    def reap(self, job: str) -> None:
        """As the reconciler does; anybody may try, at any time, with an old view of the job."""
        model, record = self.models[job], self.store.get(job)
        if record.state is not State.RUNNING:
            return
        try:
            self.store.transition(record, State.QUEUED, Reason.WORKER_LOST, only_expired=True)
        except Refused:
            assert not model.expired
        else:
            assert model.expired
            model.settle(State.QUEUED)

    @rule(supervisor=supervisors)
    def reap_late(self, supervisor: Supervisor) -> None:
        """A reaper that saw the lease run out long ago."""
        model = self.models[supervisor.record.id]
        due = self.is_current(supervisor) and model.expired
        try:
            self.store.transition(supervisor.record, State.QUEUED, Reason.WORKER_LOST, only_expired=True)
        except Refused:
            assert not due
        else:
            assert due
            model.settle(State.QUEUED)

    @rule(job=jobs)
    def wait_is_over(self, job: str) -> None:
        model = self.models[job]
        if model.delayed:
            self.store.client.zadd("cj:delayed", {job: 1})
        assert self.store.note_due(job) is model.delayed
        model.delayed = False

    @rule(job=jobs, save=st.booleans())
    def cancel(self, job: str, save: bool) -> None:
        model = self.models[job]
        if model.state in (State.SUCCEEDED, State.FAILED):
            with pytest.raises(Conflict):
                self.store.request_cancel(job, save=save)
            return
        self.store.request_cancel(job, save=save)
        if model.state in (State.QUEUED, State.PAUSED):
            model.enter(State.CANCELLED)
        elif model.state is State.RUNNING:
            if not model.cancel:
                model.events.append("cancel_requested")
                model.cancel = "saving" if save else "now"
            elif not save:
                model.cancel = "now"

    @rule(job=jobs)
    def pause(self, job: str) -> None:
        model = self.models[job]
        if model.state in TERMINAL:
            with pytest.raises(Conflict):
                self.store.request_pause(job)
            return
        self.store.request_pause(job)
        if model.state is State.QUEUED:
            model.enter(State.PAUSED)
        elif model.state is State.RUNNING and not model.pause and not model.cancel:
            model.pause = True
            model.events.append("pause_requested")

    @rule(job=jobs)
    def resume(self, job: str) -> None:
        model = self.models[job]
        if model.state in TERMINAL:
            with pytest.raises(Conflict):
                self.store.request_resume(job)
            return
        self.store.request_resume(job)
        if model.state is State.PAUSED:
            model.enter(State.QUEUED)
        elif model.state is State.RUNNING and model.pause:
            model.pause = False
            model.events.append("resume_requested")

    @rule(job=jobs, late=st.booleans())
    def retry(self, job: str, late: bool) -> None:
        """``late``: by somebody who saw an earlier attempt fail."""
        model = self.models[job]
        record = self.store.get(job)
        if late:
            record = record.model_copy(update={"attempt": record.attempt - 1})
        allowed = model.state is State.FAILED and not late
        try:
            self.store.retry(record, "", fields={}, check=lambda: None, push_token=self.push(job))
        except Refused:
            assert not allowed
        else:
            assert allowed
            model.cancel = ""
            model.enter(State.QUEUED)

    @invariant()
    def the_record_is_as_the_model_says(self) -> None:
        for job, model in self.models.items():
            record = self.store.get(job)
            assert (record.state, record.attempt) == (model.state, model.attempt)
            assert record.pause_requested == model.pause
            assert record.ended == (record.finished_at is not None)

    @invariant()
    def every_index_agrees(self) -> None:
        for job, model in self.models.items():
            claimable = model.state is State.QUEUED and not model.delayed
            sorted_sets = {
                **{f"cj:jobs:{state}": state is model.state for state in State},
                **dict.fromkeys(("cj:waiting", "cj:ready", "cj:order"), claimable),
                "cj:delayed": model.delayed,
                "cj:leases": model.state is State.RUNNING,
            }
            ended = model.state in TERMINAL
            sets = {f"cj:dataset:{DATASET}:live": not ended, "cj:unjournaled": ended}
            with self.store.client.pipeline(transaction=False) as pipe:
                for name in sorted_sets:
                    pipe.zscore(name, job)
                scores = pipe.execute()
                for name in sets:
                    pipe.sismember(name, job)
                members = pipe.execute()
            found = [score is not None for score in scores] + [bool(member) for member in members]
            assert dict(zip([*sorted_sets, *sets], found, strict=True)) == sorted_sets | sets

    @invariant()
    def events_are_gapless_and_tell_every_change(self) -> None:
        for job, model in self.models.items():
            events = self.store.events_after(job, 0)
            assert [event.data["type"] for event in events] == model.events
            assert [event.seq for event in events] == list(range(1, len(events) + 1))


def play(valkey: ValkeyServer, fault: tuple[str, str, str] | None = None, examples: int = 60) -> None:
    machine = type("JobsHere", (Jobs,), {"url": valkey.url, "fault": fault})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


def test_no_order_of_steps_breaks_the_state_machine(valkey: ValkeyServer) -> None:
    play(valkey)


@pytest.mark.parametrize(
    "fault",
    [
        ("transition", " and (get('attempt') or '0') == whole(attempt)", ""),
        ("transition", "if goes_on and get('cancel_requested') == '1' then", "if false then"),
        ("transition", "if lease and tonumber(lease) > now then", "if false then"),
        ("claim", "get('state') ~= 'queued' or not own", "not own and get('state') ~= 'running'"),
        ("renew", "if not is('running', ask.attempt) then", "if get('state') ~= 'running' then"),
        ("report", "if not is('running', ask.attempt) then", "if false then"),
        ("cancel", "state == 'queued' or state == 'paused'", "state == 'queued'"),
        ("resume", "redis.call('HDEL', job, 'pause_requested')\n  emit", "emit"),
        ("retry", "if not is('failed', ask.attempt) then", "if get('state') ~= 'failed' then"),
    ],
    ids=lambda fault: f"{fault[0]}: {fault[1][:30]}",
)
def test_a_fault_in_a_script_is_found(valkey: ValkeyServer, fault: tuple[str, str, str]) -> None:
    with pytest.raises(AssertionError):
        play(valkey, fault, examples=300)
