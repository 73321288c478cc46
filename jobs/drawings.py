"""The pictures among an ended job's artifacts, which are drawn when they are first asked for.

To draw one takes longer than many a training, and most are never looked at.
"""

from __future__ import annotations

import fcntl
import json
import logging
import subprocess
import sys
from pathlib import Path

from jobs.record import Record
from trainer.layout import RunDirectory

_ROOT = Path(__file__).resolve().parents[1]
_PATIENCE_SECONDS = 120

log = logging.getLogger(__name__)


def draw(run: RunDirectory, record: Record) -> None:
    """Have the pictures of a job that has ended among its artifacts; those of one that has not come later.

    A process of its own draws them, once after each attempt; who asks meanwhile waits. That they cannot be
    drawn is no failure: the other artifacts are there, and the next one who asks has them drawn.
    """
    if not record.ended or not run.path.is_dir() or _drawn(run) == record.attempt:
        return
    try:
        with run.drawn.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _drawn(run) != record.attempt:
                asked = [str(run.path), record.kind.value, record.name or record.id]
                subprocess.run(
                    [sys.executable, "-m", "worker.drawing.gallery", *asked],
                    cwd=_ROOT,
                    stdin=subprocess.DEVNULL,
                    timeout=_PATIENCE_SECONDS,
                    check=True,
                )
                lock.truncate(0)
                lock.write(json.dumps({"attempt": record.attempt}) + "\n")
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("the pictures of %s could not be drawn: %s", record.id, error)


def _drawn(run: RunDirectory) -> int | None:
    """After which attempt pictures were drawn last."""
    try:
        return int(json.loads(run.drawn.read_text(encoding="utf-8"))["attempt"])
    except (FileNotFoundError, ValueError):
        return None
