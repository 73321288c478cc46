"""A page of jobs, and the memory of a record, at 1,000 and at 100,000 finished jobs.

``python -m benchmarks.records [--jobs N]`` fills servers of its own and reads the newest page of 50 as the
API does, in turns from a store of 1,000 jobs and from one of N.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from jobs.ids import new_id
from jobs.record import Record
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from service.valkey import embedded

FEW, ROUNDS = 1000, 200
FIGURES = {"train": {"total": 0.123456789}, "valid": {"total": 0.234567891}, "test": {"total": 0.3456789}}
PROGRESS = {
    "epoch": 10,
    "epochs": 10,
    "minibatch": 0,
    "step": 2300,
    "samples": 14370,
    "samples_per_second": 9e4,
}
RESULT = {
    "outcome": "succeeded",
    "reason": "completed",
    "detail": "",
    "parameters_sha256": "0" * 64,
    "step": 2300,
    "samples": 14370,
    "epoch": 10,
    "best": {"value": 0.0123456789, "samples": 12933, "epoch": 9},
    "seconds": 12.345678,
    "thresholds": {},
}


def finish_jobs(store: Store, count: int) -> None:
    """So many jobs from their submission to their end, each step as a worker takes it."""
    for number in range(count):
        record = Record(
            id=new_id("job"),
            name=f"digits {number}",
            state=State.QUEUED,
            reason=Reason.SUBMITTED,
            dataset="ds_" + "0" * 24,
            fingerprint="0" * 64,
        )
        store.create(record, check=lambda: None, push_token=lambda pipe: pipe.multi())
        claimed = store.claim(record.id, worker="worker_" + "0" * 26, lease_seconds=60)
        assert claimed is not None
        told = {"progress": PROGRESS, "losses": FIGURES, "metrics": FIGURES, "checkpoints": 3}
        store.report(record.id, claimed.attempt, fields=told, training=True)
        fields = {"result": RESULT}
        store.transition(store.get(record.id), State.SUCCEEDED, Reason.COMPLETED, fields=fields)
        store.note_journaled(record.id, None)


def main() -> None:
    parser = argparse.ArgumentParser(description="Records of many jobs.")
    parser.add_argument("--jobs", type=int, default=100_000)
    count = parser.parse_args().jobs
    stores: dict[int, Store] = {}
    memory: dict[int, float] = {}
    servers = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for jobs in (FEW, count):
                settings = Settings(home=Path(folder) / str(jobs), redis_url=None)
                settings.home.mkdir()
                lock = os.open(settings.home / "lock", os.O_CREAT | os.O_RDWR)
                server = embedded(settings, settings.home / "server.log", lock)
                server.start()
                servers.append(server)
                while not server.answers():
                    time.sleep(0.05)
                stores[jobs] = store = Store.open(settings)
                before = store.client.info("memory")["used_memory"]
                finish_jobs(store, jobs)
                memory[jobs] = (store.client.info("memory")["used_memory"] - before) / jobs
            seconds: dict[int, list[float]] = {jobs: [] for jobs in stores}
            for _ in range(ROUNDS):
                for jobs, store in stores.items():
                    begun = time.perf_counter()
                    assert len(store.page(limit=50).records) == 50
                    seconds[jobs].append(time.perf_counter() - begun)
        finally:
            for server in servers:
                server.kill()
    medians = {jobs: statistics.median(found) for jobs, found in seconds.items()}
    for jobs, median in medians.items():
        print(f"{jobs:>8,} jobs: a page of 50 in {1000 * median:.2f} ms, {memory[jobs]:,.0f} bytes a job")
    print(f"page at {count:,} / at {FEW:,}: {medians[count] / medians[FEW]:.2f}")


if __name__ == "__main__":
    main()
