"""Real workers, real processes, real kills: every job comes to its right end, once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jobs.checkpoints import choose, list_checkpoints
from jobs.states import Reason, State
from jobs.workers import list_workers
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace, alive, kill, undisturbed
from trainer.files import read_json
from worker.processes import record_process

LONG = {"steps": 100, "seconds": 0.02, "checkpoint_every": 10}
ENDLESS = {"steps": 10**6, "seconds": 0.02, "checkpoint_every": 10**6}


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def types(place: Workplace, job_id: str) -> list[str]:
    events = place.events(job_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    return [event["type"] for event in events]


def assert_trained_once(place: Workplace, job_id: str, steps: int) -> None:
    """The result is that of an undisturbed run, and no two trainers ever ran at once."""
    assert place.store.get(job_id).result is not None
    assert read_json(place.run(job_id).result)["parameters_sha256"] == undisturbed(steps)
    assert not (place.run(job_id).path / "overlap").exists()


def test_a_job_succeeds(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit().id
    record = place.wait_for(job_id, State.SUCCEEDED)
    assert (record.attempt, record.reason, record.checkpoints) == (1, Reason.COMPLETED, 2)
    assert record.losses == {"train": {"total": 0.25}, "valid": {"total": 0.25}}
    assert record.metrics == {"train": {"error": 0.5}, "valid": {"error": 0.125}}
    assert record.progress["step"] == 4
    assert record.first_minibatch_at is not None
    assert record.training_ms > 0
    assert_trained_once(place, job_id, 4)
    assert types(place, job_id) == [
        "queued", "running", "started", "first_minibatch", "checkpoint", "checkpoint", "succeeded"
    ]  # fmt: skip
    assert place.store.events_after(job_id, 0) == []


def test_a_worker_is_on_the_list_until_it_leaves(place: Workplace) -> None:
    worker = place.start_worker()
    place.wait_until(lambda: bool(list_workers(place.store)))
    [entry] = list_workers(place.store)
    assert (entry.pid, entry.labels["device"], entry.trainer["mpi"]) == (worker.pid, "cpu", "stub")
    assert entry.summary == "a trainer for practice"
    worker.terminate()
    assert worker.wait() == 0
    assert list_workers(place.store) == []


def test_what_a_killed_trainer_had_half_written_is_removed_by_the_next_attempt(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(**LONG).id
    pid = place.trainer_at_work(job_id, checkpoints=1)
    run = place.run(job_id)
    os.kill(pid, signal.SIGSTOP)
    begun = run.checkpoints / ".writing-77"
    begun.mkdir()
    (begun / "model.dnn").write_bytes(b"half")
    (run.path / ".writing-result").write_bytes(b"half")
    assert len(run.unfinished()) == 2
    kill(pid)
    place.wait_for(job_id, State.SUCCEEDED)
    assert run.unfinished() == []
    assert_trained_once(place, job_id, 100)


def test_a_trainer_killed_goes_on_from_its_checkpoint(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(**LONG).id
    kill(place.trainer_at_work(job_id, checkpoints=2))
    record = place.wait_for(job_id, State.SUCCEEDED)
    assert (record.attempt, record.crashes) == (2, 0)
    assert_trained_once(place, job_id, 100)
    events = place.events(job_id)
    again = next(event for event in events if event["reason" if "reason" in event else "type"] == "crashed")
    assert again["detail"] == "the trainer was killed by SIGKILL"
    assert "restored" in types(place, job_id)


def test_what_a_cancelled_trainer_had_half_written_is_removed(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(**ENDLESS).id
    pid = place.trainer_at_work(job_id)
    os.kill(pid, signal.SIGSTOP)
    run = place.run(job_id)
    (run.checkpoints / ".writing-77").mkdir(parents=True)
    place.store.request_cancel(job_id)
    place.wait_for(job_id, State.CANCELLED)
    place.wait_until(lambda: not run.unfinished())


def test_a_job_whose_horse_was_killed_does_not_wait_for_its_lease(
    tmp_path: Path, valkey: ValkeyServer
) -> None:
    with Workplace(tmp_path, valkey.url, lease_seconds=600) as place:
        place.start_worker()
        job_id = place.submit(**LONG).id
        kill(place.supervisor_of(place.trainer_at_work(job_id, checkpoints=1)))
        assert place.wait_for(job_id, State.SUCCEEDED).attempt == 2
        assert_trained_once(place, job_id, 100)
        [lost] = [event for event in place.events(job_id) if event.get("reason") == "worker_lost"]
        assert "supervised attempt 1 was killed" in lost["detail"]


HOUR_MS = 3_600_000


def jump(place: Workplace, ms: int) -> None:
    """Times in Redis as they look when the machine's clock has jumped: ahead by ``ms``, or back (below 0)."""
    for index in ("cj:leases", "cj:delayed", "cj:waiting", "cj:ready"):
        for job_id in place.store.client.zrange(index, 0, -1):
            place.store.client.zincrby(index, -ms, job_id)


