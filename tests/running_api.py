"""The API on a real server in a thread, for tests that speak HTTP to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from app.__main__ import listen
from app.main import create_app
from app.protocol import BoundedHeads
from jobs.settings import Settings


@contextmanager
def running_api(settings: Settings) -> Iterator[httpx.Client]:
    """A client of an API that lives as long as the context does."""
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(app, http=BoundedHeads, log_config=None, timeout_graceful_shutdown=5)
    )
    app.state.stopping = lambda: server.should_exit
    with listen(settings.model_copy(update={"host": "127.0.0.1", "port": 0})) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()
