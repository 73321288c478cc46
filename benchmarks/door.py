"""What asking for a token costs: GET of a job without tokens, with one, with one that has a rate.

    python -m benchmarks.door [ROUNDS] [REQUESTS]

One client on one connection to a server in the same process; rounds are interleaved, and the first way is
measured twice, which shows the noise. Prints medians, and the median of the differences from the first.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from jobs.settings import Settings
from tests.api_calls import spec_by, submit
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer

KINDS: dict[str, dict[str, Any]] = {
    "a token of the volume": {},
    "one with a rate": {"requests_per_minute": 1_000_000},
}


def main(rounds: int = 15, requests: int = 200) -> None:
    ways: dict[str, tuple[httpx.Client, str, dict[str, str]]] = {}
    with ExitStack() as stack:
        open_api = stack.enter_context(one_api())
        job = submit(open_api, spec_by(open_api))["id"]
        for name in ("no token is asked for", "the same again"):
            ways[name] = open_api, job, {}
        asking = stack.enter_context(one_api(api_tokens=(SecretStr("root"),)))
        root = {"Authorization": "Bearer root"}
        asking.headers.update(root)
        job = submit(asking, spec_by(asking))["id"]
        asking.headers.pop("Authorization")
        ways["a token of the settings"] = asking, job, root
        for name, more in KINDS.items():
            asked = {"name": "reader", "scopes": ["read"], **more}
            made = asking.post("/v1/tokens", json=asked, headers=root).json()
            ways[name] = asking, job, {"Authorization": f"Bearer {made['token']}"}
        wall: dict[str, list[float]] = {name: [] for name in ways}
        work: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, (client, job, headers) in ways.items():
                begun, worked = time.perf_counter(), time.process_time()
                for _ in range(requests):
                    assert client.get(f"/v1/jobs/{job}", headers=headers).status_code == 200
                wall[name].append((time.perf_counter() - begun) / requests)
                work[name].append((time.process_time() - worked) / requests)
    first = next(iter(ways))
    for name in ways:
        apart = statistics.median(1e6 * (a - b) for a, b in zip(work[name], work[first], strict=True))
        print(
            f"{name:26} {1e6 * statistics.median(wall[name]):6.0f} us, of them "
            f"{1e6 * statistics.median(work[name]):6.0f} us of this process (both ends), {apart:+5.0f} us"
        )


@contextmanager
def one_api(**settings: Any) -> Iterator[httpx.Client]:
    """A client of an API that has a volume and a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(Path(folder))
        server.start()
        try:
            home = Path(folder) / "home"
            with running_api(Settings(home=home, redis_url=server.url, **settings)) as api:
                yield api
        finally:
            server.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
