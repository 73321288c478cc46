"""Python client of the training-job service. It talks HTTP and imports nothing else of the project.

from client import Client

with Client() as service:
    dataset = service.datasets.add("digits.npz", name="digits")
    job = service.jobs.submit({"dataset": dataset["id"], ...})
    for event in job.follow():
        print(event.type, event.data)
    print(job["result"]["parameters_sha256"])

``AsyncClient`` is the same with ``async with``, ``await`` and ``async for``.
"""

from client.aio.client import AsyncClient
from client.aio.handle import AsyncJobHandle
from client.blocking.client import Client
from client.blocking.handle import JobHandle
from client.documents import TERMINAL
from client.events import Event
from client.problems import DamagedError, JobsApiError, UnreachableError
from client.retrying import Retries

__all__ = [
    "TERMINAL",
    "AsyncClient",
    "AsyncJobHandle",
    "Client",
    "DamagedError",
    "Event",
    "JobHandle",
    "JobsApiError",
    "Retries",
    "UnreachableError",
]
