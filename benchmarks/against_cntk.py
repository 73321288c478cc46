"""Training by the service's trainer against the loop that a user of CNTK writes after its guide.

``python -m benchmarks.against_cntk [--rounds 5] [--threads 1] [--steps N] [CASE…]``: a case is ``mlp-64`` and
so on. Each round runs both sides, every one in a process of its own; ours is a whole job with its callbacks.
The ratio is CNTK's CPU time a step over ours (above 1: we are faster), as a median over the rounds, that of
the clock beside it; A/A is the hand-written loop against itself in the round before. That both learn the same
is seen from the mean of the last losses.
"""

from __future__ import annotations

import itertools
import os

import numpy as np

from benchmarks.against_pytorch import Bench, Figures
from benchmarks.asked import chosen, parser_of_trainings, spread
from benchmarks.pytorch.networks import CASES
from benchmarks.trainings import HERE, printed, workshop

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
            f"where the processor allows, never below {NEVER_BELOW}; A/A {spread(noise)}; "
            f"last losses {ended[0]:.4g} and {ended[1]:.4g}",
            flush=True,
        )


def main() -> None:
    asked = parser_of_trainings(__doc__).parse_args()
    for case in chosen(CASES, asked):
        with workshop() as own:
            ByHand(own, case, asked.threads, kernels=True).compare(asked.rounds)


if __name__ == "__main__":
    main()
