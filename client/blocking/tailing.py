# Made from client/aio/tailing.py by scripts/blocking-client: change that one.
"""What trainers write, as they write it: read by byte ranges, from attempt to attempt, to the job's end."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from client.blocking.connection import Connection
from client.documents import TERMINAL, LogPiece
from client.problems import JobsApiError

PIECE_BYTES = 1 << 18
LOOK_S = 0.5


class _Tail:
    """How far one stream of one attempt has been read; what is cut within a character waits for its rest."""

    def __init__(self) -> None:
        self.offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def take(self, block: bytes) -> str:
        self.offset += len(block)
        return self._decoder.decode(block)


def tail(
    connection: Connection,
    job: str,
    streams: Sequence[str],
    attempt: int | None,
    patience: float,
) -> Iterator[LogPiece]:
    """All of an attempt's ``streams`` and what follows; without ``attempt`` the newest's and later ones'.

    A service that is away is waited for, ``patience`` seconds at a time.
    """
    tails: dict[tuple[int, str], _Tail] = {}
    reached = attempt
    answered = time.monotonic()
    while True:
        try:
            # First how it stands, then what is there: what was written before the end is then read.
            found: dict[str, Any] = connection.json("GET", f"/v1/jobs/{job}", once=True)
            newest = found["attempt"]
            reached = max(newest, 1) if reached is None else reached
            last = reached if attempt is not None else newest
            for number in range(reached, last + 1):
                for stream in streams:
                    place = tails.setdefault((number, stream), _Tail())
                    path = f"/v1/jobs/{job}/attempts/{number}/{stream}"
                    while block := _next(connection, path, place.offset):
                        offset = place.offset
                        text = place.take(block)
                        yield {"attempt": number, "stream": stream, "offset": offset, "text": text}
                        if len(block) < PIECE_BYTES:
                            break
            reached = max(reached, last)
            answered = time.monotonic()
        except JobsApiError as error:
            if not error.passing or time.monotonic() - answered > patience:
                raise
        else:
            if found["status"] in TERMINAL or newest > last:
                return
        time.sleep(LOOK_S)


def _next(connection: Connection, path: str, offset: int) -> bytes:
    """The bytes behind ``offset``, at most a piece of them; none where nothing was written yet."""
    wanted = {"Range": f"bytes={offset}-{offset + PIECE_BYTES - 1}", "Accept-Encoding": "identity"}
    try:
        return (connection.request("GET", path, headers=wanted, once=True)).content
    except JobsApiError as error:
        if error.status in (httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE, httpx.codes.NOT_FOUND):
            return b""
        raise
