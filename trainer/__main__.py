"""``python -m trainer RUN_DIRECTORY --attempt N --dataset DATASET_DIRECTORY``."""

import argparse
import sys
from pathlib import Path

from trainer.layout import DatasetDirectory, RunDirectory


def main():
    parser = argparse.ArgumentParser(prog="trainer", description="Run one attempt of a training job.")
    parser.add_argument("run", type=Path, help="run directory of the job")
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--dataset", type=Path, required=True, help="folder of the data set")
    arguments = parser.parse_args()
    # Imported late, so that --help needs no CNTK.
    from trainer.engine import C

    if C is None:
        sys.exit("this interpreter has no CNTK: " + sys.executable)
    from trainer.run import run

    C.logging.set_trace_level(C.logging.TraceLevel.Error)
    return run(RunDirectory(arguments.run), arguments.attempt, DatasetDirectory(arguments.dataset))


if __name__ == "__main__":
    sys.exit(main())
