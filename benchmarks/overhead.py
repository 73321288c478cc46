"""What the service costs: training throughput against a hand-written loop, and the way to training.

``python -m benchmarks.overhead [--pairs 7] [--threads 1]``: both sides train the same network on the same
columns with the same settings, evaluate each epoch, and are timed from the first minibatch to the last
evaluation; the checkpoint at the end is timed by itself. Runs are interleaved; the ratio is the median
over pairs, A/A the hand-written loop against itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.asked import parser, spread
from client import Client
from jobs.settings import Settings
from tests.running_service import RunningService
from trainer.files import complete_lines
from trainer.layout import Volume
from worker.launch import thread_limits, trainer_environment

ROWS, EPOCHS = 8000, {"mlp": 6, "conv": 2}
FLOOR = 2.0
"""Where the processor allows; never less than 0.99."""


@dataclass(frozen=True)
class Run:
    """One training, on either side."""

    speed: float
    """Examples a second from the first minibatch to the last evaluation."""
    saving: float
    """Seconds of one checkpoint."""
    phases: dict[str, float] = field(default_factory=dict)
    """Seconds before the first minibatch; the service only."""


def spec(kind: str, dataset: str, threads: int, epochs: int) -> dict[str, Any]:
    if kind == "mlp":
        network: list[dict[str, Any]] = [
            {"name": "h1", "type": "dense", "units": 512, "activation": "relu", "input": "pixels"},
            {"name": "h2", "type": "dense", "units": 512, "activation": "relu", "input": "h1"},
        ]
    else:
        network = [
            {
                "name": "c1",
                "type": "convolution",
                "filters": 16,
                "filter_shape": [5, 5],
                "activation": "relu",
                "input": "pixels",
            },
            {"name": "p1", "type": "max_pooling", "window": [2, 2], "input": "c1"},
            {
                "name": "c2",
                "type": "convolution",
                "filters": 32,
                "filter_shape": [3, 3],
                "activation": "relu",
                "input": "p1",
            },
            {"name": "p2", "type": "max_pooling", "window": [2, 2], "input": "c2"},
            {"name": "h2", "type": "dense", "units": 128, "activation": "relu", "input": "p2"},
        ]
    network.append({"name": "scores", "type": "dense", "units": 10, "input": "h2"})
    return {
        "name": f"overhead-{kind}",
        "dataset": dataset,
        "inputs": {"pixels": {"field": "pixels", "scale": 1 / 255}},
        "network": network,
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "digit"}],
        "metrics": [{"type": "classification_error", "output": "scores", "target": "digit"}],
        "learner": {"type": "adam", "alpha": 0.001},
        "training": {"epochs": epochs, "minibatch_size": 64, "threads": threads},
        "checkpoints": {"every_epochs": None},
    }


def upload(client: Client, folder: Path) -> str:
    random = np.random.default_rng(0)
    digit = random.integers(0, 10, ROWS + 1000)
    patterns = random.integers(0, 255, (10, 1, 28, 28))
    pixels = np.clip(patterns[digit] + random.normal(0, 90, (len(digit), 1, 28, 28)), 0, 255).astype(np.uint8)
    np.savez(folder / "patterns.npz", pixels=pixels, digit=digit)
    return client.datasets.add(
        folder / "patterns.npz", splits={"fractions": {"valid": 1000 / len(digit)}, "seed": 1}
    )["id"]


def through_service(client: Client, volume: Volume, document: dict[str, Any]) -> Run:
    """One job over HTTP."""
    job = client.jobs.wait(client.jobs.submit(document)["id"])
    assert job["status"] == "succeeded", job
    facts = [line.value() or {} for line in complete_lines(volume.job(job["id"]).attempt(1).facts)]
    at = {fact["type"]: fact["time"] for fact in facts}
    samples = document["training"]["epochs"] * ROWS - document["training"]["minibatch_size"]
    moments = [datetime.fromisoformat(job[key]).timestamp() for key in ("created_at", "started_at")]
    phases = {
        "queued": moments[1] - moments[0],
        "process and imports": at["started"] - moments[1],
        "network, restore, first step": at["first_minibatch"] - at["started"],
        "POST to first minibatch": at["first_minibatch"] - moments[0],
    }
    return Run(samples / (at["epoch"] - at["first_minibatch"]), at["checkpoint"] - at["epoch"], phases)


def by_hand(kind: str, folder: Path, threads: int, epochs: int, found: dict[str, Any]) -> Run:
    """The hand-written loop in a process of its own, with the same variables."""
    answer = subprocess.run(
        [
            found["python"],
            str(Path(__file__).with_name("hand_written.py")),
            kind,
            str(folder),
            str(epochs),
            str(threads),
        ],
        env={
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(found["python_path"]),
            "LD_LIBRARY_PATH": os.pathsep.join(found["library_path"]),
            **thread_limits(threads),
        },
        check=True,
        capture_output=True,
        text=True,
    )
    figures = json.loads(answer.stdout.splitlines()[-1])
    return Run(figures["samples"] / figures["seconds"], figures["saving"])


def main() -> None:
    asking = parser(__doc__)
    asking.add_argument("--pairs", type=int, default=7)
    asking.add_argument("--threads", type=int, default=1)
    arguments = asking.parse_args()
    found = trainer_environment(Settings())
    with tempfile.TemporaryDirectory(prefix="overhead-") as name:
        home = Path(name)
        service = RunningService(home)
        try:
            service.wait_ready()
            with Client(service.url) as client:
                dataset = upload(client, home)
                compare(
                    client, Settings(home=home).volume, dataset, found, arguments.pairs, arguments.threads
                )
        finally:
            service.stop()


def compare(
    client: Client, volume: Volume, dataset: str, found: dict[str, Any], pairs: int, threads: int
) -> None:
    runs: list[Run] = []
    for kind, epochs in EPOCHS.items():
        document = spec(kind, dataset, threads, epochs)
        folder = volume.dataset(dataset).path
        served, first, second = [], [], []
        for _ in range(pairs):
            first.append(by_hand(kind, folder, threads, epochs, found))
            served.append(through_service(client, volume, document))
            second.append(by_hand(kind, folder, threads, epochs, found))
        pairwise = [2 * s.speed / (a.speed + b.speed) for s, a, b in zip(served, first, second, strict=True)]
        noise = [a.speed / b.speed for a, b in zip(first, second, strict=True)]
        print(
            f"{kind:5} service {median(run.speed for run in served):8.0f} examples/s; service / hand-written "
            f"{spread(pairwise)}, at least {FLOOR}; A/A {spread(noise)}; {pairs} pairs; one checkpoint "
            f"{1000 * median(run.saving for run in served):.0f} ms, CNTK's bare save "
            f"{1000 * median(run.saving for run in first + second):.0f} ms"
        )
        runs += served
    for phase in runs[0].phases:
        print(f"{phase:30} {1000 * median(run.phases[phase] for run in runs):6.0f} ms")


if __name__ == "__main__":
    main()
