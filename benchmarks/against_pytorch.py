"""Training by the service's trainer against eager PyTorch: same weights, data, order and thread count.

``python -m benchmarks.against_pytorch [--rounds 5] [--threads 1] [--steps N] [--without-kernels] [CASE…]``:
a case is ``mlp-64`` and so on. Each round runs both sides, every one in a process of its own; ours is a whole
job with its callbacks. The ratio is PyTorch's CPU time a step over ours (above 1: we are faster), as a median
over the rounds; A/A is that of each of our runs over the one before it. That both compute the same is seen
from the losses, whose largest difference over the first ten steps is shown. Sequences are given to PyTorch
packed and padded; ``fused`` is Adam in one kernel, which PyTorch's users have to ask for.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.asked import chosen, parser_of_trainings, spread
from benchmarks.pytorch.networks import CASES, Case, data, spec
from benchmarks.trainings import HERE, printed, workshop
from tests.trainer_runs import Workshop, losses
from trainer.layout import RunDirectory
from worker.launch import ROOT, program_environment

PYTHON = ROOT / ".venv-peers" / "bin" / "python"


@dataclass(frozen=True)
class Figures:
    """Seconds a step, and the losses."""

    cpu: float
    wall: float
    losses: np.ndarray


class Bench:
    """One case on both sides."""

    def __init__(self, workshop: Workshop, case: Case, threads: int, kernels: bool) -> None:
        self.workshop, self.case, self.threads, self.kernels = workshop, case, threads, kernels
        rows = case.minibatch * case.steps
        self.dataset = workshop.dataset(case.name.replace("-", ""), data(case), {"train": np.arange(rows)})
        self.folder = workshop.volume.dataset(self.dataset).path
        self.parameters = workshop.settings.home / f"{case.name}.npz"
        self.runs = 0

    def here(self) -> Figures:
        self.runs += 1
        run: RunDirectory = self.workshop.job(
            f"{self.case.name}-{self.runs}", spec(self.case, self.dataset, self.threads)
        )
        run.attempt(1).path.mkdir(parents=True)
        environment = program_environment(self.workshop.environment, self.threads)
        if not self.kernels:
            environment["CNTK_JOBS_KERNELS"] = "0"
        python = self.workshop.environment["python"]
        found = printed(
            [python, HERE / "trained_job.py", run.path, self.folder, self.parameters], environment
        )
        return Figures(found["cpu"], found["wall"], losses(run))

    def there(self, *variant: str) -> Figures:
        words = [self.case.network, self.folder, self.parameters, self.case.minibatch, self.threads]
        environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(self.threads)}
        found = printed([PYTHON, HERE / "in_pytorch.py", *words, *variant], environment)
        return Figures(found["cpu"], found["wall"], np.array(found["losses"]))

    def compare(self, rounds: int) -> None:
        variants = {"lengths": ["padded"], "mlp": ["fused"], "tiny": ["fused"]}.get(self.case.network, [])
        ours: list[Figures] = []
        theirs: dict[str, list[Figures]] = {name: [] for name in ["", *variants]}
        for _ in range(rounds):
            ours.append(self.here())
            for variant, found in theirs.items():
                found.append(self.there(*filter(None, [variant])))
        apart = np.abs(ours[0].losses[:10] - theirs[""][0].losses[:10]).max()
        cpu, wall = ([1000 * getattr(one, unit) for one in ours] for unit in ("cpu", "wall"))
        noise = [a / b for a, b in itertools.pairwise(cpu)]
        print(
            f"{self.case.name:15} {median(cpu):8.3f} ms of CPU a step ({median(wall):.3f} of the clock); "
            f"losses within {apart:.0e}; A/A {spread(noise)}"
        )
        for variant, found in theirs.items():
            ratios = [t.cpu * 1000 / o for t, o in zip(found, cpu, strict=True)]
            told = f"{median(1000 * t.cpu for t in found):8.3f} ms {variant}"
            print(f"{'':9}PyTorch {told:20} ratio {spread(ratios)}, to reach {self.case.floor}", flush=True)


def main() -> None:
    parser = parser_of_trainings(__doc__)
    parser.add_argument("--without-kernels", action="store_true", help="with CNTK's own kernels alone")
    asked = parser.parse_args()
    for case in chosen(CASES, asked):
        with workshop() as own:
            Bench(own, case, asked.threads, not asked.without_kernels).compare(asked.rounds)


if __name__ == "__main__":
    main()
