"""What of an answer leaves together."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from app.protocol import HeadsWithBodies

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


class Written:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.pieces.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def written() -> Written:
    return Written()


def transport(written: Written) -> HeadsWithBodies:
    return HeadsWithBodies(cast(asyncio.Transport, written), asyncio.get_running_loop())


async def a_turn() -> None:
    await asyncio.sleep(0)


def test_a_head_leaves_with_its_body(written: Written) -> None:
    async def answer() -> None:
        ours = transport(written)
        ours.write(HEAD)
        ours.write(b"body")
        await a_turn()
        ours.write(b"more")

    asyncio.run(answer())
    assert written.pieces == [HEAD + b"body", b"more"]


def test_a_head_whose_body_comes_later(written: Written) -> None:
    async def answer() -> None:
        ours = transport(written)
        ours.write(HEAD)
        await a_turn()
        assert written.pieces == [HEAD]
        ours.write(b"body")

    asyncio.run(answer())
    assert written.pieces == [HEAD, b"body"]


def test_a_head_leaves_before_the_end(written: Written) -> None:
    async def answer() -> None:
        ours = transport(written)
        ours.write(HEAD)
        assert not ours.is_closing()
        ours.close()
        assert ours.is_closing()
        await a_turn()

    asyncio.run(answer())
    assert written.pieces == [HEAD]


def test_two_answers_in_one_turn(written: Written) -> None:
    async def answer() -> None:
        ours = transport(written)
        for _ in range(2):
            ours.write(HEAD)
            ours.write(b"body")
        # 204: a head alone, then an answer of the next request.
        ours.write(HEAD)
        ours.write(HEAD)
        await a_turn()

    asyncio.run(answer())
    assert b"".join(written.pieces) == 2 * (HEAD + b"body") + 2 * HEAD
