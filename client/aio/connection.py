"""One connection to the service: requests that are tried again, lists page by page, streams, downloads."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from httpx_sse import EventSource

from client.addresses import default_token, default_url
from client.downloads import Download
from client.events import Event, event_of
from client.problems import JobsApiError, UnreachableError
from client.retrying import IDEMPOTENT, Retries

QUIET_S = 60.0
"""A stream without a single byte for so long is dead: the service sends a heartbeat every 15 seconds."""


class AsyncConnection:
    """Requests to ``url`` (default: CNTK_JOBS_URL), with ``token`` (default: CNTK_JOBS_TOKEN).

    ``timeout`` in seconds. Every method raises JobsApiError: what the service refused, or UnreachableError.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        timeout: float = 60.0,
        retries: Retries | None = None,
    ) -> None:
        self.url = (url or default_url()).rstrip("/")
        token = token or default_token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = httpx.Timeout(timeout, connect=5.0)
        self._http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=self._timeout)
        self._retries = retries or Retries()

    async def __aenter__(self) -> AsyncConnection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        keyed: bool | str = False,
        repeatable: bool = False,
        once: bool = False,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """One request and its answer; sent again where that is right.

        ``keyed``: under an Idempotency-Key, made here or given. ``repeatable``: a POST that may be sent
        twice without one. ``once``: no trying again, for those who want to know how it is now.
        """
        sent = dict(headers or {})
        if keyed:
            sent["Idempotency-Key"] = keyed if isinstance(keyed, str) else uuid.uuid4().hex
        repeatable = repeatable or bool(keyed) or method in IDEMPOTENT
        tried = 0
        while True:
            try:
                return await self._once(method, path, headers=sent, **options)
            except JobsApiError as error:
                tried += 1
                pause = self._retries.pause(tried, error, repeatable=repeatable)
                if pause is None or once:
                    raise
            await asyncio.sleep(pause)

    async def _once(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **options)
        except httpx.RequestError as error:
            raise self._unreachable(error) from error
        if answer.is_error:
            raise JobsApiError.of(answer)
        return answer

    def _unreachable(self, error: httpx.RequestError) -> JobsApiError:
        if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
            # An address without http://, a token with a line break: no service has seen it.
            return JobsApiError(f"{self.url}: {error}", type="not-sent")
        sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        return UnreachableError(f"no answer from {self.url}: {error or type(error).__name__}", sent=sent)

    async def json(self, method: str, path: str, **options: Any) -> Any:
        """The document that a request answers with."""
        answer = await self.request(method, path, **options)
        try:
            return answer.json()
        except ValueError:
            kind = answer.headers.get("Content-Type", "nothing")
            detail = f"{self.url} answers with {kind} instead of JSON: is that the service?"
            raise JobsApiError(detail, type="not-the-service") from None

    async def items(self, path: str, limit: int | None = None, **query: Any) -> list[Any]:
        """The items of a list, page after page, at most ``limit``. Parameters that are None are left out."""
        found: list[Any] = []
        async for item in self.each(path, **query):
            found.append(item)
            if len(found) == limit:
                break
        return found

    async def each(self, path: str, **query: Any) -> AsyncIterator[Any]:
        """The items of a list one by one; a page is asked for when it is needed."""
        query = {key: value for key, value in query.items() if value is not None}
        while True:
            page = await self.json("GET", path, params=query)
            for item in page["items"]:
                yield item
            if not page.get("next_page_token"):
                return
            query["page_token"] = page["next_page_token"]

    async def stream(
        self, path: str, *, last_event_id: str | None = None, patience: float = 60.0, **query: Any
    ) -> AsyncIterator[Event]:
        """The messages of an event stream, taken up where it broke off, up to and with its ``end``.

        A service that is away is waited for, ``patience`` seconds at a time.
        """
        query = {key: value for key, value in query.items() if value is not None}
        away: float | None = None
        while True:
            headers = {"Accept": "text/event-stream"}
            if last_event_id is not None:
                headers["Last-Event-ID"] = last_event_id
            try:
                async with self._opened("GET", path, headers, params=query) as answer:
                    away = None
                    async for message in EventSource(answer).aiter_sse():
                        event = event_of(message, last_event_id)
                        if event is None:
                            continue
                        last_event_id = event.id
                        yield event
                        if event.type == "end":
                            return
            except JobsApiError as error:
                if not error.passing:
                    raise
                now = time.monotonic()
                away = now if away is None else away
                if now - away > patience:
                    raise
            # The stream ended without its end: the service was stopped, or a proxy grew tired.
            await asyncio.sleep(0.5)

    @asynccontextmanager
    async def _opened(
        self, method: str, path: str, headers: Mapping[str, str], **options: Any
    ) -> AsyncIterator[httpx.Response]:
        """An answer whose body is still to come; what breaks while it is read is an UnreachableError."""
        timeout = httpx.Timeout(QUIET_S, connect=5.0)
        try:
            async with self._http.stream(method, path, headers=headers, timeout=timeout, **options) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise JobsApiError.of(answer)
                yield answer
        except httpx.RequestError as error:
            raise self._unreachable(error) from error

    async def download(
        self,
        path: str,
        to: Path,
        *,
        sha256: str | None = None,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> Path:
        """Fetch a file to ``to``, which appears whole or not at all; DamagedError for other bytes.

        What an earlier call left unfinished is continued by a range request. ``progress`` is called with
        the bytes that are there and, where it is known, the size.
        """
        download = Download(to, sha256=sha256)
        tried = 0
        while True:
            try:
                async with self._opened("GET", path, download.headers()) as answer:
                    with download.receiving(answer) as write:
                        async for block in answer.aiter_raw():
                            write(block)
                            tried = 0
                            if progress:
                                progress(download.received, download.size)
                return download.finish()
            except JobsApiError as error:
                tried += 1
                if error.status == 416:
                    download.restart()
                pause = self._retries.pause(tried, error, repeatable=True)
                if pause is None and error.status != 416:
                    raise
            await asyncio.sleep(pause or 0.0)
