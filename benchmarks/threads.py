"""A training step with two threads against the same with one, and what the service would choose.

``python -m benchmarks.threads [--rounds 5] [--threads 2] [--steps N] [CASE…]``: a case is ``mlp-256``, one of
benchmarks/pytorch's networks and a size of minibatch. Each round runs both in turn, every run a whole job in
a process of its own. The ratio is the clock's time a step with one thread over that with more (above 1: they
gain), that of CPU the same of processor time, as medians over the rounds; A/A is that of one thread over the
round before. Clocks say something on a machine that does nothing else.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from benchmarks.against_pytorch import Bench, Figures
from benchmarks.asked import parser
from benchmarks.pytorch.networks import CASES, Case, spec
from benchmarks.trainings import workshop
from jobs.specs.normalise import normalise
from tests.trainer_runs import Workshop

STEPS_OF_ROWS = 20_000
"""How many rows a run trains where nobody says how many steps."""
USUAL = (
    *("mlp-64", "mlp-128", "mlp-256", "mlp-512", "conv-32", "conv-64", "conv-128", "conv-256", "resnet-32"),
    *("autoencoder-64", "autoencoder-256", "regions-16", "lstm-64", "towers-512", "tiny-32"),
)


def case_of(name: str, steps: int | None) -> Case:
    network, _, minibatch = name.partition("-")
    known = next((case for case in CASES if case.network == network), None)
    if known is None or not minibatch.isdecimal():
        raise SystemExit(f"{name!r} is no case; such are: {', '.join(USUAL)}")
    usual = max(20, min(300, STEPS_OF_ROWS // int(minibatch)))
    return replace(known, minibatch=int(minibatch), steps=steps or usual)


def chosen(workshop: Workshop, document: dict[str, Any]) -> int:
    """The number of threads that the service would choose with as many cores as anybody wants."""
    document = document | {"training": document["training"] | {"threads": "auto"}}
    settings = workshop.settings.model_copy(update={"threads": "auto"})
    found = normalise(document, workshop.volume, settings, allowance=lambda requires: 256)
    return int(found.document["training"]["threads"])


def compare(case: Case, threads: int, rounds: int) -> None:
    with workshop() as own:
        bench = Bench(own, case, 1, kernels=True)
        runs: dict[int, list[Figures]] = {1: [], threads: []}
        for _ in range(rounds):
            for bench.threads, found in runs.items():
                found.append(bench.here())
        wall, cpu = ({n: [getattr(one, unit) for one in runs[n]] for n in runs} for unit in ("wall", "cpu"))
        ratios = [median(np.divide(found[1], found[threads])) for found in (wall, cpu)]
        noise = [a / b for a, b in itertools.pairwise(wall[1])]
        print(
            f"{case.name:16} {1000 * median(wall[1]):8.2f} ms, with {threads} threads "
            f"{1000 * median(wall[threads]):8.2f}; ratio {ratios[0]:.2f}, of CPU {ratios[1]:.2f}; "
            f"A/A {min(noise, default=1):.2f} to {max(noise, default=1):.2f}; "
            f"chosen {chosen(own, spec(case, bench.dataset, 1))}",
            flush=True,
        )


def main() -> None:
    asking = parser(__doc__)
    asking.add_argument("cases", nargs="*", metavar="CASE", default=USUAL)
    asking.add_argument("--rounds", type=int, default=5)
    asking.add_argument("--threads", type=int, default=2, help="to compare one with")
    asking.add_argument("--steps", type=int, help="of each run")
    arguments = asking.parse_args()
    cases = [case_of(name, arguments.steps) for name in arguments.cases]
    for case in cases:
        compare(case, arguments.threads, arguments.rounds)


if __name__ == "__main__":
    main()