@pytest.mark.parametrize("ms", [HOUR_MS, -HOUR_MS])
def test_a_clock_that_jumps_costs_an_attempt_at_most(place: Workplace, ms: int) -> None:
    place.start_worker()
    place.start_worker()
    running, waiting = (place.submit(**LONG).id for _ in range(2))
    place.trainer_at_work(running, checkpoints=1)
    jump(place, ms)
    for job_id in (running, waiting):
        place.wait_for(job_id, State.SUCCEEDED)
        assert_trained_once(place, job_id, 100)


def test_a_worker_lost_behind_a_clock_set_back_is_noticed_within_a_lease(place: Workplace) -> None:
    worker = place.start_worker()
    job_id = place.submit(**LONG).id
    trainer = place.trainer_at_work(job_id, checkpoints=1)
    kill(worker.pid)
    place.wait_until(lambda: not alive(trainer))
    jump(place, -HOUR_MS)
    assert place.store.client.zscore("cj:leases", job_id) - place.store.now_ms() > HOUR_MS / 2
    place.start_worker()
    place.wait_for(job_id, State.SUCCEEDED)
    assert_trained_once(place, job_id, 100)


def test_a_horse_killed_takes_its_trainer_along(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(**LONG).id
    trainer = place.trainer_at_work(job_id, checkpoints=1)
    kill(place.supervisor_of(trainer))
    place.wait_until(lambda: not alive(trainer))
    record = place.wait_for(job_id, State.SUCCEEDED)
    assert record.attempt == 2
    assert_trained_once(place, job_id, 100)
    # What the first attempt reported after its supervisor last looked is not lost.
    checkpoints = [event for event in place.events(job_id) if event["type"] == "checkpoint"]
    assert [event["step"] for event in checkpoints] == list(range(10, 101, 10))


def test_a_worker_killed_is_replaced_by_another(place: Workplace) -> None:
    worker = place.start_worker()
    job_id = place.submit(**LONG).id
    trainer = place.trainer_at_work(job_id, checkpoints=1)
    kill(worker.pid)
    place.wait_until(lambda: not alive(trainer))
    place.start_worker()
    record = place.wait_for(job_id, State.SUCCEEDED)
    assert record.attempt == 2
    assert_trained_once(place, job_id, 100)


def test_an_orphan_is_killed_before_the_next_attempt(place: Workplace) -> None:
    """As if the kernel had not tied the trainer to its supervisor's life."""
    place.start_worker()
    job_id = place.submit(**(LONG | {"steps": 400})).id
    trainer = place.trainer_at_work(job_id, checkpoints=1)
    horse = place.supervisor_of(trainer)
    os.kill(horse, signal.SIGSTOP)  # a supervisor that does not renew, while its trainer trains
    record = place.wait_for(job_id, State.QUEUED)
    assert record.reason is Reason.WORKER_LOST
    assert alive(trainer)
    place.start_worker()
    place.wait_until(lambda: not alive(trainer))
    record = place.wait_for(job_id, State.SUCCEEDED)
    os.kill(horse, signal.SIGCONT)
    assert_trained_once(place, job_id, 400)
    # The first supervisor woke up to an attempt that is not its own, and kept quiet.
    place.wait_until(lambda: not alive(horse))
    assert place.store.get(job_id) == record


def test_a_supervisor_that_hangs_with_the_lock_is_killed(place: Workplace) -> None:
    """Stopped after it took the run's lock and before its trainer alone had it."""
    job_id = place.submit(**LONG).id
    run = place.run(job_id)
    hang = (
        "import fcntl, sys, time; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print(flush=True); time.sleep(600)"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", hang, run.lock], stdout=subprocess.PIPE, process_group=0
    )
    with supervisor:
        try:
            assert supervisor.stdout is not None
            supervisor.stdout.readline()
            record_process(run.attempt(1).supervisor, supervisor.pid)
            place.start_worker()
            assert place.wait_for(job_id, State.SUCCEEDED).attempt == 2
            assert supervisor.wait() == -signal.SIGKILL
        finally:
            supervisor.kill()
    assert_trained_once(place, job_id, 100)


def test_a_stopping_worker_saves_and_requeues(place: Workplace) -> None:
    worker = place.start_worker()
    job_id = place.submit(**(LONG | {"checkpoint_every": 10**6})).id
    place.trainer_at_work(job_id)
    worker.terminate()
    assert worker.wait() == 0
    record = place.store.get(job_id)
    assert (record.state, record.reason, record.crashes) == (State.QUEUED, Reason.WORKER_STOPPED, 0)
    assert len(place.run(job_id).published_checkpoints()) == 1
    place.start_worker()
    place.wait_for(job_id, State.SUCCEEDED)
    assert_trained_once(place, job_id, 100)


def test_a_deaf_trainer_is_killed_after_the_grace(tmp_path: Path, valkey: ValkeyServer) -> None:
    with Workplace(tmp_path, valkey.url, stop_grace_seconds=0.2) as place:
        worker = place.start_worker()
        job_id = place.submit(**ENDLESS, deaf=True).id
        trainer = place.trainer_at_work(job_id)
        worker.terminate()
        assert worker.wait() == 0
        assert not alive(trainer)
        assert place.store.get(job_id).reason is Reason.WORKER_STOPPED


def test_an_idle_worker_leaves_at_once(place: Workplace) -> None:
    worker = place.start_worker()
    place.wait_until(lambda: bool(list_workers(place.store)))
    worker.send_signal(signal.SIGINT)
    assert worker.wait() == 0


def test_a_running_job_is_cancelled(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(**ENDLESS, deaf=True).id
    trainer = place.trainer_at_work(job_id)
    assert place.store.request_cancel(job_id).cancel_requested
    record = place.wait_for(job_id, State.CANCELLED)
    assert record.reason is Reason.CANCEL_REQUESTED
    assert not alive(trainer)
    found = types(place, job_id)
    assert "cancel_requested" in found
    assert found[-1] == "cancelled"


def test_a_cancelled_job_s_token_is_harmless(place: Workplace) -> None:
    cancelled = place.submit().id
    place.store.request_cancel(cancelled)
    other = place.submit().id
    place.start_worker()
    place.wait_for(other, State.SUCCEEDED)
    assert place.store.get(cancelled).attempt == 0
    assert not place.run(cancelled).attempts.exists()


def test_an_error_result_fails_the_job(place: Workplace) -> None:
    place.start_worker()
    known = place.submit(fail={"reason": "diverged", "detail": "the loss is no number in step 4"}).id
    unknown = place.submit(fail={"reason": "something_new", "detail": "?"}).id
    record = place.wait_for(known, State.FAILED)
    assert (record.reason, record.detail) == (Reason.DIVERGED, "the loss is no number in step 4")
    assert place.wait_for(unknown, State.FAILED).reason is Reason.TRAINER_ERROR


def test_a_job_that_gets_nowhere_fails_at_the_crash_limit(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(steps=100, crash_at=3, checkpoint_every=2).id
    record = place.wait_for(job_id, State.FAILED)
    # The first crash came after a new checkpoint and does not count.
    assert (record.reason, record.attempt, record.crashes) == (Reason.CRASHED, 4, 3)
    assert "killed by SIGKILL: an error of the driver" in record.detail
    assert "CALL STACK" not in record.detail


def test_a_volume_that_cannot_be_used_is_waited_for(tmp_path: Path, valkey: ValkeyServer) -> None:
    with Workplace(tmp_path, valkey.url, crash_limit=1) as place:
        place.start_worker()
        job_id = place.submit(volume_back=4).id
        place.wait_until(lambda: place.store.get(job_id).reason is Reason.VOLUME_UNUSABLE)
        record = place.wait_for(job_id, State.SUCCEEDED)
        assert (record.attempt, record.crashes) == (4, 0)
        assert_trained_once(place, job_id, 4)
        ends = [event for event in place.events(job_id) if event.get("reason") == "volume_unusable"]
        assert len(ends) == 3
        assert "Read-only file system: 'model.dnn'" in ends[0]["detail"]


def test_a_trainer_that_cannot_start_fails_the_job(place: Workplace) -> None:
    (place.settings.trainer_env / "practice").unlink()
    place.start_worker()
    record = place.wait_for(place.submit().id, State.FAILED)
    assert record.reason is Reason.CRASHED
    assert "the trainer cannot be started" in record.detail


def test_a_job_without_its_run_directory_fails(place: Workplace) -> None:
    job_id = place.submit().id
    place.run(job_id).spec.unlink()
    place.start_worker()
    assert place.wait_for(job_id, State.FAILED).reason is Reason.INCOMPLETE


def test_a_finished_job_is_not_trained_again(place: Workplace) -> None:
    """Its result was written, but the worker died before it could say so."""
    job_id = place.submit(**ENDLESS).id
    result = {"outcome": "succeeded", "reason": "early_stopped", "detail": "", "losses": {}, "metrics": {}}
    (place.run(job_id).path / "result.json").write_text(
        '{"outcome":"succeeded","reason":"early_stopped","detail":"","losses":{},"metrics":{}}'
    )
    place.start_worker()
    record = place.wait_for(job_id, State.SUCCEEDED)
    assert (record.reason, record.result) == (Reason(result["reason"]), {})
    assert not place.run(job_id).attempt(1).facts.exists()


def test_a_job_starts_from_another_s_checkpoint(place: Workplace) -> None:
    place.start_worker()
    first = place.submit(steps=6).id
    place.wait_for(first, State.SUCCEEDED)
    assert [found.samples for found in list_checkpoints(place.run(first))] == [20, 40, 60]
    second = place.submit(start=choose(place.run(first), 40), steps=10)
    assert second.resumed_from is not None
    assert second.resumed_from.checkpoint == f"{first}@40"
    assert read_json(place.run(second.id).spec)["start_from"]["checkpoint"] == f"{first}@40"
    place.wait_for(second.id, State.SUCCEEDED)
    assert_trained_once(place, second.id, 10)
    restored = next(e for e in place.events(second.id) if e["type"] == "restored")
    assert (restored["from"], restored["step"]) == ("start", 4)


def test_training_goes_on_while_redis_is_away(tmp_path: Path, persistent_valkey: ValkeyServer) -> None:
    with Workplace(tmp_path, persistent_valkey.url) as place:
        place.start_worker()
        job_id = place.submit(**LONG).id
        trainer = place.trainer_at_work(job_id, checkpoints=1)
        # What is acknowledged is on disk within a second.
        place.wait_until(lambda: len(place.run(job_id).published_checkpoints()) >= 4)
        persistent_valkey.stop()
        seen = len(place.run(job_id).published_checkpoints())
        place.wait_until(lambda: len(place.run(job_id).published_checkpoints()) > seen)
        assert alive(trainer)
        persistent_valkey.start()
        record = place.wait_for(job_id, State.SUCCEEDED)
        assert record.attempt == 1
        assert_trained_once(place, job_id, 100)
        checkpoints = [event for event in place.events(job_id) if event["type"] == "checkpoint"]
        assert [event["step"] for event in checkpoints] == list(range(10, 101, 10))


def test_a_result_that_lands_while_redis_is_away_counts(
    tmp_path: Path, persistent_valkey: ValkeyServer
) -> None:
    with Workplace(tmp_path, persistent_valkey.url) as place:
        place.start_worker()
        job_id = place.submit(**(LONG | {"seconds": 0.03})).id
        place.trainer_at_work(job_id, checkpoints=5)
        persistent_valkey.stop()
        place.wait_until(lambda: place.run(job_id).result.exists())
        persistent_valkey.start()
        record = place.wait_for(job_id, State.SUCCEEDED)
        assert record.attempt == 1
        # The worker takes the next job as if nothing had been.
        assert place.wait_for(place.submit().id, State.SUCCEEDED).attempt == 1


def test_a_worker_without_a_trainer_says_so(place: Workplace) -> None:
    (place.settings.trainer_env / "trainer.json").unlink()
    assert place.start_worker().wait() == 2
    assert "trainer.json is missing; scripts/setup makes the trainer's environment" in place.worker_log


def test_a_worker_whose_redis_is_away_waits_for_it(tmp_path: Path, persistent_valkey: ValkeyServer) -> None:
    with Workplace(tmp_path, persistent_valkey.url) as place:
        persistent_valkey.stop()
        worker = place.start_worker()
        place.wait_until(lambda: "Redis cannot be used now" in place.worker_log)
        persistent_valkey.start()
        place.wait_for(place.submit().id, State.SUCCEEDED)
        persistent_valkey.stop()
        worker.terminate()
        assert worker.wait() == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_every_job_succeeds_through_random_kills(tmp_path: Path, valkey: ValkeyServer, seed: int) -> None:
    """Trainers, their supervisors and whole workers die at random; no two trainers ever meet."""
    chance = random.Random(seed)
    with Workplace(tmp_path, valkey.url, lease_seconds=1, crash_limit=100) as place:
        workers = [place.start_worker() for _ in range(2)]
        jobs = [place.submit(**LONG).id for _ in range(4)]
        for _ in range(10):
            time.sleep(chance.uniform(0.1, 0.8))
            target = chance.choice(["trainer", "horse", "worker"])
            if target == "worker":
                victim = chance.randrange(2)
                kill(workers[victim].pid)
                workers[victim].wait()
                workers[victim] = place.start_worker()
                continue
            trainers = place.trainers()
            if trainers:
                trainer = chance.choice(trainers)
                with suppress(ProcessLookupError, FileNotFoundError):
                    kill(trainer if target == "trainer" else place.supervisor_of(trainer))
        for job_id in jobs:
            place.wait_for(job_id, State.SUCCEEDED)
            assert_trained_once(place, job_id, 100)
            types(place, job_id)
