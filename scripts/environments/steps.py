"""Running the commands that make an environment, and telling in one line what failed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class SetupError(Exception):
    """The message says what could not be done and, where there is one, the cure."""


def announce(text: str) -> None:
    """Tell who waits what takes the time."""
    print(f"scripts/setup: {text} ...", file=sys.stderr, flush=True)


def run(command: Sequence[str | Path], *, doing: str, environment: Mapping[str, str] | None = None) -> str:
    """The standard output of ``command``; SetupError "could not <doing>: <why>" where it fails."""
    # PYTHONPATH led the running interpreter here and means nothing to another one.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        finished = subprocess.run(
            [str(word) for word in command],
            env={**inherited, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise SetupError(f"could not {doing}: {error}") from None
    if finished.returncode:
        raise SetupError(f"could not {doing}: {why(finished)}")
    return finished.stdout


def pip(python: Path) -> list[str | Path]:
    """The start of a pip command of ``python``'s environment."""
    return [python, "-m", "pip", "--disable-pip-version-check"]


def why(finished: subprocess.CompletedProcess[str]) -> str:
    """The line of a failed command's output that tells most: its last error, else its last line."""
    lines = [line.strip() for line in (finished.stdout + finished.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "cause:")) or "Error:" in line]
    errors = errors or [line for line in lines if line.endswith("not found")]
    if finished.returncode < 0 and not errors:
        return f"killed by signal {-finished.returncode}" + (f" after {lines[-1]!r}" if lines else "")
    telling = (errors or lines or [f"exit status {finished.returncode}"])[-1]
    if "No matching distribution found" in telling and any("onnection" in line for line in lines):
        telling = "the package index cannot be reached"
    return telling if len(telling) <= 300 else telling[:300] + " ..."
