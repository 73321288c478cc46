"""How many small jobs a second go through, beside what RQ alone does with tasks that do nothing.

``python -m benchmarks.small_jobs [--jobs 60] [--workers 2] [--rounds 3]``: in each round as many jobs are
posted over HTTP as fast as they are taken, each an MLP that is trained for 50 minibatches, evaluated, saved
and reported on; then as many tasks that return at once go through RQ's own workers on the same server: a
fork each, as ours. Processor time a job says what a quiet machine would do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from statistics import median

import psutil
from redis import Redis
from rq import Queue
from rq.job import Job

from benchmarks.asked import parser
from benchmarks.start import ROOT, Served

LEAST = 8.0


def processor_seconds(service: int) -> float:
    """What the service's processes have used, with those that have ended below them."""
    root = psutil.Process(service)
    spent = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            spent += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return spent


def through_service(served: Served, jobs: int) -> tuple[float, float]:
    """Jobs a second, and seconds of processor time a job."""
    spent, begun = processor_seconds(served.service.process.pid), time.monotonic()
    posted = [served.client.jobs.submit(served.document)["id"] for _ in range(jobs)]
    for job in posted:
        assert served.client.jobs.wait(job)["status"] == "succeeded"
    seconds = time.monotonic() - begun
    return jobs / seconds, (processor_seconds(served.service.process.pid) - spent) / jobs


def through_rq(socket: str, tasks: int, workers: int) -> float:
    """Tasks a second of RQ's own workers, which start before the clock does."""
    with Redis(unix_socket_path=socket) as client:
        queue = Queue("nothing", connection=client)
        command = [
            sys.executable,
            "-m",
            "rq.cli",
            "worker",
            "nothing",
            "--quiet",
            "--url",
            f"unix://{socket}",
        ]
        with ExitStack() as stack:
            for _ in range(workers):
                worker = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
                stack.callback(worker.wait)
                stack.callback(worker.terminate)
            finished(queue, [queue.enqueue("time.time") for _ in range(workers)])
            begun = time.monotonic()
            finished(queue, [queue.enqueue("time.time") for _ in range(tasks)])
            return tasks / (time.monotonic() - begun)


def finished(queue: Queue, tasks: list[Job]) -> None:
    while queue.finished_job_registry.get_job_count() < len(tasks):
        time.sleep(0.005)
    for task in tasks:
        task.delete()


def main() -> None:
    asking = parser(__doc__)
    asking.add_argument("--jobs", type=int, default=60)
    asking.add_argument("--workers", type=int, default=2)
    asking.add_argument("--rounds", type=int, default=3)
    arguments = asking.parse_args()
    with ExitStack() as stack:
        served = Served(stack, warm=True, workers=arguments.workers)
        socket = str(served.home / "valkey" / "valkey.sock")
        through_service(served, 2 * arguments.workers)
        ours, theirs = [], []
        for _ in range(arguments.rounds):
            ours.append(through_service(served, arguments.jobs))
            theirs.append(through_rq(socket, arguments.jobs, arguments.workers))
    rates = [rate for rate, _ in ours]
    print(
        f"{median(rates):.1f} jobs a second ({min(rates):.1f} to {max(rates):.1f}), at least {LEAST:g}; "
        f"{1000 * median(spent for _, spent in ours):.0f} ms of processor time a job; "
        f"RQ alone {median(theirs):.1f} tasks a second that do nothing; "
        f"{arguments.workers} workers, {arguments.rounds} rounds of {arguments.jobs}, "
        f"load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
