"""Python client of the training-job service. It talks HTTP and imports nothing else of the project.

from client import Client

with Client() as service:
    dataset = service.datasets.add("digits.npz", name="digits")
    job = service.jobs.submit({"dataset": dataset["id"], ...})
    job = service.jobs.wait(job["id"])
"""

from client.api import TERMINAL, Client
from client.problems import JobsApiError, UnreachableError

__all__ = ["TERMINAL", "Client", "JobsApiError", "UnreachableError"]
