"""What stands in a folder of the volume, newest first, by an index in Redis: a page reads its entries alone.

The index is a sorted set of places, ``<time>/<name>``, which are in the order of their text. It follows the
folder: where that has changed since the index was last compared with it, which its time of change tells, the
names are compared again, and only what is new is opened. So nobody who adds or removes an entry need say so,
and what Redis has lost, or a volume that was restored, is right at the next look.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import cast

from jobs.connection import reaching_redis
from jobs.errors import NotFound, Unavailable
from jobs.store import Store
from jobs.volume import require_volume
from trainer.layout import Volume

_SETTLED_NS = 2_000_000_000
"""A folder whose last change is younger may have changed again within the same tick of its clock."""


def place_of(created_at: datetime, name: str) -> str:
    """Where an entry stands among all: later ones are greater."""
    return f"{created_at.isoformat(timespec='microseconds')}/{name}"


class Shelf:
    """A folder with an entry a name. Entries come and go whole, by a rename, and keep their time.

    ``made_at`` tells that of a name; NotFound where the name is no entry.
    """

    def __init__(
        self, name: str, folder: Path, volume: Volume, store: Store, made_at: Callable[[str], datetime]
    ) -> None:
        self._key, self._folder, self._volume = f"cj:{name}", folder, volume
        self._store, self._made_at = store, made_at

    def page(self, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """The names of the newest ``limit`` entries behind a place, and the place to go on behind, if any.

        No entry that is there all the while is left out or told twice, whatever comes and goes meanwhile;
        one that is told may be gone already. Unavailable without the volume.
        """
        try:
            with reaching_redis():
                self._follow()
                top = f"({after}" if after else "+"
                found = self._store.client.zrevrangebylex(self._key, top, "-", start=0, num=limit + 1)
            places = cast(list[str], found)
        except Unavailable:
            # Without Redis every entry has to be opened, but the volume can still tell.
            places = self._unindexed(after)[: limit + 1]
        names = [_name(place) for place in places[:limit]]
        return names, places[limit - 1] if len(places) > limit else None

    def _unindexed(self, after: str | None) -> list[str]:
        places = []
        for name in self._names() if self._changed() else ():
            with suppress(NotFound):
                places.append(place_of(self._made_at(name), name))
        return sorted((place for place in places if after is None or place < after), reverse=True)

    def _changed(self) -> int:
        """When the folder was changed; 0 where there is none yet. Unavailable without the volume."""
        try:
            return self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            require_volume(self._volume)
            return 0

    def _names(self) -> set[str]:
        return {path.name for path in self._folder.iterdir()}

    def _follow(self) -> None:
        client, seen, changed = self._store.client, f"{self._key}:seen", self._changed()
        if client.get(seen) == str(changed):
            return
        # The index first: what another process adds to it meanwhile is not taken for something that is gone.
        indexed = {_name(place): place for place in cast(list[str], client.zrange(self._key, 0, -1))}
        names = self._names() if changed else set()
        settled = changed and time.time_ns() - changed > _SETTLED_NS
        with client.pipeline() as pipe:
            for name in names - indexed.keys():
                try:
                    pipe.zadd(self._key, {place_of(self._made_at(name), name): 0})
                except NotFound:
                    continue
            for name in indexed.keys() - names:
                pipe.zrem(self._key, indexed[name])
            # Also where it says less than another process has just said: then it is compared once more.
            pipe.set(seen, str(changed) if settled else "")
            pipe.execute()


def _name(place: str) -> str:
    return place.partition("/")[2]
