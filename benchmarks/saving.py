"""Training paused for a checkpoint: saved by a copy of the trainer, against saved on the spot.

``python -m benchmarks.saving [--rounds N]``: 10 million parameters with Adam, 120 MB a checkpoint; both ways
in turns in one process, medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from pathlib import Path

from jobs.settings import Settings
from worker.launch import program_environment, trainer_environment

MOST = 20
"""Milliseconds that training may be paused."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Training paused for a checkpoint.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    trainer = trainer_environment(Settings())
    answer = subprocess.run(
        [trainer["python"], str(Path(__file__).with_name("pauses.py")), str(asked.rounds)],
        env={"PATH": os.defpath, **program_environment(trainer, asked.threads)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(answer.stdout)
    for place, of in enumerate(("the clock", "the training process' CPU")):
        seconds = {name: [one[place] for one in times] for name, times in found.items()}
        median = {name: statistics.median(times) for name, times in seconds.items()}
        copied = [1000 * time for time in seconds["by_a_copy"]]
        print(f"of {of}:")
        print(f"  paused, saved on the spot   {1000 * median['on_the_spot']:8.1f} ms")
        print(
            f"  paused, saved by a copy     {1000 * median['by_a_copy']:8.1f} ms, to reach {MOST} "
            f"({min(copied):.1f} to {max(copied):.1f})"
        )
        print(f"  the 20 minibatches after it {1000 * median['after']:+8.1f} ms")


if __name__ == "__main__":
    main()
