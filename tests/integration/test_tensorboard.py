"""TensorBoard's event files, written beside real trainings and read by TensorBoard itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.journal import read_events
from jobs.states import State
from tests.peers import in_peers, needs_peers
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace, kill
from trainer.files import append_line
from trainer.layout import RunDirectory
from worker.facts import Followed
from worker.tensorboard import Board

Points = dict[str, list[tuple[int, float]]]


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def shown(run: RunDirectory) -> Points:
    found = in_peers("tensorboard_events", str(run.artifacts / "tensorboard"))
    return {tag: [(step, value) for step, value, _ in points] for tag, points in found.items()}


def expected(run: RunDirectory) -> list[tuple[int, float]]:
    """The loss of each epoch by the job's events, each epoch once."""
    epochs = {e["step"]: e["losses"]["train"]["total"] for e in read_events(run) if e["type"] == "epoch"}
    return [(step, pytest.approx(loss)) for step, loss in sorted(epochs.items())]


@needs_peers
def test_the_course_of_a_job(place: Workplace) -> None:
    place.start_worker()
    job_id = place.submit(steps=6, epoch_every=2).id
    place.wait_for(job_id, State.SUCCEEDED)
    points = shown(place.run(job_id))
    assert points["losses/total/train"] == expected(place.run(job_id)) != []
    assert [step for step, _ in points["metrics/error/train"]] == [2, 4, 6]
    assert points["learning_rate"] == [(step, pytest.approx(0.1)) for step in (2, 4, 6)]


@needs_peers
@pytest.mark.parametrize("who", ["trainer", "worker"])
def test_what_an_attempt_repeats_is_not_doubled(place: Workplace, who: str) -> None:
    worker = place.start_worker()
    # Checkpoints at other steps than the ends of epochs: the second attempt repeats some.
    job_id = place.submit(steps=150, seconds=0.02, epoch_every=4, checkpoint_every=10).id
    trainer = place.trainer_at_work(job_id, checkpoints=2)
    place.wait_until(lambda: any((place.run(job_id).artifacts / "tensorboard").glob("*")))
    if who == "trainer":
        kill(trainer)
    else:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        place.start_worker()
    record = place.wait_for(job_id, State.SUCCEEDED)
    assert record.attempt == 2
    run = place.run(job_id)
    files = sorted(path.name for path in (run.artifacts / "tensorboard").iterdir())
    # A worker that was killed before it had written the first file as a whole leaves it to the next.
    assert [name[:6] for name in files] in (["00001.", "00002."], ["00002."])
    points = shown(run)
    assert points["losses/total/train"] == expected(run)
    assert [step for step, _ in points["learning_rate"]] == list(range(4, 151, 4))


class Told:
    """A run directory whose facts a test writes."""

    def __init__(self, path: Path) -> None:
        self.run = RunDirectory(path)
        self.board: Board | None = None
        self.boards: list[Board] = []

    def attempt(self, number: int) -> None:
        self.number = number
        self.run.attempt(number).path.mkdir(parents=True)
        self.board = Board(self.run, number)
        self.boards.append(self.board)
        self.fact("started")

    def fact(self, kind: str, **more: Any) -> None:
        append_line(self.run.attempt(self.number).facts, {"time": 1.0 + self.number, "type": kind, **more})

    def epoch(self, step: int, loss: float | None) -> None:
        figures = {"losses": {"train": {"total": loss}}, "metrics": {}, "learning_rate": 0.5}
        self.fact("epoch", epoch=step // 10, step=step, samples=step, seconds=1.0, **figures)

    def look(self) -> None:
        assert self.board is not None
        self.board._next = 0.0
        self.board.look()


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    told = Told(tmp_path / "job")
    yield told
    for board in told.boards:
        board._writer.close()


@needs_peers
def test_an_epoch_told_after_the_checkpoint_that_the_next_attempt_resumes_from(told: Told) -> None:
    told.attempt(1)
    told.epoch(10, 3.0)
    told.epoch(20, 2.0)
    told.epoch(30, 1.0)
    told.look()
    told.attempt(2)
    # Saved at the last minibatch of the second epoch, before its end was told.
    told.fact("restored", step=20, samples=20)
    told.epoch(20, 2.0)
    told.epoch(30, 1.5)
    told.look()
    assert shown(told.run)["losses/total/train"] == [(10, 3.0), (20, 2.0), (30, 1.5)]


@needs_peers
def test_what_a_killed_worker_left_unread_is_shown_by_the_next(told: Told) -> None:
    told.attempt(1)
    told.epoch(10, 3.0)
    told.look()
    told.epoch(20, 2.0)
    told.attempt(2)
    told.fact("restored", step=20, samples=20)
    told.epoch(30, 1.0)
    told.look()
    assert shown(told.run)["losses/total/train"] == [(10, 3.0), (20, 2.0), (30, 1.0)]


@needs_peers
@pytest.mark.parametrize("looks", [0, 1])
def test_a_worker_that_is_killed_as_it_writes_leaves_each_step_once(
    told: Told, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    def killed(followed: Followed, size: int) -> None:
        raise SystemExit

    told.attempt(1)
    told.epoch(10, 3.0)
    for _ in range(looks):
        told.look()
    told.epoch(20, 2.0)
    with monkeypatch.context() as fault:
        fault.setattr(Followed, "save", killed)
        with pytest.raises(SystemExit):
            told.look()
    told.attempt(2)
    told.fact("restored", step=20, samples=20)
    told.epoch(30, 1.0)
    told.look()
    assert shown(told.run)["losses/total/train"] == [(10, 3.0), (20, 2.0), (30, 1.0)]


@needs_peers
def test_an_attempt_that_begins_anew_takes_the_place_of_the_last(told: Told) -> None:
    told.attempt(1)
    told.epoch(10, 3.0)
    told.epoch(20, 2.0)
    told.look()
    told.attempt(2)
    told.epoch(10, 4.0)
    told.look()
    assert shown(told.run)["losses/total/train"] == [(10, 4.0)]


@needs_peers
def test_minibatches_and_what_is_no_number(told: Told) -> None:
    told.attempt(1)
    told.fact("progress", step=5, samples=50, samples_per_second=None, losses={"minibatch": {"total": 7.0}})
    told.look()
    told.fact("progress", step=9, samples=90, samples_per_second=80.0, losses={"minibatch": {"total": None}})
    told.epoch(10, None)
    told.look()
    points = shown(told.run)
    assert points == {
        "minibatch/loss": [(5, 7.0)],
        "minibatch/samples_per_second": [(9, 80.0)],
        "learning_rate": [(10, 0.5)],
    }


def test_files_that_cannot_be_written_do_not_hurt_the_job(place: Workplace) -> None:
    job_id = place.submit(steps=6, epoch_every=2).id
    place.run(job_id).artifacts.write_text("in the way of a folder")
    place.start_worker()
    record = place.wait_for(job_id, State.SUCCEEDED)
    assert (record.attempt, record.crashes) == (1, 0)
    assert place.worker_log.count("TensorBoard's files") == 1
