"""The worker's connection outlasts RQ's blocking read."""

from __future__ import annotations

import threading

from jobs.connection import connect
from tests.valkey_server import ValkeyServer
from worker.tokens import ANSWER_SECONDS, TokenWorker


def test_an_idle_worker_does_not_take_silence_for_an_outage(valkey: ValkeyServer) -> None:
    with connect(valkey.url, answer_timeout=ANSWER_SECONDS, text=False) as client:
        worker = TokenWorker("worker_idle", client, threading.Lock())
        # RQ raises a shorter timeout by itself, which reaches no TCP connection: it must not need to.
        assert worker.connection_timeout <= ANSWER_SECONDS
        assert client.connection_pool.connection_kwargs["socket_timeout"] == ANSWER_SECONDS
