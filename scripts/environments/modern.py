"""The environment of the API, the workers, the client and the tests: .venv."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tomllib
from pathlib import Path

from environments import stamp
from environments.steps import announce, pip, run

_LOCK = "requirements/dev.txt"


def make(root: Path) -> Path:
    """Bring ``root``/.venv up to its lock; the answer is its Python."""
    environment = root / ".venv"
    python = environment / "bin" / "python"
    base = os.path.realpath(sys.executable)
    project = tomllib.loads((root / "pyproject.toml").read_text())
    installed = json.dumps([project["project"], project["tool"]["setuptools"]])
    words = (str(environment), base, sys.version, installed)
    wanted = stamp.digest(*words, files=[root / _LOCK, Path(__file__)])
    known = stamp.recorded(environment)
    if python.exists() and known.get("stamp") == wanted:
        return python

    announce(f"installing what {_LOCK} pins into {environment.name}")
    uv = shutil.which("uv")
    doing = f"install the packages of {_LOCK}"
    if environment.exists() and known.get("python") != base:
        shutil.rmtree(environment)
    if uv:
        run(
            [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, environment],
            doing=f"make {environment}",
        )
        install: list[str | Path] = [uv, "pip", "install", "--python", python]
    else:
        run([sys.executable, "-m", "venv", environment], doing=f"make {environment}")
        install = [*pip(python), "install"]
    run([*install, "--require-hashes", "--no-deps", "-r", root / _LOCK], doing=doing)
    run(
        [*install, "--no-deps", "--no-build-isolation", "--editable", root],
        doing=f"install the command cntk-jobs into {environment}",
    )
    stamp.record(environment, stamp=wanted, python=base)
    return python
