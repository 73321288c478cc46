"""Messages to addresses that others chose: connects to public addresses alone, follows nothing."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import httpcore

from jobs.webhooks.addresses import reachable
from jobs.webhooks.deliveries import Answer

SECONDS = 15.0
"""How long one attempt may take, from resolving the name to the status line."""


class PrivateAddress(Exception):
    """A name stands for an address that is not public."""


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a name, looks at its addresses, and connects to what it has looked at.

    So a name cannot stand for one address while it is checked and for another afterwards.
    """

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await asyncio.to_thread(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            if not self._private and not reachable(ipaddress.ip_address(address.partition("%")[0])):
                raise PrivateAddress(f"{host} is {address}, which is no public address")
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Postman:
    """Posts messages. Used as a context manager."""

    def __init__(self, *, private: bool) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            network_backend=CheckedNetwork(private=private),
            max_keepalive_connections=0,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.aclose()

    async def post(self, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """What became of a POST. Redirects are not followed, and what the body says is not read."""
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._pool.stream("POST", url, headers=list(headers.items()), content=content) as response,
            ):
                status = response.status
        except TimeoutError:
            return Answer(None, f"no answer within {SECONDS:g} s")
        except (PrivateAddress, OSError) as error:
            return Answer(None, str(error))
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            httpcore.UnsupportedProtocol,
            ssl.SSLError,
        ) as error:
            return Answer(None, f"{type(error).__name__}: {error}")
        if 200 <= status < 300:
            return Answer(status)
        why = "a redirect, which is not followed" if 300 <= status < 400 else "no success"
        return Answer(status, f"the answer was {status}: {why}")
