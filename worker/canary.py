"""Has the trainer's interpreter find out, beside the work, which code its library may run on this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable

from trainer import machine
from worker.fork_servers import Program
from worker.processes import die_with_parent


def send(program: Program, threads: Iterable[int]) -> subprocess.Popen[bytes] | None:
    """Start ``trainer.canary`` where this processor leaves a choice: its verdicts serve the jobs after it.

    It tries one number of threads after the other and ends by itself, within minutes, and at once where there
    are verdicts already. The answer is the process, None where there is nothing to find out.
    """
    if not machine.in_question(machine.processor()):
        return None
    parent = os.getpid()
    return subprocess.Popen(
        [program.python, "-m", "trainer.canary", "--threads", *map(str, threads)],
        env=program.environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: die_with_parent(parent),
    )
