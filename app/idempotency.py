"""``Idempotency-Key``: a request that is sent twice is done once, and answered twice alike."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from fastapi import Depends, Header, Request, status
from starlette.concurrency import run_in_threadpool

from app.state import StoreDep
from ingest.store import Upload
from jobs import idempotency
from jobs.errors import Fault, InvalidInput, Unavailable
from jobs.idempotency import Claim, Made
from jobs.record import Record
from jobs.store import Store

KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"
KEY = re.compile(KEY_PATTERN)


class KeyedRequest:
    """A request and its key, if it has one."""

    def __init__(self, store: Store, place: str, sender: str, key: str | None) -> None:
        self._store, self._place, self._sender, self._key = store, place, sender, key

    def asked(self, body: Any) -> dict[str, Any]:
        """What this request asks for, by which a repetition of it is known."""
        return {"place": self._place, "body": body}

    @asynccontextmanager
    async def once(self) -> AsyncIterator[Claim | Made | None]:
        """The key for as long as the request takes, or what it made before; None without a key.

        Whoever is given a claim makes something with it, or fails: then the key is free again.
        """
        if self._key is None:
            yield None
            return
        found = await run_in_threadpool(idempotency.begin, self._store, self._sender, self._key)
        if isinstance(found, Made):
            yield found
            return
        keeping = asyncio.create_task(self._keep(found))
        try:
            yield found
        except BaseException:
            with suppress(Unavailable):
                await run_in_threadpool(idempotency.release, self._store, found)
            raise
        finally:
            keeping.cancel()

    async def _keep(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(idempotency.LEASE_SECONDS / 3)
            with suppress(Unavailable):
                await run_in_threadpool(idempotency.renew, self._store, claim)


IdempotencyKey = Annotated[
    str | None,
    Header(
        description="repeat a request under its key, and it is done once: within 24 hours",
        json_schema_extra={"pattern": KEY_PATTERN},
    ),
]


async def _keyed(request: Request, store: StoreDep, idempotency_key: IdempotencyKey = None) -> KeyedRequest:
    return keyed_request(request, store, idempotency_key)


def keyed_request(request: Request, store: Store, idempotency_key: str | None) -> KeyedRequest:
    """What an endpoint that honours keys is given. InvalidInput for a key that is none."""
    if idempotency_key is not None and not KEY.fullmatch(idempotency_key):
        detail = f"a key has 1 to 255 visible ASCII characters, no spaces; got {idempotency_key[:300]!r}"
        raise InvalidInput.of([Fault("/header/idempotency-key", "key_invalid", detail)])
    sender = request.headers.get("authorization", "")
    return KeyedRequest(store, f"{request.method} {request.url.path}", sender, idempotency_key)


Keyed = Annotated[KeyedRequest, Depends(_keyed)]


async def queued_once(
    keyed: KeyedRequest, body: Any, store: Store, make: Callable[[Claim | None], Record]
) -> Record:
    """The job that ``make`` queues under the request's key, or queued when it was sent before."""
    asked = keyed.asked(body)
    async with keyed.once() as found:
        if isinstance(found, Made):
            found.require(asked)
            return await run_in_threadpool(store.get, found.id)
        return await run_in_threadpool(make, found and found.of(asked, status.HTTP_202_ACCEPTED))


def upload_of(files: Sequence[Upload], options: Mapping[str, Any]) -> dict[str, Any]:
    """What an upload asks for: the boundary between its parts may change, these may not."""

    def sha256(file: Upload) -> str:
        with file.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    return {"files": [[file.filename, sha256(file)] for file in files], "options": options}
