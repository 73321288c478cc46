"""An HTTP server that answers from a script, for faults that the real service shows too rarely to test by.

It speaks over a real socket: what breaks here breaks as it would on a network.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROBLEM = "application/problem+json"


@dataclass
class Answer:
    """``cut``: the connection breaks after so many bytes of the body. ``lost``: it breaks instead of any."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    lost: bool = False

    @classmethod
    def json(cls, document: Any, **headers: str) -> Answer:
        return cls(200, json.dumps(document).encode(), {"Content-Type": "application/json", **headers})

    @classmethod
    def problem(cls, status: int, slug: str = "error", **headers: str) -> Answer:
        document = {"type": f"urn:cntk-jobs:problem:{slug}", "status": status, "detail": slug}
        return cls(status, json.dumps(document).encode(), {"Content-Type": PROBLEM, **headers})

    @classmethod
    def events(cls, text: str) -> Answer:
        return cls(200, text.encode(), {"Content-Type": "text/event-stream"})


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedServer:
    """Answers the next request with the next of ``answers``; keeps what was asked in ``asked``."""

    def __init__(self, url: str, answers: list[Answer], asked: list[Request]) -> None:
        self.url, self.answers, self.asked = url, answers, asked

    def will(self, *answers: Answer) -> None:
        self.answers.extend(answers)


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    answers: list[Answer] = []
    asked: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = self.headers.get("Content-Length")
            body = self.rfile.read(int(length)) if length else b""
            asked.append(Request(self.command, self.path, dict(self.headers), body))
            answer = answers.pop(0) if answers else Answer.problem(500, "script-is-over")
            if answer.lost:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
            if answer.cut is not None:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        # Whoever broke off does not keep the server from closing.
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield ScriptedServer(f"http://127.0.0.1:{server.server_address[1]}", answers, asked)
        finally:
            server.shutdown()
            thread.join()
