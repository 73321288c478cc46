"""Trainings in processes of their own, with no service around them."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.settings import Settings
from tests.trainer_runs import Workshop
from worker.launch import trainer_environment

HERE = Path(__file__).parent / "pytorch"


@contextmanager
def workshop() -> Iterator[Workshop]:
    """A volume of its own, beside the trainer that set-up made."""
    with tempfile.TemporaryDirectory(prefix="training-") as home:
        yield Workshop(Path(home), trainer_environment(Settings()))


def printed(command: list[Any], environment: dict[str, str]) -> dict[str, Any]:
    """What a command prints as JSON in its last line."""
    finished = subprocess.run(
        [str(word) for word in command],
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if finished.returncode:
        raise SystemExit(finished.stderr[-2000:])
    return dict(json.loads(finished.stdout.splitlines()[-1]))
