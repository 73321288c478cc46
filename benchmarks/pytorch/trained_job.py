"""One job of the trainer, timed. Runs on the trainer's interpreter, in a run directory like any other.

``trained_job.py RUN DATASET PARAMETERS [STEPS [MEMORY]]``: what ``python -m trainer`` does, for so many steps
at most, as if the machine had so many bytes of memory.
The first parameters go to PARAMETERS (.npz). Printed are as one JSON line seconds of this process' CPU and of
the clock a step, CPU seconds from its start to the first minibatch, its largest resident size in bytes, and
what it held without pages of files behind the last step.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from trainer import paging, run
from trainer.layout import DatasetDirectory, RunDirectory

WARM = 10
"""Steps before the clock starts."""
train = run.train


class Clock:
    """The last of the callbacks."""

    def __init__(self, steps):
        self.steps = steps
        self.times = []
        self.first = None
        self.held = None

    def minibatch(self, state, loss):
        if self.first is None:
            self.first = time.process_time()
        if state.step >= WARM:
            self.times.append((time.process_time(), time.perf_counter()))
        if state.step != self.steps:
            return False
        self.held = held()
        return True

    def epoch(self, state):
        self.held = held()


def held():
    """Bytes that this process holds, without pages of files."""
    _, resident, of_files = Path("/proc/self/statm").read_text().split()[:3]
    return (int(resident) - int(of_files)) * resource.getpagesize()


def largest():
    """The most bytes that this process has had resident; its rusage counts what it was forked from."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main(folder, dataset, parameters, steps=None, memory=None):
    if memory is not None:
        paging.memory = lambda: int(memory)
    clock = Clock(steps and int(steps))

    def timed(model, order, state, budget, callbacks):
        found = {name: parameter.value for name, parameter in model.network.parameters.items()}
        np.savez(parameters, **found)
        train(model, order, state, budget, [*callbacks, clock])

    run.train = timed
    status = run.run(RunDirectory(Path(folder)), 1, DatasetDirectory(Path(dataset)))
    steps = len(clock.times) - 1
    cpu, wall = ((clock.times[-1][k] - clock.times[0][k]) / steps for k in (0, 1))
    answer = {"cpu": cpu, "wall": wall, "first": clock.first, "resident": largest(), "held": clock.held}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0 if steps and status == run.STOPPED else status


sys.exit(main(*sys.argv[1:]))
