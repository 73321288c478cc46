"""Finding a CPython that can run CNTK 2.7.

CNTK was built for CPython 3.6. Its extension also loads and trains on later ones, with a
small shim, until 3.12 crashes. On 3.8 it passes as many of CNTK's own tests as on 3.6; on
3.11, which numpy 1.19 does not reach, fourteen fewer, so that comes last. A name on the
PATH proves nothing (a pyenv shim may refuse to run): every candidate is tried before it
is chosen.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from environments.steps import SetupError, announce, run, why

SUPPORTED = ("3.6", "3.8", "3.11")
"""Versions that CNTK runs on, the preferred one first."""
_DOWNLOADED = "3.8"
"""The oldest that uv offers; it is fetched before the last resort is taken."""

_PROBE = """
import json, platform, struct, sys
try:
    import ensurepip, venv
    can_make_venv = True
except ImportError:
    can_make_venv = False
with open("/proc/self/maps") as maps:
    shared = "/libpython" in maps.read()
print(json.dumps({"path": sys.executable, "version": platform.python_version(),
    "implementation": platform.python_implementation(), "bits": 8 * struct.calcsize("P"),
    "venv": can_make_venv, "shared": shared}))
"""

_CURES = """\
Any one of these helps:
  pyenv install 3.6.15                   then scripts/setup
  uv python install 3.8                  then scripts/setup
  apt-get install python3.11-venv        then scripts/setup (on Debian 12)
  conda create -n cntk python=3.6        then CNTK_PYTHON=<its bin/python> scripts/setup"""


@dataclass(frozen=True)
class Interpreter:
    """One that ran when tried. ``version`` is complete, e.g. "3.6.15"."""

    path: Path
    version: str
    shared: bool
    """Whether it runs out of a shared libpython rather than being linked with it."""

    @property
    def series(self) -> str:
        return self.version.rpartition(".")[0]


class Unusable(Exception):
    """Why a candidate cannot serve."""


def probe(candidate: Path, series: Sequence[str] = SUPPORTED) -> Interpreter:
    """Run ``candidate`` and return what it is; Unusable where it cannot serve as one of ``series``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        finished = subprocess.run(
            [str(candidate), "-c", _PROBE],
            env=inherited,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
        if finished.returncode:
            raise Unusable(f"does not run: {why(finished)}")
        found = json.loads(finished.stdout)
    except FileNotFoundError:
        raise Unusable("there is no such file") from None
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise Unusable(f"does not run: {error}") from None
    interpreter = Interpreter(Path(found["path"]), found["version"], found["shared"])
    if found["implementation"] != "CPython" or found["bits"] != 64 or interpreter.series not in series:
        raise Unusable(
            f"is a {found['bits']}-bit {found['implementation']} {found['version']}, "
            f"and CNTK 2.7 needs 64-bit CPython {', '.join(series)}"
        )
    if not found["venv"]:
        raise Unusable("lacks the modules venv and ensurepip (Debian keeps them in python3.x-venv)")
    return interpreter


def candidates(series: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """Where a CPython of ``series`` may be: each folder of the PATH, then pyenv's and uv's own."""
    for folder in environ.get("PATH", "").split(os.pathsep):
        path = Path(folder) / f"python{series}"
        if folder and path.exists():
            yield path
    home = Path(environ.get("HOME", "/"))
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    uv = Path(environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    yield from sorted(pyenv.glob(f"{series}.*/bin/python"), reverse=True)
    yield from sorted(uv.glob(f"cpython-{series}.*/bin/python{series}"), reverse=True)


def search(series: str, environ: Mapping[str, str], tried: list[str]) -> Interpreter | None:
    """The first CPython of ``series`` on the machine that serves; ``tried`` gains a line for each refusal."""
    refusals = []
    for path in candidates(series, environ):
        try:
            return probe(path, (series,))
        except Unusable as reason:
            refusals.append(f"{path}: {reason}")
    tried += refusals or [f"python{series}: neither on the PATH nor under pyenv or uv"]
    return None


def choose(
    environ: Mapping[str, str], *, uv: Path | None, made_with: Path | None = None, wanted: str | None = None
) -> Interpreter:
    """The interpreter for the trainer.

    ``$CNTK_PYTHON`` where it is set; the one that the environment was ``made_with``; a
    CPython 3.6 on the machine; a 3.8 there; a 3.8 that ``uv`` downloads; a 3.11 there.
    ``wanted`` (one of SUPPORTED) narrows the choice. SetupError names everything that was tried.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise SetupError(
            f"CNTK 2.7 exists for Linux on x86-64; this is {sys.platform} on {platform.machine()}"
        )
    if named := environ.get("CNTK_PYTHON"):
        try:
            return probe(Path(shutil.which(named, path=environ.get("PATH")) or named))
        except Unusable as reason:
            raise SetupError(f"CNTK_PYTHON={named}: {reason}") from None
    series = (wanted,) if wanted else SUPPORTED
    if made_with:
        try:
            return probe(made_with, series)
        except Unusable:
            pass  # The interpreter was removed or another is wanted: choose afresh.
    tried = ["CNTK_PYTHON: not set"]
    for version in series:
        if interpreter := search(version, environ, tried):
            return interpreter
        if version == _DOWNLOADED and uv:
            try:
                return _download(uv)
            except (SetupError, Unusable) as reason:
                tried.append(f"uv python install {version}: {reason}")
    listed = "".join(f"\n  {line}" for line in tried)
    raise SetupError(f"no Python interpreter that can run CNTK 2.7 was found. Tried:{listed}\n{_CURES}")


def _download(uv: Path) -> Interpreter:
    announce(f"downloading CPython {_DOWNLOADED} with uv")
    run([uv, "python", "install", _DOWNLOADED], doing="download it")
    path = run([uv, "python", "find", "--managed-python", _DOWNLOADED], doing="find it")
    return probe(Path(path.strip()), (_DOWNLOADED,))
