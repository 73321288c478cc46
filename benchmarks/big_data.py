"""Whether much data costs anything but reading it: a job on a data set and on one a hundred times larger.

``python -m benchmarks.big_data [--rounds 3] [--gigabytes 20] [--on-disk]``: the columns are sparse files that
take no room, all zeros. With ``--on-disk`` they are written, nothing of the large one is left in the system's
memory before a run, and its trainer reads as if there were memory for half of it: each row comes from the
disk. An epoch is not trained to its end. Shown are CPU seconds from process start to the first minibatch,
time a step, what was resident at the most, and what is held without pages of files; then the large one's
figures over the small one's, as medians over rounds in which the two take turns.
"""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.asked import parser, spread
from benchmarks.pytorch.networks import Case, digits, spec
from benchmarks.trainings import HERE, printed, workshop
from tests.trainer_runs import Workshop
from trainer.files import read_json, write_json
from worker.launch import program_environment

CASE = Case("mlp", 64, 300, 0.0)
ROW = 784 * 4
BLOCK = bytes(np.zeros(1 << 22, dtype=np.float32))
FIGURES = ("first", "cpu", "wall", "resident", "held")


def grown(workshop: Workshop, name: str, rows: int, on_disk: bool) -> str:
    """A data set of so many rows; the columns take no room unless they are to be on the disk."""
    dataset = workshop.dataset(name, digits((784,))(np.random.default_rng(1), 100), {"train": np.arange(100)})
    folder = workshop.volume.dataset(dataset).path
    for field, shape, dtype in (("x", (rows, 784), "<f4"), ("digit", (rows,), "<i4")):
        with (folder / f"{field}.npy").open("wb") as stream:
            header = {"descr": dtype, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            end = stream.tell() + int(np.prod(shape)) * 4
            while on_disk and stream.tell() < end:
                stream.write(BLOCK[: end - stream.tell()])
            stream.truncate(end)
    np.save(folder / "train.npy", np.arange(rows))
    schema = read_json(folder / "schema.json")
    schema["rows"] = schema["splits"]["train"]["rows"] = rows
    for field in schema["fields"].values():
        field["count"] = rows
    write_json(folder / "schema.json", schema)
    return dataset


def forget(path: Path) -> None:
    """Have the system give up what it holds of a file in its memory."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ran(workshop: Workshop, dataset: str, name: str, *memory: int) -> dict[str, Any]:
    run = workshop.job(name, spec(CASE, dataset, 1))
    run.attempt(1).path.mkdir(parents=True)
    words = [run.path, workshop.volume.dataset(dataset).path, workshop.settings.home / "parameters.npz"]
    python, environment = workshop.environment["python"], program_environment(workshop.environment, 1)
    return printed([python, HERE / "trained_job.py", *words, CASE.steps, *memory], environment)


def main() -> None:
    asking = parser(__doc__)
    asking.add_argument("--rounds", type=int, default=3)
    asking.add_argument("--gigabytes", type=float, default=20.0)
    asking.add_argument("--on-disk", action="store_true")
    arguments = asking.parse_args()
    large = int(arguments.gigabytes * 2**30 / ROW)
    with workshop() as own:
        sizes = {"small": large // 100, "large": large}
        datasets = {name: grown(own, name, rows, arguments.on_disk) for name, rows in sizes.items()}
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in sizes}
        for round_ in range(arguments.rounds):
            for name, dataset in datasets.items():
                memory = []
                if arguments.on_disk and name == "large":
                    forget(own.volume.dataset(dataset).path / "x.npy")
                    memory = [large * ROW // 2]
                found[name].append(ran(own, dataset, f"{name}-{round_}", *memory))
        for name, runs in found.items():
            first, cpu, wall, resident, held = (median(run[key] for run in runs) for key in FIGURES)
            print(
                f"{name} {sizes[name]:9} rows, {sizes[name] * ROW / 2**30:6.2f} GiB: first minibatch after "
                f"{first:.2f} s of CPU, {1000 * cpu:.2f} ms of it a step ({1000 * wall:.2f} of the clock), "
                f"{resident / 2**20:.0f} MiB, "
                f"{held / 2**20:.0f} MiB of them no files"
            )
        for key in FIGURES:
            ratios = [large[key] / small[key] for small, large in zip(*found.values(), strict=True)]
            print(f"{key:9} large / small {spread(ratios)}")


if __name__ == "__main__":
    main()
