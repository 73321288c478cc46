"""Learning curves as a picture, and that a worker leaves one whatever else happens."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

from jobs.drawings import draw
from jobs.states import State
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace
from worker.drawing.curves import learning_curves

TRAIN, VALID = "#1f6f9f", "#d9542b"


def epoch(number: int, **splits: float | None) -> dict[str, Any]:
    figures = {split: {"total": value} for split, value in splits.items()}
    return {"type": "epoch", "epoch": number, "learning_rate": 0.1, "losses": figures, "metrics": {}}


def picture(events: list[dict[str, Any]], best: int | None = None, title: str = "a job") -> np.ndarray:
    drawn = learning_curves(events, title, best)
    assert drawn is not None
    return np.asarray(matplotlib.image.imread(io.BytesIO(drawn)))[:, :, :3]


def amount(pixels: np.ndarray, colour: str) -> int:
    return int((np.abs(pixels - matplotlib.colors.to_rgb(colour)).max(axis=2) < 0.02).sum())


def test_each_split_has_its_line() -> None:
    course = [epoch(n, train=1 / n, valid=1 / n + 0.2) for n in range(1, 9)]
    both = picture(course, best=4)
    only = picture([epoch(n, train=1 / n) for n in range(1, 9)])
    assert both.shape[1] == only.shape[1] == 1200
    assert amount(both, TRAIN) > 300
    assert amount(both, VALID) > 200
    assert amount(only, TRAIN) > 300
    assert amount(only, VALID) == 0


def test_an_epoch_that_was_trained_again_counts_once() -> None:
    course = [epoch(n, train=1 / n) for n in range(1, 5)]
    lost = [epoch(3, train=9.0), epoch(2, train=7.0)]
    assert np.array_equal(picture([*lost, *course]), picture(course))


@pytest.mark.parametrize(
    "course",
    [
        [epoch(1, train=0.5)],
        [epoch(1, train=0.5, valid=None), epoch(2, train=None, valid=None)],
        [epoch(1, train=None)],
        [epoch(n, train=10.0**-n) for n in range(1, 6)],
        [epoch(7, train=0.0), epoch(8, train=0.0)],
    ],
    ids=["one epoch", "gaps", "nothing finite", "over orders of magnitude", "zeros"],
)
def test_courses_that_are_hard_to_draw(course: list[dict[str, Any]]) -> None:
    assert picture(course, title="100% $of_what^").shape[1] == 1200


def test_many_figures_get_a_panel_each_up_to_a_limit() -> None:
    def wide(count: int) -> list[dict[str, Any]]:
        figures = {"train": {f"metric_{k}": 0.5 for k in range(count)}}
        return [{**epoch(1, train=1.0), "metrics": figures}]

    few, many, more = (picture(wide(count)).shape[0] for count in (5, 29, 31))
    assert few < many == more


def test_without_an_epoch_there_is_no_picture() -> None:
    assert learning_curves([{"type": "queued"}], "a job", None) is None


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def test_a_job_that_has_ended_has_its_curves(place: Workplace) -> None:
    place.start_worker()
    good, without = place.submit(epoch_every=2).id, place.submit().id
    bad = place.submit(epoch_every=2, fail={"reason": "diverged", "detail": "away"}).id
    for job_id, state in ((good, State.SUCCEEDED), (without, State.SUCCEEDED), (bad, State.FAILED)):
        record = place.wait_for(job_id, state)
        assert not (place.run(job_id).artifacts / "curves.png").exists()
        draw(place.run(job_id), record)
    for job_id in (good, bad):
        assert (place.run(job_id).artifacts / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not place.run(without).artifacts.exists()


def test_pictures_that_cannot_be_left_are_drawn_later(
    place: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:
    job_id = place.submit(epoch_every=2).id
    run = place.run(job_id)
    run.artifacts.write_text("in the way of a folder")
    place.start_worker()
    record = place.wait_for(job_id, State.SUCCEEDED)
    draw(run, record)
    assert f"the learning curves of {job_id} could not be drawn: " in capfd.readouterr().err
    run.artifacts.unlink()
    draw(run, record)
    assert (run.artifacts / "curves.png").exists()


def test_pictures_are_drawn_once_after_each_attempt(place: Workplace) -> None:
    job_id = place.submit(epoch_every=2, fail={"reason": "diverged", "detail": "away"}).id
    curves = place.run(job_id).artifacts / "curves.png"
    draw(place.run(job_id), place.store.get(job_id))
    assert not curves.exists()
    place.start_worker()
    record = place.wait_for(job_id, State.FAILED)
    several = [threading.Thread(target=draw, args=(place.run(job_id), record)) for _ in range(3)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    first = curves.stat().st_ino
    draw(place.run(job_id), record)
    assert curves.stat().st_ino == first
    draw(place.run(job_id), record.model_copy(update={"attempt": 2}))
    assert curves.stat().st_ino != first
