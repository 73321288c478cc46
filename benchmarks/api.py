"""What the API takes for a request, beside RQ alone behind the same FastAPI, and how soon events are told.

``python -m benchmarks.api [--rounds N] [--seconds S] [--readers N] [--only requests|streams]`` starts a
server, our API and the peer, each a process of its own with one uvicorn, and asks them in turns. Every
spec that is posted differs from the ones before.

The machine should be quiet: where others want its processors, a process gets the more of them the more
threads it has, and the peer has many. And the folder (TMPDIR) should be on a file system from which little
was deleted for five minutes: ext4 does not give such inodes out again, and looks past each of them for every
file that is made, which then takes up to 0.4 ms instead of 0.01. This command deletes what it made.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.asked import parser
from benchmarks.stores import own_server
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store

ROWS = b"".join(b"%d,%d,%s\n" % (i % 7, i % 5, b"xy"[i % 2 : i % 2 + 1]) for i in range(400))
CLIENTS = 16


def spec(dataset: str, number: int) -> dict[str, Any]:
    """A small network, different for each number in name, seed and rate."""
    return {
        "name": f"circle {number}",
        "dataset": dataset,
        "inputs": {"x": {"field": "x"}},
        "network": [
            {"name": "hidden", "type": "dense", "units": 16, "activation": "tanh", "input": "x"},
            {"name": "scores", "type": "dense", "units": 2, "input": "hidden"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "label"}],
        "metrics": [{"type": "classification_error", "output": "scores", "target": "label"}],
        "learner": {"type": "adam", "alpha": 0.001 + number * 1e-9},
        "training": {"epochs": 10, "minibatch_size": 64, "seed": number},
    }


class Connection(asyncio.Protocol):
    """HTTP/1.1 on one kept connection, with as little work as can be: the client shares the machine."""

    LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

    def __init__(self) -> None:
        self.buffer = b""
        self.answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        found = self.LENGTH.search(head)
        assert found, head
        if len(body) < int(found[1]):
            return
        self.buffer = b""
        assert self.answer is not None
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
            self.answer.set_exception(RuntimeError((head + body[:500]).decode()))
        else:
            self.answer.set_result(body)

    async def ask(self, request: bytes) -> bytes:
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)  # type: ignore[attr-defined]  # a TCP one writes
        return await self.answer


def request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    return (head + "Content-Type: application/json\r\n\r\n").encode() + body


async def ask_for(
    port: int, clients: int, seconds: float, make: Callable[[], bytes]
) -> tuple[float, list[float]]:
    """Requests a second from so many clients, each asking as soon as it is answered; and the times taken."""
    loop = asyncio.get_running_loop()
    connections = [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(clients)]
    taken: list[float] = []

    async def client(connection: Connection) -> None:
        while (begun := time.perf_counter()) < end:
            await connection.ask(make())
            taken.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    end = begun + seconds
    await asyncio.gather(*(client(connection) for connection in connections))
    took = time.perf_counter() - begun
    for connection in connections:
        connection.transport.close()
    return len(taken) / took, taken


PEER = """
import sys, uvicorn
from fastapi import FastAPI
from redis import Redis
from rq import Queue
app = FastAPI()
queue = Queue("peer", connection=Redis.from_url(sys.argv[1]))

@app.post("/jobs", status_code=202)
def enqueue(spec: dict) -> dict:
    return {"id": queue.enqueue("work.run", spec).id}

@app.get("/jobs/{job_id}")
def read(job_id: str) -> dict:
    found = queue.connection.hgetall("rq:job:" + job_id)
    return {"id": job_id, **{key.decode(): value.hex() for key, value in found.items()}}

uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
"""


@dataclass(frozen=True)
class Server:
    """A process that serves."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """What it has computed so far: that does not depend on who else uses the machine."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(argv: list[str], port: int, log: Path, **environment: str) -> Iterator[Server]:
    """A process that serves on ``port``."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *argv], env={**os.environ, **environment}, stdout=output, stderr=output
        )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def dataset(port: int) -> str:
    options = json.dumps(
        {"columns": ["a", "b", "label"], "fields": {"x": {"columns": ["a", "b"]}, "label": {}}}
    )
    address = f"http://127.0.0.1:{port}/v1/datasets"
    answer = httpx.post(address, files={"file": ("t.csv", ROWS)}, data={"options": options}, timeout=60)
    return str(answer.raise_for_status().json()["id"])


class Figures:
    """Rounds of each measurement; medians of medians are printed, with their spread."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = {}

    def note(self, name: str, value: float) -> None:
        self.found.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        return statistics.median(self.found[name])

    def line(self, name: str, unit: str) -> str:
        values = self.found[name]
        return f"{self.median(name):8.2f} {unit:4} ({min(values):.2f} to {max(values):.2f})  {name}"


def main() -> None:
    asking = parser(__doc__)
    asking.add_argument("--rounds", type=int, default=5)
    asking.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    asking.add_argument("--readers", type=int, default=200)
    asking.add_argument("--only", choices=["requests", "streams"])
    asked = asking.parse_args()
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ports = free_port(), free_port()
        environment = {
            "CNTK_JOBS_HOME": folder,
            "CNTK_JOBS_PORT": str(ports[0]),
            "CNTK_JOBS_API_TOKENS": "",
        }
        with own_server(home) as settings:
            url = settings.effective_redis_url
            with (
                serving(["-m", "app"], ports[0], home / "api.log", **environment) as ours,
                serving(["-c", PEER, url, str(ports[1])], ports[1], home / "peer.log") as peer,
            ):
                if asked.only != "streams":
                    requests(figures, ours, peer, asked.rounds, asked.seconds)
                if asked.only != "requests":
                    streams(figures, ours, settings, asked.rounds, asked.readers)


