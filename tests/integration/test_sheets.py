"""Confusion matrices and sheets of mistakes as pictures, and that a worker draws them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from jobs.drawings import draw
from jobs.states import State
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace
from trainer.files import write_json
from worker.drawing.confusion import confusion
from worker.drawing.mistakes import mistakes

Pixels = np.ndarray


def pixels(picture: bytes) -> Pixels:
    """(height, width, 3) numbers in 0..1."""
    return np.asarray(matplotlib.image.imread(io.BytesIO(picture)))[:, :, :3]


def amount(found: Pixels, red: float, green: float, blue: float) -> int:
    return int((np.abs(found - [red, green, blue]).max(axis=2) < 0.01).sum())


def head(counts: Any, names: list[str] | None = None) -> dict[str, Any]:
    matrix = np.asarray(counts)
    names = names or [f"class {k}" for k in range(len(matrix))]
    return {
        "kind": "classes",
        "examples": int(matrix.sum()),
        "accuracy": float(np.trace(matrix) / matrix.sum()) if matrix.sum() else None,
        "classes": [{"name": name} for name in names],
        "confusion": matrix.tolist(),
    }


def report(**heads: dict[str, Any]) -> dict[str, Any]:
    return {"split": "test", "heads": heads}


DARKEST = (8 / 255, 48 / 255, 107 / 255)
"""Of matplotlib's Blues: a whole line."""


def drawn(**heads: dict[str, Any]) -> Pixels:
    found = confusion(report(**heads), "a job")
    assert found is not None
    return pixels(found)


def test_a_cell_is_as_dark_as_its_share_of_the_true_class() -> None:
    right = amount(drawn(kind=head(np.eye(4, dtype=int) * [[1], [10], [100], [9]])), *DARKEST)
    mixed = amount(drawn(kind=head(np.full((4, 4), 5))), *DARKEST)
    half = amount(drawn(kind=head([[7, 0, 0, 0], [2, 2, 0, 0], [3, 0, 3, 0], [0, 0, 0, 9]])), *DARKEST)
    # Four cells of 0.6 inches; the counts in them are white.
    assert right == pytest.approx(4 * 60 * 60, rel=0.1)
    assert half == pytest.approx(2 * 60 * 60, rel=0.1)
    assert mixed == 0


def test_every_head_of_classes_has_a_matrix() -> None:
    one = drawn(first=head(np.eye(3, dtype=int)))
    two = drawn(first=head(np.eye(3, dtype=int)), said={"kind": "labels"}, second=head(np.eye(3, dtype=int)))
    assert two.shape[0] > 1.7 * one.shape[0] - 100
    assert amount(two, *DARKEST) == pytest.approx(2 * amount(one, *DARKEST), rel=0.02)


def test_without_a_matrix_there_is_no_picture() -> None:
    many = head(np.eye(76, dtype=int))
    omitted = head(np.eye(3, dtype=int)) | {"confusion": None}
    unknown = {"kind": "classes", "detail": "the data set lacks the target: predictions only"}
    assert confusion(report(), "a job") is None
    assert confusion(report(a=many, b=omitted, c=unknown, d={"kind": "values"}), "a job") is None


@pytest.mark.parametrize(
    "found",
    [
        head(np.zeros((2, 2), dtype=int)),
        head(np.eye(75, dtype=int) * 123_456),
        head(np.eye(2, dtype=int), ["100% $of_what^" * 20, ""]),
    ],
    ids=["nothing known", "as many as can be", "long names"],
)
def test_matrices_that_are_hard_to_draw(found: dict[str, Any]) -> None:
    made = drawn(kind=found)
    assert 450 <= made.shape[1] <= 1500
    assert made.shape[0] <= 1500


def wrong(count: int, channels: int = 3, high: int = 8, wide: int = 8, value: int = 255) -> dict[str, Pixels]:
    image = np.zeros((count, channels, high, wide), dtype=np.uint8)
    image[:, 0] = value
    return {
        "image": image,
        "row": np.arange(count),
        "name": np.array(["", "a/b/$c_1.jpg"] * count)[:count],
        "head": np.array(["scores"] * count),
        "probability": np.linspace(1, 0.4, count),
        "true": np.array(["cat"] * count),
        "predicted": np.array(["dog^" * 30] * count),
    }


@pytest.mark.parametrize("count", [1, 5, 6, 20])
def test_every_mistake_is_there(count: int) -> None:
    found = pixels(mistakes(wrong(count), "a job"))
    assert amount(found, 1, 0, 0) == pytest.approx(count * 215 * 215, rel=0.03)


def test_grey_images_and_lying_ones_are_drawn_too() -> None:
    grey = pixels(mistakes(wrong(2, channels=1, value=128), "a job"))
    assert amount(grey, 128 / 255, 128 / 255, 128 / 255) == pytest.approx(2 * 215 * 215, rel=0.03)
    lying = pixels(mistakes(wrong(1, high=4), "a job"))
    assert amount(lying, 1, 0, 0) == pytest.approx(215 * 215 / 2, rel=0.03)


def test_heads_have_their_own_part_of_the_sheet() -> None:
    together = wrong(4)
    apart = together | {"head": np.array(["a", "a", "b", "b"])}
    heights = [pixels(mistakes(found, "a job")).shape[0] for found in (together, apart)]
    assert heights[1] > heights[0] + 200


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def test_they_are_drawn_for_who_asks_and_one_that_fails_hinders_no_other(
    place: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:
    job_id = place.submit(epoch_every=2).id
    run = place.run(job_id)
    run.artifacts.mkdir()
    write_json(run.report, report(kind=head(np.eye(3, dtype=int))))
    run.mistakes.write_bytes(b"no archive")
    place.start_worker()
    draw(run, place.wait_for(job_id, State.SUCCEEDED))
    assert (run.artifacts / "confusion.png").read_bytes() == confusion(
        report(kind=head(np.eye(3, dtype=int))), "practice"
    )
    assert f"the mistakes of {job_id} could not be drawn: " in capfd.readouterr().err
    assert (run.artifacts / "curves.png").exists()


def test_the_mistakes_are_drawn_for_who_asks(place: Workplace) -> None:
    job_id = place.submit().id
    run = place.run(job_id)
    run.artifacts.mkdir()
    np.savez(run.mistakes, **wrong(3))
    place.start_worker()
    draw(run, place.wait_for(job_id, State.SUCCEEDED))
    assert (run.artifacts / "mistakes.png").read_bytes() == mistakes(wrong(3), "practice")
