"""How soon a posted job trains: POST to first minibatch, against Ray Jobs' submit to first line.

``python -m benchmarks.start [--rounds 15]``: in each round a small MLP is posted to a service whose trainers
are forked (twice, for the noise), to one whose trainers are started afresh, and a job is submitted to Ray
over HTTP whose program is one line that tells the time. So Ray's job has imported nothing yet where ours has
trained. ``scripts/setup --ray`` brings Ray; without it the rest is measured.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

from benchmarks.asked import parser
from client import Client
from jobs.settings import Settings
from tests.running_service import RunningService
from trainer.files import complete_lines

ROOT = Path(__file__).resolve().parents[1]
RAY = ROOT / ".venv-ray" / "bin" / "python"
LIMIT_S, LIMIT_RATIO = 0.150, 0.1
ROWS, MINIBATCHES, MINIBATCH = 3600, 50, 64

Phases = Mapping[str, float]
"""Seconds from the POST, by what had happened then."""


def small_job(dataset: str) -> dict[str, Any]:
    """An MLP that is trained for 50 minibatches."""
    return {
        "name": "small",
        "dataset": dataset,
        "inputs": {"x": "x"},
        "network": [
            {"name": "hidden", "type": "dense", "units": 64, "activation": "relu", "input": "x"},
            {"name": "scores", "type": "dense", "units": 3, "input": "hidden"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "y"}],
        "metrics": [{"type": "classification_error", "output": "scores", "target": "y"}],
        "learner": {"type": "adam", "alpha": 0.001},
        "training": {"epochs": 1, "minibatch_size": MINIBATCH},
        "checkpoints": {"every_epochs": None},
    }


def upload(client: Client, folder: Path) -> str:
    """The data that they are trained on."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(ROWS, 20)).astype(np.float32), random.integers(0, 3, ROWS)
    np.savez(folder / "small.npz", x=x, y=y)
    held_out = 1 - MINIBATCHES * MINIBATCH / ROWS
    splits = {"fractions": {"valid": held_out}, "seed": 1}
    return str(client.datasets.add(folder / "small.npz", splits=splits)["id"])


class Served:
    """One service, asked for one job after the other."""

    def __init__(self, stack: ExitStack, *, warm: bool, workers: int = 1) -> None:
        self.home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="start-")))
        self.service = RunningService(self.home, CNTK_JOBS_WARM=str(warm), CNTK_JOBS_WORKERS=str(workers))
        stack.callback(self.service.stop)
        self.service.wait_ready()
        self.client = stack.enter_context(Client(self.service.url))
        self.document = small_job(upload(self.client, self.home))
        self.volume = Settings(home=self.home).volume

    def job(self) -> Phases:
        begun = time.time()
        posted = self.client.jobs.submit(self.document)
        answered = time.time()
        job = self.client.jobs.wait(posted["id"])
        assert job["status"] == "succeeded", job
        facts = [line.value() or {} for line in complete_lines(self.volume.job(job["id"]).attempt(1).facts)]
        at = {fact["type"]: fact["time"] for fact in facts}
        moments = {
            "POST answered": answered,
            "claimed by a worker": datetime.fromisoformat(job["started_at"]).timestamp(),
            "trainer runs": at["started"],
            "first minibatch": at["first_minibatch"],
            "checkpoint saved": at["checkpoint"],
            "job ended": datetime.fromisoformat(job["finished_at"]).timestamp(),
        }
        return {name: moment - begun for name, moment in moments.items()}

    def fork_server(self) -> psutil.Process:
        children = psutil.Process(self.service.process.pid).children(recursive=True)
        return next(child for child in children if "trainer.fork_server" in child.cmdline())


@contextmanager
def ray_jobs() -> Iterator[subprocess.Popen[str] | None]:
    """A process that submits a job to a Ray of its own for each line, and answers with the seconds."""
    if not RAY.exists():
        yield None
        return
    with subprocess.Popen(
        [RAY, str(Path(__file__).with_name("ray_jobs.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "PATH": f"{RAY.parent}:{os.environ['PATH']}"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


def ask(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(json.loads(process.stdout.readline()))


def idle_cost(server: psutil.Process) -> str:
    """What a server of forks takes while nobody asks."""
    before = sum(server.cpu_times()[:2])
    time.sleep(5)
    spent = sum(server.cpu_times()[:2]) - before
    rollup = Path(f"/proc/{server.pid}/smaps_rollup").read_text()
    kilobytes = {
        name: int(value) for name, value in re.findall(r"^(Rss|Pss): +(\d+) kB", rollup, re.MULTILINE)
    }
    return f"RSS {kilobytes['Rss'] / 1024:.0f} MB, PSS {kilobytes['Pss'] / 1024:.0f} MB, CPU {spent / 5:.1%}"


def main() -> None:
    asking = parser(__doc__)
    asking.add_argument("--rounds", type=int, default=15)
    rounds = asking.parse_args().rounds
    with ExitStack() as stack:
        warm, cold = Served(stack, warm=True), Served(stack, warm=False)
        ray = stack.enter_context(ray_jobs())
        for service in (warm, cold):
            service.job()
        forked, again, afresh, submitted = [], [], [], []
        for _ in range(rounds):
            forked.append(warm.job())
            afresh.append(cold.job())
            if ray is not None:
                submitted.append(ask(ray))
            again.append(warm.job())
        idle = idle_cost(warm.fork_server())
    for phase in forked[0]:
        print(f"{phase:22} {told(forked + again, phase)} forked; {told(afresh, phase)} started afresh")
    first = "first minibatch"
    ours = median(phases[first] for phases in forked + again)
    noise = median(a[first] / b[first] for a, b in zip(forked, again, strict=True))
    print(
        f"POST to first minibatch {1000 * ours:.0f} ms, at most {1000 * LIMIT_S:.0f}; A/A {noise:.3f}; "
        f"load {os.getloadavg()[0]:.1f}"
    )
    if submitted:
        ratio = median(a[first] / b for a, b in zip(forked, submitted, strict=True))
        print(
            f"Ray Jobs, submit to first line {1000 * median(submitted):.0f} ms; ours / Ray's "
            f"{ratio:.3f}, at most {LIMIT_RATIO}; {rounds} rounds"
        )
    else:
        print("Ray is not there to compare with (scripts/setup --ray)")
    print(f"an idle server of forks: {idle}")


def told(found: list[Phases], phase: str) -> str:
    milliseconds = sorted(1000 * phases[phase] for phases in found)
    return f"{median(milliseconds):6.0f} ms ({milliseconds[0]:.0f} to {milliseconds[-1]:.0f})"


if __name__ == "__main__":
    main()
