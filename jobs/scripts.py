"""The scripts in jobs/lua: each guards a change, indexes it and records it, in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from redis import Redis

from jobs.connection import reaching_redis
from jobs.record import Record
from jobs.totals import LUA_BOUNDS
from jobs.writing import compact_bytes

_PRELUDE = ("owners", "common")
"""What every script begins with."""
_LUA = Path(__file__).parent / "lua"


class Scripts:
    """A connection to the server that runs them. Raises Unavailable where it cannot be reached."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        names = {path.stem for path in _LUA.glob("*.lua")} - set(_PRELUDE)
        self._scripts = {name: client.register_script(source(name)) for name in names}

    def ping(self) -> None:
        """Raise Unavailable unless Redis answers."""
        with reaching_redis():
            self.client.ping()

    def now_ms(self) -> int:
        """Unix milliseconds by Redis' clock, which every time in a record comes from."""
        with reaching_redis():
            seconds, micros = self.client.time()
        return seconds * 1000 + micros // 1000

    def uptime_seconds(self) -> int:
        """How long the server has been up."""
        with reaching_redis():
            return int(self.client.info("server")["uptime_in_seconds"])

    def many(self, ids: Sequence[str]) -> list[Record]:
        """The records of these jobs, in one trip; those that are gone are left out."""
        # One answer is read faster than one for each job.
        found = self.run("many", {"ids": list(ids)}) if ids else []
        return [Record.from_hash(pairs(flat)) for flat in found if flat]

    def change(self, script: str, **ask: Any) -> Record | None:
        """The record after a script's change of job ``id``; None where its guard refused."""
        with reaching_redis():
            flat = self.run(script, ask)
        return Record.from_hash(pairs(flat)) if flat else None

    def run(self, script: str, ask: Mapping[str, Any], client: Redis | None = None) -> Any:
        """The answer of one of the scripts in jobs/lua to ``ask``, or its place in a pipeline."""
        return self._scripts[script](args=[compact_bytes(ask)], client=client)


def source(name: str) -> str:
    """A script as the server runs it, behind what all have in common."""
    parts = [(_LUA / f"{part}.lua").read_text(encoding="utf-8") for part in (*_PRELUDE, name)]
    return LUA_BOUNDS + "".join(parts)


def pairs(flat: Sequence[str]) -> dict[str, str]:
    """A hash from the list of names and values that a script answers with."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
