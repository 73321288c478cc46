"""The audit file, from its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.trail import Trail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def numbers(entries: list[dict[str, int]]) -> list[int]:
    return [entry["n"] for entry in entries]


def test_no_file_is_no_entry(path: Path) -> None:
    assert Trail(path).page(5) == ([], None)


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_pages_go_back_and_do_not_shift(path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Blocks so short that lines lie across them.
    monkeypatch.setattr("app.trail._BLOCK", 50)
    trail = Trail(path)
    for number in range(100):
        trail.append({"n": number, "text": "x" * (number % 70)})
    seen: list[int] = []
    before = None
    while True:
        entries, before = trail.page(size, before)
        assert len(entries) <= size
        seen += numbers(entries)
        trail.append({"n": -1})
        if before is None:
            break
    assert seen == list(range(99, -1, -1))


def test_what_was_cut_short_is_passed_over(path: Path) -> None:
    trail = Trail(path)
    trail.append({"n": 1})
    with path.open("ab") as stream:
        stream.write(b'{"n": 2, "te\n[3]\n')
    trail.append({"n": 4})
    entries, before = trail.page(10)
    assert numbers(entries) == [4, 1]
    assert before is None


def test_the_file_may_be_rotated(path: Path) -> None:
    trail = Trail(path)
    trail.append({"n": 1})
    path.rename(path.with_suffix(".1"))
    trail.append({"n": 2})
    assert numbers(trail.page(10)[0]) == [2]
    assert path.stat().st_mode & 0o007 == 0
