"""What a program in the sandbox can and cannot do, for each kind of walls that this machine allows."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from worker import sandbox
from worker.sandbox import Ending, Limits

LIMITS = Limits(memory_bytes=4 << 30, seconds=30, disk_bytes=8 << 20)
PYTHON = [Path(sys.base_prefix), Path(sys.prefix)]


@pytest.fixture(params=["bubblewrap", "namespaces", "landlock"])
def walls(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    if not sandbox.works(kind):
        pytest.skip(f"this machine does not allow {kind}")
    return kind


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def run(walls: str, scratch: Path, program: str, *given: str, limits: Limits = LIMITS) -> Ending:
    command = [sys.executable, "-I", "-c", program, *given]
    return sandbox.run(command, scratch, PYTHON, {"PATH": os.defpath}, limits, walls=walls)


def test_there_is_a_sandbox_here() -> None:
    assert sandbox.strongest() is not None


def test_only_the_scratch_folder_can_be_written_to(walls: str, scratch: Path, tmp_path: Path) -> None:
    program = """
import sys
open("inside", "w").write("x")
for path in sys.argv[1:]:
    try:
        open(path, "w")
    except OSError:
        continue
    print("wrote", path)
"""
    outside = [str(tmp_path / "outside"), "/tmp/outside-of-the-sandbox", str(Path.home() / "outside")]
    ending = run(walls, scratch, program, *outside)
    assert (ending.returncode, ending.trouble, ending.stderr) == (0, None, "")
    assert ending.sandbox == f"{walls}+seccomp+no_new_privs+rlimits"
    assert [path.name for path in scratch.iterdir()] == ["inside"]
    assert not any(os.path.lexists(path) for path in outside)


def test_what_is_not_shown_cannot_be_read(walls: str, scratch: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    program = "import sys; print(open(sys.argv[1]).read())"
    ending = run(walls, scratch, program, str(tmp_path / "secret"))
    assert ending.returncode == 1
    assert "PermissionError" in ending.stderr or "FileNotFoundError" in ending.stderr


def test_nobody_can_be_reached(walls: str, scratch: Path) -> None:
    program = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5); print('in')"
    with socket.create_server(("127.0.0.1", 0)) as server:
        ending = run(walls, scratch, program, str(server.getsockname()[1]))
    assert ending.returncode == 1
    assert "PermissionError" in ending.stderr


def test_other_processes_are_left_alone(walls: str, scratch: Path) -> None:
    ending = run(walls, scratch, f"import os; os.kill({os.getpid()}, 0)")
    assert ending.returncode == 1
    assert "PermissionError" in ending.stderr


def test_no_rights_can_be_gained_and_nothing_is_inherited(
    walls: str, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "secret")
    program = """
import os
print(sorted(set(os.environ) - {"LC_CTYPE"}), sorted(os.listdir("/proc/self/fd"))[:4])
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("NoNewPrivs")])
"""
    ending = run(walls, scratch, program)
    assert ending.stderr.splitlines() == ["['PATH'] ['0', '1', '2', '3']", "['1']"]


@pytest.mark.parametrize(
    ("program", "limits", "says"),
    [
        ("while True: pass", Limits(4 << 30, 1, 1 << 20), "more than 1 s|SIGXCPU|SIGKILL"),
        ("b'x' * (3 << 30)", Limits(1 << 30, 30, 1 << 20), "MemoryError"),
        ("open('big', 'wb').write(b'x' * (2 << 20))", Limits(4 << 30, 30, 1 << 20), "SIGXFSZ|File too large"),
        (
            "import time\nfor n in range(40): open(str(n), 'wb').write(b'x' * (1 << 19)); time.sleep(0.1)",
            Limits(4 << 30, 30, 2 << 20),
            "wrote more than",
        ),
        ("import os; os.abort()", LIMITS, "SIGABRT"),
    ],
    ids=["time", "memory", "one file", "many files", "crash"],
)
def test_limits_end_it(walls: str, scratch: Path, program: str, limits: Limits, says: str) -> None:
    ending = run(walls, scratch, program, limits=limits)
    assert ending.returncode != 0
    assert any(word in f"{ending.trouble} {ending.stderr}" for word in says.split("|")), ending


def test_nothing_stays_behind(walls: str, scratch: Path) -> None:
    program = """
import os, time
if os.fork() == 0:
    while True:
        open("alive", "w").write(str(time.time()))
        time.sleep(0.01)
time.sleep(0.5)
"""
    run(walls, scratch, program)
    before = (scratch / "alive").read_text()
    assert run(walls, scratch, "import time; time.sleep(0.3)").returncode == 0
    assert (scratch / "alive").read_text() == before


def test_it_ends_when_it_is_told_to(walls: str, scratch: Path) -> None:
    command = [sys.executable, "-I", "-c", "import time; time.sleep(60)"]
    ending = sandbox.run(command, scratch, PYTHON, {}, LIMITS, going_on=lambda: False, walls=walls)
    assert ending.trouble == "it was stopped"
