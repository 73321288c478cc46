"""What a trainer left to be seen as a picture, and that a worker draws it whatever else happens."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from jobs.drawings import draw
from jobs.states import State
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace
from worker.drawing.values import load, pictures


def drawn(title: str = "a job", **shown: np.ndarray) -> np.ndarray:
    """The picture as (height, width, 3) numbers in 0..1."""
    return np.asarray(matplotlib.image.imread(io.BytesIO(pictures(shown, title))))[:, :, :3]


def amount(pixels: np.ndarray, red: float, green: float, blue: float) -> int:
    return int((np.abs(pixels - [red, green, blue]).max(axis=2) < 0.01).sum())


GREYS = np.linspace(0, 4, 3 * 16, dtype=np.float32).reshape(3, 1, 4, 4)
"""Three examples in 48 different shades."""


def test_every_example_of_every_node_is_there() -> None:
    halves = np.where(np.arange(4) < 2, 0.0, 1.0).astype(np.float32) * np.ones((3, 1, 4, 4), np.float32)
    one = drawn(image=halves)
    both = drawn(image=halves, rebuilt=halves)
    assert one.shape[1] == both.shape[1] == 1200
    tiles = 3 * 110 * 110 / 2
    assert amount(one, 0, 0, 0) == pytest.approx(tiles, rel=0.1)
    assert amount(both, 0, 0, 0) == pytest.approx(2 * tiles, rel=0.1)


def test_nodes_of_one_shape_have_one_range_and_others_their_own() -> None:
    half = np.full((3, 1, 4, 4), 2.0, dtype=np.float32)
    alike, apart = drawn(image=GREYS, rebuilt=half), drawn(image=GREYS, code=half[:, :, :2])
    area = 3 * 110 * 110
    assert amount(alike, 0.5, 0.5, 0.5) > 0.9 * area
    # Of a single value nothing is known but that it is the smallest.
    assert amount(apart, 0, 0, 0) > 0.9 * area / 2


def test_three_maps_like_the_first_are_colours() -> None:
    red = np.zeros((2, 3, 5, 5), dtype=np.float32)
    red[:, 0] = 255
    assert amount(drawn(image=red), 1, 0, 0) > 0.9 * 2 * 110 * 110
    assert amount(drawn(code=GREYS[:2], image=red), 1, 0, 0) == 0


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((1, 1, 1, 1)),
        np.full((2, 3, 3), np.nan),
        np.arange(2 * 40 * 9.0).reshape(2, 40, 3, 3),
        np.arange(2 * 300.0).reshape(2, 1, 300),
        np.arange(2 * 300.0).reshape(2, 300, 1),
        np.random.default_rng(1).normal(size=(11, 2, 6, 5)),
    ],
    ids=["one number", "nothing finite", "many maps", "flat", "tall", "more than a line holds"],
)
def test_what_is_hard_to_draw(values: np.ndarray) -> None:
    found = drawn("100% $of_what^" * 20, image=values.astype(np.float32))
    assert found.shape[1] == 1200
    assert found.shape[0] < 1200


def test_further_examples_go_on_below() -> None:
    values = np.zeros((21, 4, 4), dtype=np.float32)
    heights = [drawn(image=values[:count]).shape[0] for count in (10, 11, 20, 21)]
    assert heights[0] < heights[1] == heights[2] < heights[3]


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def leave(place: Workplace, job_id: str, **shown: np.ndarray) -> None:
    run = place.run(job_id)
    run.artifacts.mkdir()
    np.savez(run.pictures, **shown)


def test_a_job_that_left_arrays_has_its_picture(place: Workplace) -> None:
    job_id = place.submit().id
    leave(place, job_id, image=GREYS, code=GREYS[:, :, :2])
    place.start_worker()
    run = place.run(job_id)
    draw(run, place.wait_for(job_id, State.SUCCEEDED))
    shown = load(run.pictures)
    assert list(shown) == ["image", "code"]
    assert (run.artifacts / "pictures.png").read_bytes() == pictures(shown, "practice")
    assert not (run.artifacts / "curves.png").exists()


def test_arrays_that_cannot_be_drawn_are_no_failure_of_the_others(
    place: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:
    job_id = place.submit(epoch_every=2).id
    leave(place, job_id)
    place.run(job_id).pictures.write_bytes(b"no archive")
    place.start_worker()
    draw(place.run(job_id), place.wait_for(job_id, State.SUCCEEDED))
    assert f"the pictures of {job_id} could not be drawn: " in capfd.readouterr().err
    # The other picture is there nonetheless.
    assert (place.run(job_id).artifacts / "curves.png").exists()
