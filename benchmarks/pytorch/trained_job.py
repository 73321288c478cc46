"""One job of the trainer, timed. Runs on the trainer's interpreter, in a run directory like any other.

``trained_job.py RUN DATASET PARAMETERS``: what ``python -m trainer`` does. The first parameters go to
PARAMETERS (.npz); printed are, as one JSON line, seconds of this process' CPU and of the clock a step.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from trainer import run
from trainer.layout import DatasetDirectory, RunDirectory

WARM = 10
"""Steps before the clock starts."""
train = run.train


class Clock:
    """The last of the callbacks."""

    def __init__(self):
        self.times = []

    def minibatch(self, state, loss):
        if state.step >= WARM:
            self.times.append((time.process_time(), time.perf_counter()))

    def epoch(self, state):
        pass


def main(folder, dataset, parameters):
    clock = Clock()

    def timed(model, order, state, budget, callbacks):
        found = {name: parameter.value for name, parameter in model.network.parameters.items()}
        np.savez(parameters, **found)
        train(model, order, state, budget, [*callbacks, clock])

    run.train = timed
    status = run.run(RunDirectory(Path(folder)), 1, DatasetDirectory(Path(dataset)))
    steps = len(clock.times) - 1
    cpu, wall = ((clock.times[-1][k] - clock.times[0][k]) / steps for k in (0, 1))
    sys.stdout.write(json.dumps({"cpu": cpu, "wall": wall}) + "\n")
    return status


sys.exit(main(*sys.argv[1:]))
