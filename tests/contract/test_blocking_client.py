"""The blocking client is made from the asynchronous one, and committed as it is."""

import inspect
import subprocess
import sys
from pathlib import Path

import client
from client import AsyncClient, Client

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_modules_are_the_present_ones() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "blocking-client", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + "run scripts/blocking-client"


def test_nothing_asynchronous_is_left() -> None:
    for path in (ROOT / "client" / "blocking").glob("*.py"):
        text = path.read_text(encoding="utf-8").partition("\n")[2]
        for word in ("async", "await", "asyncio", "Async", "client.aio"):
            assert word not in text.replace('"""The client, blocking: made from ``client.aio``', ""), path
    assert not any(inspect.iscoroutinefunction(method) for _, method in inspect.getmembers(Client))


def test_both_offer_the_same() -> None:
    def offered(kind: type) -> set[str]:
        return {name.removeprefix("a") for name in vars(kind) if not name.startswith("_")}

    assert offered(AsyncClient) == {name.removeprefix("a") for name in offered(Client)}


def test_what_is_exported_is_there() -> None:
    assert all(hasattr(client, name) for name in client.__all__)
