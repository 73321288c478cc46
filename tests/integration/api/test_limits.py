"""What a request may bring, and how long it may take about it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from app import protocol
from app.middleware import limits
from jobs.settings import Settings
from tests.api_calls import pointers


def chunks(total: int) -> Iterator[bytes]:
    """A body whose length nobody is told beforehand."""
    while total > 0:
        yield b" " * min(total, 1 << 16)
        total -= 1 << 16


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/tokens", "/v1/jobs/job_none/evaluate"])
def test_documents_are_of_a_size(api: httpx.Client, path: str) -> None:
    answer = api.post(path, content=chunks(limits.JSON_BYTES + 1))
    assert pointers(answer, 413) == {""}
    assert api.post(path, content=chunks(limits.JSON_BYTES)).status_code == 422


def answer_to(api: httpx.Client, head: str, body: bytes) -> bytes:
    """What is answered to a request that stops in the midst of its body."""
    where = (api.base_url.host, api.base_url.port or 80)
    with socket.create_connection(where, timeout=30) as connection:
        connection.sendall(f"{head}\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n".encode() + body)
        found = b""
        while more := connection.recv(65536):
            found += more
    return found


@pytest.mark.parametrize(
    "head",
    [
        "POST /v1/jobs HTTP/1.1\r\nContent-Type: application/json",
        "POST /v1/datasets HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b",
    ],
)
def test_a_body_that_stops_is_given_up(
    api: httpx.Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    monkeypatch.setattr(limits, "STALL_SECONDS", 0.3)
    found = answer_to(api, head, b"{")
    assert found.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in found
    assert list(settings.volume.incoming.iterdir()) == []


def test_a_head_without_end_is_refused(api: httpx.Client) -> None:
    with socket.create_connection((api.base_url.host, api.base_url.port or 80), timeout=30) as connection:
        connection.sendall(b"GET /v1/jobs HTTP/1.1\r\nX-Long: " + 200_000 * b"x")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_a_head_that_stops_is_given_up(
    api: httpx.Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    for sent in (b"", b"GET /v1/jobs HT", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /v1/"):
        with socket.create_connection((api.base_url.host, api.base_url.port or 80), timeout=30) as connection:
            connection.sendall(sent)
            found = b""
            while more := connection.recv(65536):
                found += more
        assert found.count(b"HTTP/1.1 200 ") == sent.count(b"healthz")
    # One that is whole in time is answered for as long as it takes.
    with api.stream("GET", "/v1/events", headers={"accept": "text/event-stream"}) as stream:
        time.sleep(0.6)
        assert stream.status_code == 200
        assert not stream.is_closed
