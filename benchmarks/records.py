"""A page of jobs, and the memory of a record, at 1,000 and at 100,000 finished jobs.

``python -m benchmarks.records [--jobs N]`` fills servers of its own and reads the newest page of 50 in turns
from a store of 1,000 jobs and from one of N: from the store, and over HTTP as a client does. Then it
searches the larger one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks.stores import own_server
from jobs.ids import new_id
from jobs.record import Record
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from tests.new_records import queued
from tests.running_api import running_api

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


def begun(store: Store, name: str, tag: str, lease_seconds: float) -> Record:
    """A job that a worker has just taken."""
    record = Record(
        id=new_id("job"),
        name=name,
        owner="somebody",
        tags=[tag],
        state=State.QUEUED,
        reason=Reason.SUBMITTED,
        dataset="ds_" + "0" * 24,
        fingerprint="0" * 64,
    )
    queued(store, record)
    claimed = store.claim(record.id, worker="worker_" + "0" * 26, lease_seconds=lease_seconds)
    assert claimed is not None
    return claimed


def finish_jobs(store: Store, count: int) -> None:
    """So many jobs from their submission to their end, each step as a worker takes it."""
    for number in range(count):
        record = begun(store, f"digits {number}", f"rare-{number // 100}", 60)
        told = {"progress": PROGRESS, "losses": FIGURES, "metrics": FIGURES, "checkpoints": 3}
        store.report(record.id, record.attempt, fields=told, training=True)
        fields = {"result": RESULT}
        store.transition(store.get(record.id), State.SUCCEEDED, Reason.COMPLETED, fields=fields)
        store.note_journaled(record.id, None)


QUESTIONS = {
    "page of 50": {},
    "page of 50, one tag of many": {"tag": "rare-1"},
    "page of 50, owner and status and data set": {
        "owner": "somebody",
        "status": "succeeded",
        "dataset": "ds_" + "0" * 24,
    },
    "page of 50, a comparison that is true": {"where": "metrics.total<1"},
    "all jobs, a comparison that none passes": {"where": "metrics.total>1"},
    "page of 50 by a metric": {"order_by": "-metrics.total"},
    "page of 50 by name": {"order_by": "name"},
}
FEW_ROUNDS = 5
"""For questions that look at every job."""


def asked(homes: dict[int, Settings]) -> dict[str, list[float]]:
    """Seconds of each question over HTTP; the first one at both sizes in turns, the rest at the larger."""
    with ExitStack() as stack:
        clients = {jobs: stack.enter_context(running_api(settings)) for jobs, settings in homes.items()}
        largest = clients[max(clients)]
        seconds: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for jobs, client in clients.items():
                seconds.setdefault(f"page of 50 over HTTP at {jobs:,} jobs", []).append(ask(client, {}))
        for question, params in list(QUESTIONS.items())[1:]:
            rounds = FEW_ROUNDS if "where" in params or "order_by" in params else ROUNDS // 4
            seconds[question] = [ask(largest, params) for _ in range(rounds)]
    return seconds


def ask(client: httpx.Client, params: dict[str, str]) -> float:
    begun = time.perf_counter()
    answer = client.get("/v1/jobs", params=params)
    assert answer.status_code == 200, answer.text
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description="Records of many jobs.")
    parser.add_argument("--jobs", type=int, default=100_000)
    count = parser.parse_args().jobs
    stores: dict[int, Store] = {}
    homes: dict[int, Settings] = {}
    memory: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        for jobs in (FEW, count):
            homes[jobs] = servers.enter_context(own_server(Path(folder) / str(jobs)))
            stores[jobs] = store = Store.open(homes[jobs])
            before = store.client.info("memory")["used_memory"]
            finish_jobs(store, jobs)
            memory[jobs] = (store.client.info("memory")["used_memory"] - before) / jobs
        seconds: dict[int, list[float]] = {jobs: [] for jobs in stores}
        for _ in range(ROUNDS):
            for jobs, store in stores.items():
                begun = time.perf_counter()
                assert len(store.page(limit=50).records) == 50
                seconds[jobs].append(time.perf_counter() - begun)
        answers = asked(homes)
    for question, found in answers.items():
        print(f"{1000 * statistics.median(found):8.2f} ms  {question}")
    medians = {jobs: statistics.median(found) for jobs, found in seconds.items()}
    for jobs, median in medians.items():
        print(f"{jobs:>8,} jobs: a page of 50 in {1000 * median:.2f} ms, {memory[jobs]:,.0f} bytes a job")
    print(f"page at {count:,} / at {FEW:,}: {medians[count] / medians[FEW]:.2f}")


if __name__ == "__main__":
    main()
