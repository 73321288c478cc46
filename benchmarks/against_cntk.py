"""Training by the service's trainer against the loop that a user of CNTK writes after its guide.

``python -m benchmarks.against_cntk [--rounds 5] [--threads 1] [--steps N] [CASE…]``: a case is ``mlp-64`` and
so on. Each round runs both sides, every one in a process of its own; ours is a whole job with its callbacks.
The ratio is CNTK's CPU time a step over ours (above 1: we are faster), as a median over the rounds, that of
the clock beside it; A/A is the hand-written loop against itself in the round before. That both learn the same
is seen from the mean of the last losses.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.against_pytorch import HERE, Bench, Figures, printed
from benchmarks.overhead import spread
from benchmarks.pytorch.networks import CASES
from jobs.settings import Settings
from tests.trainer_runs import Workshop
from trainer.files import read_json

FLOOR, NEVER_BELOW = 2.0, 0.99
LAST = 10


class ByHand(Bench):
    """One case, with CNTK alone on the other side."""

    def there(self, *variant: str) -> Figures:
        found = self.workshop.environment
        words = [self.case.network, self.folder, self.case.minibatch, self.threads]
        # Nothing but where CNTK's files are: all else is as its wheel has it.
        environment = {
            "PYTHONPATH": os.pathsep.join(found["python_path"]),
            "LD_LIBRARY_PATH": os.pathsep.join(found["library_path"]),
            "OMP_NUM_THREADS": str(self.threads),
            "OMP_THREAD_LIMIT": str(self.threads),
        }
        figures = printed([found["python"], HERE / "in_cntk.py", *words], environment)
        return Figures(figures["cpu"], figures["wall"], np.array(figures["losses"]))

    def compare(self, rounds: int) -> None:
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(self.here())
            theirs.append(self.there())
        ended = [np.mean([one.losses[-LAST:].mean() for one in side]) for side in (ours, theirs)]
        cpu = [hand.cpu / service.cpu for service, hand in zip(ours, theirs, strict=True)]
        wall = [hand.wall / service.wall for service, hand in zip(ours, theirs, strict=True)]
        noise = [a.cpu / b.cpu for a, b in itertools.pairwise(theirs)]
        print(
            f"{self.case.name:15} ratio {spread(cpu)} of CPU, {spread(wall)} of the clock; to reach {FLOOR} "
            f"where the processor allows, never below {NEVER_BELOW}; A/A {spread(noise) if noise else '-'}; "
            f"last losses {ended[0]:.4g} and {ended[1]:.4g}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help="such as mlp-64 (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="of each run, where the machine has little time")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    environment = read_json(Settings().trainer_env / "trainer.json")
    for case in CASES:
        if arguments.cases and case.name not in arguments.cases:
            continue
        sized = replace(case, steps=arguments.steps) if arguments.steps else case
        with tempfile.TemporaryDirectory(prefix="by-hand-") as home:
            workshop = Workshop(Path(home), environment)
            ByHand(workshop, sized, arguments.threads, kernels=True).compare(arguments.rounds)


if __name__ == "__main__":
    main()
