"""What a job may take, with real workers: each limit saves first, and tells its reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.record import Record
from jobs.recovery.reconcile import reconcile
from jobs.retry import retry
from jobs.states import Reason, State
from jobs.steer import pause, resume
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace, alive, undisturbed
from trainer.files import read_json, write_json
from worker.limits import members, resident_bytes

ENDLESS: dict[str, Any] = {"steps": 10**6, "seconds": 0.01, "checkpoint_every": 10**6}


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def trained_once(place: Workplace, record: Record, steps: int) -> None:
    assert read_json(place.run(record.id).result)["parameters_sha256"] == undisturbed(steps)
    assert not (place.run(record.id).path / "overlap").exists()


def test_running_for_too_long(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(**ENDLESS, limits={"max_runtime_s": 0.5}).id
    record = place.wait_for(job_id, State.FAILED)
    assert (record.reason, record.attempt, record.checkpoints) == (Reason.RUNTIME_LIMIT, 1, 1)
    assert "limits.max_runtime_s is 0.5" in record.detail
    assert record.starting_ms + record.training_ms >= 500
    # A retry has the whole time again, and goes on where the first attempt was stopped.
    spec = read_json(place.run(job_id).spec)
    reached = read_json(place.run(job_id).checkpoint(place.run(job_id).published_checkpoints()[0]).loop)
    spec["practice"]["steps"] = reached["step"] + 3
    write_json(place.run(job_id).spec, spec)
    retry(job_id, {}, place.store, place.queue, place.settings)
    trained_once(place, place.wait_for(job_id, State.SUCCEEDED), reached["step"] + 3)


def test_time_spent_waiting_is_no_running_time(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(steps=40, seconds=0.01, checkpoint_every=100, limits={"max_runtime_s": 5}).id
    place.trainer_at_work(job_id)
    pause(job_id, place.store)
    place.wait_for(job_id, State.PAUSED)
    place.store.client.hset(f"cj:job:{job_id}", "phase_at", 1)
    resume(job_id, place.store, place.queue)
    trained_once(place, place.wait_for(job_id, State.SUCCEEDED), 40)


def test_all_attempts_count(place: Workplace) -> None:
    worker = place.start_worker()
    job_id = place.submit(**ENDLESS, limits={"max_runtime_s": 60}).id
    place.trainer_at_work(job_id)
    worker.terminate()
    worker.wait()
    place.store.client.hset(f"cj:job:{job_id}", "training_ms", 60_000)
    place.start_worker()
    record = place.wait_for(job_id, State.FAILED)
    assert (record.reason, record.attempt) == (Reason.RUNTIME_LIMIT, 2)


def test_holding_too_much_memory(place: Workplace) -> None:
    place.start_worker()
    small = place.submit(steps=4, seconds=0.01, checkpoint_every=2, limits={"memory_bytes": 200 << 20}).id
    large = place.submit(**ENDLESS, memory=300 << 20, limits={"memory_bytes": 200 << 20}).id
    place.wait_for(small, State.SUCCEEDED)
    record = place.wait_for(large, State.FAILED)
    assert (record.reason, record.checkpoints) == (Reason.MEMORY_LIMIT, 1)
    assert "limits.memory_bytes is 209,715,200" in record.detail


@pytest.mark.parametrize(("taken", "counts"), [("mapped", False), ("held", True)])
def test_pages_of_files_are_no_memory_of_a_job(tmp_path: Path, taken: str, counts: bool) -> None:
    size = 256 << 20
    column = tmp_path / "column"
    with column.open("wb") as stream:
        stream.truncate(size)
    program = (
        "import mmap, sys\n"
        "stream = open(sys.argv[1], 'rb')\n"
        "mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "seen = sum(mapped[::4096]) if sys.argv[2] == 'mapped' else None\n"
        "held = b'x' * len(mapped) if sys.argv[2] == 'held' else None\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, column, taken]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert (resident_bytes(process.pid) > size) == counts
        process.communicate()


def test_what_a_copy_shares_counts_once() -> None:
    """As a trainer's copy does, which saves a checkpoint while the trainer goes on."""
    size = 256 << 20
    program = (
        f"import os, sys\nheld = b'x' * {size}\n"
        "if os.fork():\n    print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert len(members(process.pid)) == 2
        assert size < resident_bytes(process.pid) < 1.5 * size
        process.communicate()


def test_a_trainer_that_has_nothing_to_tell_is_replaced(place: Workplace) -> None:
    place.start_worker()
    quiet = {"attempt": 1, "step": 5}
    job_id = place.submit(
        steps=20, seconds=0.01, checkpoint_every=100, quiet_at=quiet, limits={"stall_s": 0.5}
    ).id
    place.wait_until(lambda: place.store.get(job_id).attempt == 2)
    record = place.wait_for(job_id, State.SUCCEEDED)
    # It could save before it left, which is progress.
    assert (record.attempt, record.crashes) == (2, 0)
    trained_once(place, record, 20)


def test_a_trainer_that_is_stopped_is_replaced(tmp_path: Path, valkey: ValkeyServer) -> None:
    """The service's own limit, where the spec has none; a stopped process cannot save."""
    with Workplace(tmp_path, valkey.url, stall_seconds=0.5, stop_grace_seconds=0.2) as place:
        place.start_worker()
        job_id = place.submit(steps=60, seconds=0.02, checkpoint_every=10).id
        trainer = place.trainer_at_work(job_id, checkpoints=1)
        os.kill(trainer, signal.SIGSTOP)
        record = place.wait_for(job_id, State.SUCCEEDED)
        assert not alive(trainer)
        assert (record.attempt, record.crashes) == (2, 0)
        trained_once(place, record, 60)


def test_a_job_that_always_stalls_fails(tmp_path: Path, valkey: ValkeyServer) -> None:
    with Workplace(tmp_path, valkey.url, stop_grace_seconds=0.1) as place:
        place.start_worker()
        job_id = place.submit(steps=1, seconds=60, checkpoint_every=1, deaf=True, limits={"stall_s": 0.3}).id
        record = place.wait_for(job_id, State.FAILED)
        assert (record.reason, record.crashes) == (Reason.CRASHED, 3)
        assert "no sign of life for 0.3 s" in record.detail


def test_waiting_for_too_long(place: Workplace) -> None:
    job_id = place.submit(limits={"max_queue_s": 0.2}).id
    patient = place.submit(limits={"max_queue_s": 600}).id
    place.wait_until(lambda: _pass(place) or place.store.get(job_id).state is State.FAILED)
    record = place.store.get(job_id)
    assert (record.reason, record.attempt) == (Reason.QUEUE_LIMIT, 0)
    assert record.detail == "it waited for 0.2 s (limits.max_queue_s) and no worker had taken it"
    assert place.store.get(patient).state is State.QUEUED
    # Retried, it may wait as long again; taken by a worker, it no longer waits.
    retry(job_id, {}, place.store, place.queue, place.settings)
    claimed = place.store.claim(job_id, worker="w", lease_seconds=60)
    assert claimed is not None
    place.store.transition(claimed, State.QUEUED, Reason.WORKER_STOPPED)
    assert place.store.client.zscore("cj:overdue", job_id) is None
    assert place.store.client.zscore("cj:overdue", patient) is not None


def _pass(place: Workplace) -> None:
    reconcile(place.store, place.queue, place.settings)
