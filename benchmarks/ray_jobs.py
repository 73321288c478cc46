"""Submits a job to Ray for each line of stdin and answers with the seconds until its program ran.

Run by the Python of .venv-ray (benchmarks/start.py does), on a Ray cluster of its own on this machine.
"""

from __future__ import annotations

import json
import sys
import time

import ray
from ray.job_submission import JobStatus, JobSubmissionClient

TELL = "import time; print('at', time.time())"


def main() -> None:
    # Two CPUs, so that a job never waits for the one before it to be cleared away.
    context = ray.init(num_cpus=2, include_dashboard=True, log_to_driver=False, logging_level="ERROR")
    client = JobSubmissionClient(f"http://{context.dashboard_url}")
    submit(client)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(submit(client)), flush=True)
    ray.shutdown()


def submit(client: JobSubmissionClient) -> float:
    begun = time.time()
    job = client.submit_job(entrypoint=f'{sys.executable} -c "{TELL}"')
    while client.get_job_status(job) not in {JobStatus.SUCCEEDED, JobStatus.FAILED}:
        time.sleep(0.05)
    told = client.get_job_logs(job)
    return float(told.split("at ")[1].split()[0]) - begun


if __name__ == "__main__":
    main()
