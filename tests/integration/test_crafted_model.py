"""A model file that runs code, opened in the sandbox with nothing checked before: it is contained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.base_models import ask_cntk
from worker import sandbox
from worker.launch import ROOT, program_environment
from worker.sandbox import Limits

LOAD = """
import socket, sys, cntk
try:
    cntk.load_model(sys.argv[1])
except Exception as error:
    print("not loaded:", type(error).__name__)
for what, step in [("reached", lambda: socket.create_connection(("127.0.0.1", 9), 1))]:
    try:
        step()
    except PermissionError:
        print("no network")
"""


@pytest.mark.parametrize("walls", ["bubblewrap", "namespaces", "landlock"])
def test_it_is_contained(tmp_path: Path, chosen_environment: dict[str, Any], walls: str) -> None:
    if not sandbox.works(walls):
        pytest.skip(f"this machine does not allow {walls}")
    scratch, marker, crafted = tmp_path / "scratch", tmp_path / "MARKER", tmp_path / "crafted.model"
    scratch.mkdir()
    inside = scratch / "MARKER"
    craft = [
        {"do": "craft", "path": str(crafted), "marker": str(marker)},
        {"do": "craft", "path": str(tmp_path / "inside.model"), "marker": str(inside)},
    ]
    ask_cntk(chosen_environment, *craft, {"do": "load", "path": str(crafted)})
    assert marker.exists(), "the file does not do what it was made for"
    marker.unlink()
    python = Path(chosen_environment["python"])
    readable = [python.parents[1], python.resolve().parents[1], ROOT / "trainer"]
    readable += map(Path, [*chosen_environment["library_path"], *chosen_environment["python_path"]])
    environment = program_environment(chosen_environment, 1) | {"PATH": "/usr/bin:/bin"}
    limits = Limits(memory_bytes=8 << 30, seconds=60, disk_bytes=1 << 26)
    for model in (crafted, tmp_path / "inside.model"):
        command = [str(python), "-W", "ignore", "-c", LOAD, str(model)]
        ending = sandbox.run(command, scratch, [*readable, model], environment, limits, walls=walls)
        assert ending.returncode == 0, ending
        assert "not loaded" in ending.stderr
        assert "no network" in ending.stderr
    assert inside.exists(), "its code does run in the sandbox"
    assert not marker.exists()
