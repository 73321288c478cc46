"""Pausing, resuming, cancelling with a checkpoint and retrying, with real workers."""

from __future__ import annotations

import fcntl
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import Conflict, InvalidInput
from jobs.record import Record
from jobs.retry import retry
from jobs.states import Reason, State
from jobs.steer import pause, resume
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace, alive, kill, undisturbed
from trainer.files import read_json, write_json

STEPS = 60
RARE = {"steps": STEPS, "seconds": 0.02, "checkpoint_every": 10**6}


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def once(place: Workplace, job_id: str, steps: int) -> None:
    assert read_json(place.run(job_id).result)["parameters_sha256"] == undisturbed(steps)
    assert not (place.run(job_id).path / "overlap").exists()


def again(place: Workplace, job_id: str, **asked: Any) -> Record:
    return retry(job_id, asked, place.store, place.queue, place.settings)


def test_a_pause_frees_the_worker_and_keeps_every_step(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(**RARE).id
    trainer = place.trainer_at_work(job_id)
    for _ in range(2):
        pause(job_id, place.store)
    record = place.wait_for(job_id, State.PAUSED)
    assert (record.reason, record.checkpoints, record.pause_requested) == (Reason.PAUSE_REQUESTED, 1, False)
    assert not alive(trainer)
    # The worker takes another job meanwhile.
    place.wait_for(place.submit().id, State.SUCCEEDED)
    assert place.store.get(job_id).state is State.PAUSED
    for _ in range(2):
        resume(job_id, place.store, place.queue)
    record = place.wait_for(job_id, State.SUCCEEDED)
    assert (record.attempt, record.crashes) == (2, 0)
    once(place, job_id, STEPS)
    steps = [event["step"] for event in place.events(job_id) if event["type"] == "checkpoint"]
    restored = [event["step"] for event in place.events(job_id) if event["type"] == "restored"]
    assert restored == steps[:1]


def test_a_pause_called_off_at_once(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(**RARE).id
    place.trainer_at_work(job_id)
    pause(job_id, place.store)
    resume(job_id, place.store, place.queue)
    record = place.wait_for(job_id, State.SUCCEEDED)
    assert record.crashes == 0
    once(place, job_id, STEPS)


def test_a_deaf_trainer_is_paused_at_its_last_checkpoint(tmp_path: Path, valkey: ValkeyServer) -> None:
    with Workplace(tmp_path, valkey.url, stop_grace_seconds=0.2) as place:
        place.start_worker()
        job_id = place.submit(steps=10**6, seconds=0.02, checkpoint_every=5, deaf=True).id
        trainer = place.trainer_at_work(job_id, checkpoints=2)
        pause(job_id, place.store)
        record = place.wait_for(job_id, State.PAUSED)
        assert not alive(trainer)
        assert record.crashes == 0


def test_a_cancel_that_saves(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(**RARE | {"steps": 10**6}).id
    place.trainer_at_work(job_id)
    place.store.request_cancel(job_id, save=True)
    record = place.wait_for(job_id, State.CANCELLED)
    assert (record.reason, record.checkpoints) == (Reason.CANCEL_REQUESTED, 1)
    assert len(place.run(job_id).published_checkpoints()) == 1


def test_a_cancel_at_once_of_one_that_saves(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(**RARE | {"steps": 10**6}, deaf=True).id
    trainer = place.trainer_at_work(job_id)
    place.store.request_cancel(job_id, save=True)
    time.sleep(0.2)
    assert alive(trainer)
    place.store.request_cancel(job_id)
    place.wait_for(job_id, State.CANCELLED)
    assert not alive(trainer)


def test_a_pause_through_the_death_of_the_worker(place: Workplace) -> None:
    worker = place.start_worker()
    job_id = place.submit(**RARE).id
    place.trainer_at_work(job_id)
    kill(worker.pid)
    pause(job_id, place.store)
    place.start_worker()
    assert place.wait_for(job_id, State.PAUSED).attempt == 1
    resume(job_id, place.store, place.queue)
    place.wait_for(job_id, State.SUCCEEDED)
    once(place, job_id, STEPS)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_race_with_the_end(place: Workplace, seed: int) -> None:
    """A pause or a cancel about when the job ends: one of the two, and the record agrees with the volume."""
    chance = random.Random(seed)
    place.start_worker()
    for _ in range(4):
        job_id = place.submit(steps=6, seconds=0.01, checkpoint_every=2).id
        place.trainer_at_work(job_id)
        time.sleep(chance.uniform(0, 0.08))
        try:
            record = pause(job_id, place.store)
        except Conflict:
            record = place.store.get(job_id)
        place.wait_until(
            lambda job_id=job_id: place.store.get(job_id).state not in (State.RUNNING, State.QUEUED)
        )
        record = place.store.get(job_id)
        assert (record.state is State.SUCCEEDED) == place.run(job_id).result.exists()
        if record.state is State.PAUSED:
            resume(job_id, place.store, place.queue)
        place.wait_for(job_id, State.SUCCEEDED)
        once(place, job_id, 6)


def failed(place: Workplace, **practice: Any) -> str:
    job_id = place.submit(fail={"reason": "diverged", "detail": "at step 6"}, **practice).id
    place.wait_for(job_id, State.FAILED)
    return job_id


def no_longer_failing(place: Workplace, job_id: str) -> None:
    spec = read_json(place.run(job_id).spec)
    del spec["practice"]["fail"]
    write_json(place.run(job_id).spec, spec)


@pytest.mark.parametrize(
    ("checkpoint", "restored", "kept"),
    [("latest", [6], [2, 4, 6, 8]), (20, [2], [2, 4, 6, 8]), ("start", [], [2, 4, 6, 8])],
)
def test_a_retry_goes_on_where_it_is_told(
    place: Workplace, checkpoint: str | int, restored: list[int], kept: list[int]
) -> None:
    place.start_worker()
    job_id = failed(place, steps=6)
    no_longer_failing(place, job_id)
    spec = read_json(place.run(job_id).spec)
    spec["practice"]["steps"] = 8
    write_json(place.run(job_id).spec, spec)
    record = again(place, job_id, checkpoint=checkpoint)
    assert (record.state, record.reason, record.result) == (State.QUEUED, Reason.RETRIED, None)
    record = place.wait_for(job_id, State.SUCCEEDED)
    assert record.attempt == 2
    once(place, job_id, 8)
    events = place.events(job_id)
    assert [event["step"] for event in events if event["type"] == "restored"] == restored
    assert place.run(job_id).published_checkpoints() == [step * 10 for step in kept]
    assert read_json(place.run(job_id).attempt(1).result)["reason"] == "diverged"


def test_a_job_that_diverged_is_not_tried_again_by_itself(place: Workplace) -> None:
    place.start_worker()
    job_id = failed(place)
    place.wait_for(place.submit().id, State.SUCCEEDED)
    assert place.store.get(job_id).attempt == 1
    assert again(place, job_id).reason is Reason.RETRIED
    # It fails once more, and can be retried once more.
    place.wait_until(lambda: (r := place.store.get(job_id)).state is State.FAILED and r.attempt == 2)
    again(place, job_id)
    place.wait_until(lambda: place.store.get(job_id).attempt == 3)


def test_asking_twice_is_asking_once(place: Workplace) -> None:
    worker = place.start_worker()
    job_id = failed(place)
    worker.terminate()
    worker.wait()
    assert again(place, job_id) == again(place, job_id)


def test_a_retry_that_cannot_be(place: Workplace) -> None:
    waiting = place.submit().id
    with pytest.raises(Conflict, match="is queued"):
        again(place, waiting)
    place.start_worker()
    job_id = failed(place)
    run = place.run(job_id)
    with pytest.raises(InvalidInput) as refused:
        again(place, job_id, checkpoint=35)
    assert refused.value.faults[0].pointer == "/checkpoint"
    run.checkpoint(40).pinned.touch()
    with pytest.raises(Conflict, match=f"{job_id}@40, which is pinned"):
        again(place, job_id, checkpoint=20)
    assert run.published_checkpoints() == [20, 40]
    assert run.result.exists()
    (run.checkpoint(40).path / "loop.json").write_text("{}")
    with pytest.raises(Conflict, match="is broken"):
        again(place, job_id)
    run.checkpoint(40).pinned.unlink()
    place.volume.dataset("ds_practice").schema.unlink()
    with pytest.raises(Conflict, match="is gone"):
        again(place, job_id, checkpoint="start")
    assert run.published_checkpoints() == [20, 40]


def test_a_retry_waits_for_no_orphan(place: Workplace) -> None:
    place.start_worker()
    job_id = failed(place)
    with place.run(job_id).lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="has not left yet"):
            again(place, job_id)
    assert again(place, job_id).state is State.QUEUED