def requests(figures: Figures, ours: Server, peer: Server, rounds: int, seconds: float) -> None:
    data = dataset(ours.port)
    posted = 0

    def body() -> bytes:
        nonlocal posted
        posted += 1
        return json.dumps(spec(data, posted)).encode()

    job = json.loads(asyncio.run(one(ours.port, request("POST", "/v1/jobs", body()))))["id"]
    ended = json.loads(asyncio.run(one(ours.port, request("POST", "/v1/jobs", body()))))["id"]
    asyncio.run(one(ours.port, request("POST", f"/v1/jobs/{ended}/cancel")))
    token = json.loads(asyncio.run(one(peer.port, request("POST", "/jobs", body()))))["id"]
    paths = {
        "POST, ours": (ours, lambda: request("POST", "/v1/jobs", body())),
        "POST, RQ alone": (peer, lambda: request("POST", "/jobs", body())),
        "GET of an ended job, ours": (ours, lambda: request("GET", f"/v1/jobs/{ended}")),
        "GET of a queued job, ours": (ours, lambda: request("GET", f"/v1/jobs/{job}")),
        "GET, a hash of Redis alone": (peer, lambda: request("GET", f"/jobs/{token}")),
    }
    for server, make in paths.values():
        asyncio.run(ask_for(server.port, CLIENTS, 1, make))
    for _ in range(rounds):
        for name, (server, make) in paths.items():
            taken = asyncio.run(ask_for(server.port, 1, seconds, make))[1]
            figures.note(f"{name}, 1 client", 1000 * statistics.median(taken))
        for name, (server, make) in paths.items():
            before = server.cpu_seconds()
            rate, taken = asyncio.run(ask_for(server.port, CLIENTS, seconds, make))
            figures.note(f"{name}, {CLIENTS} clients", rate)
            figures.note(f"{name}, processor time", 1000 * (server.cpu_seconds() - before) / len(taken))
    for name in paths:
        print(figures.line(f"{name}, 1 client", "ms"))
        print(figures.line(f"{name}, {CLIENTS} clients", "/s"))
        print(figures.line(f"{name}, processor time", "ms"))
    ratio = figures.median("POST, ours, 1 client") / figures.median("POST, RQ alone, 1 client")
    print(f"POST of a job / RQ alone: {ratio:.2f}")


class Reader(asyncio.Protocol):
    """A stream of a job's events: how long each took from the moment before it was reported."""

    SENT = re.compile(rb'"sent": ([0-9.]+)')

    def __init__(self, path: str) -> None:
        self.path = path
        self.taken: list[float] = []
        self.begun, self.ended = asyncio.Event(), asyncio.Event()
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        head = f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
        transport.write(head.encode())  # type: ignore[attr-defined]  # a TCP one writes

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        *whole, self.rest = (self.rest + data).split(b"\n")
        for line in whole:
            if found := self.SENT.search(line):
                self.taken.append(now - float(found[1]))
            elif line.startswith(b"event: running"):
                self.begun.set()
            elif line.startswith(b"event: end"):
                self.ended.set()


EVENTS = 100
PAUSE = 0.03


def streams(figures: Figures, ours: Server, settings: Settings, rounds: int, readers: int) -> None:
    data = dataset(ours.port)
    store = Store.open(settings)
    missed = 0
    for number in range(rounds):
        for count in (1, readers):
            body = json.dumps(spec(data, number)).encode()
            job = json.loads(asyncio.run(one(ours.port, request("POST", "/v1/jobs", body))))["id"]
            taken, lacking = asyncio.run(read_events(ours.port, store, settings, job, count))
            missed += lacking
            figures.note(f"from an event to each of {count} readers", 1000 * statistics.median(taken))
    for count in (1, readers):
        print(figures.line(f"from an event to each of {count} readers", "ms"))
    print(f"events that a reader missed: {missed}")
    store.client.close()


async def read_events(
    port: int, store: Store, settings: Settings, job: str, count: int
) -> tuple[list[float], int]:
    """How long each event took to each reader, and how many were missed."""
    loop = asyncio.get_running_loop()
    claimed = await asyncio.to_thread(store.claim, job, worker="w", lease_seconds=600)
    assert claimed is not None
    readers = [Reader(f"/v1/jobs/{job}/events") for _ in range(count)]
    for reader in readers:
        await loop.create_connection(lambda reader=reader: reader, "127.0.0.1", port)  # type: ignore[misc]  # bound by default
    for reader in readers:
        await reader.begun.wait()
        await asyncio.to_thread(store.renew, job, claimed.attempt, settings.lease_seconds)

    def report() -> None:
        for _ in range(EVENTS):
            time.sleep(PAUSE)
            store.renew(job, claimed.attempt, settings.lease_seconds)
            event = {"type": "first_minibatch", "sent": time.perf_counter()}
            store.report(job, claimed.attempt, events=[(1, claimed.attempt, event)])
        store.transition(store.get(job), State.FAILED, Reason.DIVERGED)

    await asyncio.to_thread(report)
    async with asyncio.timeout(60):
        await asyncio.gather(*(reader.ended.wait() for reader in readers))
    taken = [seconds for reader in readers for seconds in reader.taken]
    return taken, EVENTS * count - len(taken)


async def one(port: int, asked: bytes) -> bytes:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    try:
        return await connection.ask(asked)
    finally:
        connection.transport.close()


if __name__ == "__main__":
    main()
