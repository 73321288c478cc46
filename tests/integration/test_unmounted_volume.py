"""A volume whose disk is not mounted: nothing is made in its place, no job fails, and all goes on after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.streams.history import history
from jobs.errors import Unavailable
from jobs.recovery.reconcile import reconcile
from jobs.recovery.rescan import rescan
from jobs.states import Reason, State
from jobs.volume import make_volume
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def unmount(place: Workplace) -> Path:
    """The volume is elsewhere, and an empty folder in its place; where it is now."""
    aside = place.volume.path.with_name("disk")
    place.volume.path.rename(aside)
    place.volume.path.mkdir()
    return aside


def mount(place: Workplace, aside: Path) -> None:
    # What somebody has made in the empty folder would keep it from being removed.
    place.volume.path.rmdir()
    aside.rename(place.volume.path)


def test_no_volume_is_made_where_another_is_known(place: Workplace) -> None:
    place.submit()
    aside = unmount(place)
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"has no volume\.json"):
            make_volume(place.volume, place.store)
    mount(place, aside)
    make_volume(place.volume, place.store)


def test_no_job_fails_and_none_is_forgotten(place: Workplace) -> None:
    job_id = place.submit(steps=20).id
    aside = unmount(place)
    place.start_worker()
    place.wait_until(lambda: place.store.get(job_id).reason is Reason.VOLUME_UNUSABLE)
    reconcile(place.store, place.queue, place.settings)
    with pytest.raises(Unavailable):
        history(place.store, place.volume, job_id)
    place.store.client.flushall()
    with pytest.raises(Unavailable):
        rescan(place.store, place.queue, place.settings)
    mount(place, aside)
    place.wait_until(lambda: bool(place.store.page().records))
    place.wait_for(job_id, State.SUCCEEDED)
    numbers = [event["seq"] for event in history(place.store, place.volume, job_id)]
    assert numbers == list(range(1, len(numbers) + 1))
