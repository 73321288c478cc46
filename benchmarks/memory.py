"""What a training holds in memory, against what its model cannot do without.

``python -m benchmarks.memory [CASE…]``: a case is ``mlp-64`` and so on; ``wide-64`` has 10M parameters.
Needed are parameters, their gradients, the learner's state and one minibatch; held is what the trainer's
process has behind its last step, beyond one that has only imported CNTK; pages of files count for neither.
Beside it stand what a process holds at its peak that trains, saves and reports, and what validation estimates
for that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.asked import chosen, parser_of_cases
from benchmarks.pytorch import networks
from benchmarks.pytorch.networks import CASES, Case, data, dense, spec
from benchmarks.trainings import HERE, printed, workshop
from jobs.settings import Settings
from jobs.specs.normalise import normalise
from tests.trainer_runs import Sequences, Sparse, Workshop
from trainer.parts import learners
from worker.launch import program_environment, trainer_environment

STEPS = 40
WIDE = Case("wide", 64, STEPS, 0.0)
networks.NETWORKS["wide"] = [
    dense("h1", 3000, "x", "relu"),
    dense("h2", 3000, "h1", "relu"),
    dense("scores", 10, "h2"),
]
networks.DATA["wide"] = networks.digits((300,))
IDLE = """
import json, os
from trainer.__main__ import load
load()
_, resident, of_files = open("/proc/self/statm").read().split()[:3]
print(json.dumps({"held": (int(resident) - int(of_files)) * os.sysconf("SC_PAGE_SIZE")}))
"""


def bytes_of(column: Any) -> int:
    """What a column takes in memory as CNTK is given it."""
    if isinstance(column, Sequences):
        return bytes_of(column.steps)
    if isinstance(column, Sparse):
        return 8 * len(column.values)
    return 4 * int(np.prod(column.shape)) * (10 if column.dtype.kind == "i" else 1)


def measure(workshop: Workshop, case: Case, idle: int) -> None:
    columns = data(case)
    rows = case.minibatch * case.steps
    dataset = workshop.dataset(case.network, columns, {"train": np.arange(rows)})
    document = spec(case, dataset, 1)
    estimate = normalise(document, workshop.volume, workshop.settings).estimate
    run = workshop.job(case.name, document)
    run.attempt(1).path.mkdir(parents=True)
    words = [run.path, workshop.volume.dataset(dataset).path, workshop.settings.home / "parameters.npz"]
    python, environment = workshop.environment["python"], program_environment(workshop.environment, 1)
    found = printed([python, HERE / "trained_job.py", *words, case.steps - 1], environment)
    weights = 4 * estimate["parameters"]
    minibatch = sum(bytes_of(column) for column in columns.values()) / case.steps
    needed = weights * (2 + learners[document["learner"]["type"]].facts["state"]) + minibatch
    held = found["held"] - idle
    peak = workshop.peak(workshop.job(f"{case.name}-whole", document))
    print(
        f"{case.name:15} needed {needed / 2**20:7.1f} MiB, held {held / 2**20:7.1f} MiB "
        f"({held / needed:.2f} times as much); at its peak {peak / 2**20:.0f} MiB, "
        f"estimated {estimate['memory_bytes'] / 2**20:.0f} MiB ({estimate['memory_bytes'] / peak:.2f})",
        flush=True,
    )


def main() -> None:
    asked = parser_of_cases(__doc__).parse_args()
    found = trainer_environment(Settings())
    idle = printed([found["python"], "-c", IDLE], program_environment(found, 1))["held"]
    print(f"CNTK imported: {idle / 2**20:.0f} MiB")
    for case in chosen([*CASES, WIDE], asked):
        with workshop() as own:
            measure(own, replace(case, steps=STEPS), idle)


if __name__ == "__main__":
    main()
