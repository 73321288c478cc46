"""The index of a folder: it follows whatever happens to folder and index, and opens what is new alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.errors import NotFound, Unavailable
from jobs.settings import Settings
from jobs.shelf import Shelf
from jobs.store import Store
from tests.valkey_server import ValkeyServer
from trainer.files import write_json
from trainer.layout import Volume

BEGINNING = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


@dataclass
class Entries:
    """Entries ``e0``, ``e1``, …, each a second younger than the one before, and who looked at their times."""

    volume: Volume
    store: Store
    opened: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.volume.datasets

    @property
    def shelf(self) -> Shelf:
        return Shelf("entries", self.folder, self.volume, self.store, self.made_at)

    def made_at(self, name: str) -> datetime:
        if not name.startswith("e"):
            raise NotFound(name)
        self.opened.append(name)
        return BEGINNING + timedelta(seconds=int(name[1:]))

    def add(self, *numbers: int) -> None:
        for number in numbers:
            (self.folder / f"e{number}").mkdir()

    def settle(self) -> None:
        """As if the last change were long ago."""
        os.utime(self.folder, (1, 1))

    def names(self) -> list[str]:
        return self.shelf.page(None, 100)[0]


@pytest.fixture
def entries(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Entries]:
    settings = Settings(home=tmp_path, redis_url=valkey.url)
    write_json(settings.volume.mark, {"layout": 1})
    settings.volume.datasets.mkdir()
    store = Store.open(settings)
    yield Entries(settings.volume, store)
    store.client.close()


def test_newest_first_page_by_page(entries: Entries) -> None:
    assert entries.shelf.page(None, 2) == ([], None)
    entries.add(0, 2, 1)
    (entries.folder / "stray").mkdir()
    names, after = entries.shelf.page(None, 2)
    assert names == ["e2", "e1"]
    entries.add(3)
    shutil.rmtree(entries.folder / "e1")
    assert entries.shelf.page(after, 2) == (["e0"], None)
    assert entries.names() == ["e3", "e2", "e0"]


def test_each_entry_is_opened_once(entries: Entries) -> None:
    entries.add(*range(5))
    entries.names()
    entries.names()
    assert sorted(entries.opened) == ["e0", "e1", "e2", "e3", "e4"]
    entries.add(5)
    entries.names()
    assert entries.opened[5:] == ["e5"]


def test_a_folder_at_rest_is_not_listed(entries: Entries, monkeypatch: pytest.MonkeyPatch) -> None:
    entries.add(0, 1)
    entries.settle()
    entries.names()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "iterdir", lambda _: pytest.fail("it was listed"))
        assert entries.names() == ["e1", "e0"]
    entries.add(2)
    assert entries.names() == ["e2", "e1", "e0"]


def test_an_index_that_was_lost_is_made_anew(entries: Entries) -> None:
    entries.add(0, 1)
    entries.settle()
    entries.names()
    entries.store.client.flushall()
    assert entries.names() == ["e1", "e0"]


def test_a_late_comparison_harms_nothing(entries: Entries) -> None:
    entries.add(0)
    entries.settle()
    entries.names()
    # Another process listed the folder before a change, and writes of it after this one has seen the change.
    stale = {key: entries.store.client.get(key) for key in ("cj:entries:seen",)}
    entries.add(1)
    os.utime(entries.folder, (2, 2))
    assert entries.names() == ["e1", "e0"]
    entries.store.client.zremrangebylex("cj:entries", f"[{BEGINNING:%Y-%m-%dT%H:%M}:01", "+")
    entries.store.client.mset(stale)
    assert entries.names() == ["e1", "e0"]


def test_without_redis_the_volume_tells(entries: Entries, valkey: ValkeyServer) -> None:
    entries.add(0, 1, 2)
    (entries.folder / "stray").mkdir()
    names, after = entries.shelf.page(None, 2)
    valkey.stop()
    assert entries.shelf.page(None, 2) == (names, after)
    assert entries.shelf.page(after, 2) == (["e0"], None)


def test_an_unmounted_volume_is_not_an_empty_list(entries: Entries) -> None:
    entries.add(0)
    entries.names()
    aside = entries.volume.path.with_name("elsewhere")
    entries.volume.path.rename(aside)
    entries.volume.path.mkdir()
    with pytest.raises(Unavailable, match="the volume is not there"):
        entries.names()
    entries.volume.path.rmdir()
    aside.rename(entries.volume.path)
    assert entries.names() == ["e0"]
