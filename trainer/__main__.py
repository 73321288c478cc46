"""``python -m trainer RUN_DIRECTORY --attempt N --dataset DATASET_DIRECTORY``."""

import argparse
import io
import sys
from pathlib import Path

from trainer.layout import DatasetDirectory, RunDirectory


def main():
    parser = argparse.ArgumentParser(prog="trainer", description="Run one attempt of a training job.")
    parser.add_argument("run", help="run directory of the job")
    parser.add_argument("--attempt", required=True)
    parser.add_argument("--dataset", required=True, help="folder of the data set")
    arguments = parser.parse_args()
    return load()(arguments.run, arguments.attempt, arguments.dataset)


def load():
    """What runs an attempt: a function of run directory, number and folder of the data set, all as text.

    Everything is imported here, so that --help needs no CNTK and a server of forks has it before it forks.
    """
    from trainer.engine import C

    if C is None:
        sys.exit("this interpreter has no CNTK: " + sys.executable)
    from trainer.run import run

    read_an_array()

    def train(folder, attempt, dataset):
        C.logging.set_trace_level(C.logging.TraceLevel.Error)
        return run(RunDirectory(Path(folder)), int(attempt), DatasetDirectory(Path(dataset)))

    return train


def read_an_array():
    """Numpy compiles what it reads arrays' headers with at the first one: once for all forks of a server."""
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, np.zeros(1, dtype=np.float32))
    stream.seek(0)
    np.load(stream)


if __name__ == "__main__":
    sys.exit(main())
