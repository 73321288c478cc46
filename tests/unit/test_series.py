"""Thinning the minibatch losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.series import LossSeries, loss_series


def write(path: Path, losses: list[float], tail: bytes = b"") -> Path:
    path.write_bytes(np.array(losses, dtype="<f8").tobytes() + tail)
    return path


def test_no_file_is_no_steps(tmp_path: Path) -> None:
    assert loss_series(tmp_path / "losses.f64", 10) == LossSeries(0)


def test_buckets_cover_every_step_once(tmp_path: Path) -> None:
    series = loss_series(write(tmp_path / "losses.f64", [4.0, 2.0, 6.0, 1.0, 3.0, 5.0, 9.0]), 3)
    assert series.steps == 7
    assert series.step == [2, 4, 7]
    assert series.last == [2.0, 1.0, 9.0]
    assert series.min == [2.0, 1.0, 3.0]
    assert series.max == [4.0, 6.0, 9.0]
    assert series.mean == [3.0, 3.5, 17 / 3]


def test_fewer_steps_than_points_are_all_shown(tmp_path: Path) -> None:
    series = loss_series(write(tmp_path / "losses.f64", [0.5, 0.25]), 500)
    assert series.step == [1, 2]
    assert series.last == series.min == series.max == series.mean == [0.5, 0.25]


def test_what_is_not_finite_is_null_and_spoils_no_mean(tmp_path: Path) -> None:
    path = write(tmp_path / "losses.f64", [1.0, np.nan, np.inf, np.nan])
    series = loss_series(path, 2)
    assert series.last == [None, None]
    assert series.mean == [1.0, None]
    assert series.min == series.max == [1.0, None]


def test_torn_last_value_is_left_out(tmp_path: Path) -> None:
    assert loss_series(write(tmp_path / "losses.f64", [1.0, 2.0], b"\x00\x01"), 9).steps == 2
