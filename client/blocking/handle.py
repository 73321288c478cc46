# Made from client/aio/handle.py by scripts/blocking-client: change that one.
"""A job in hand: its document as last seen, and everything that can be done with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from client.documents import TERMINAL, Checkpoint, Descent, File, Job, Log, LogPiece
from client.events import Event

if TYPE_CHECKING:
    from client.blocking.jobs import Jobs


class JobHandle(Mapping[str, Any]):
    """One job. ``document`` is what the service last said of it, and so is ``handle["status"]``.

    What steers or waits brings the document up to date and returns the same handle.
    """

    def __init__(self, jobs: Jobs, document: Job) -> None:
        self._jobs = jobs
        self.document = document

    @property
    def id(self) -> str:
        return self.document["id"]

    @property
    def status(self) -> str:
        return self.document["status"]

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL

    def __getitem__(self, key: str) -> Any:
        return cast(Mapping[str, Any], self.document)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.document)

    def __len__(self) -> int:
        return len(self.document)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    def _seen(self, other: JobHandle) -> JobHandle:
        self.document = other.document
        return self

    def refresh(self) -> JobHandle:
        """Ask the service how the job is now."""
        return self._seen(self._jobs.get(self.id))

    def wait(self, *, timeout: float | None = None) -> JobHandle:
        """Wait until the job has ended; TimeoutError after ``timeout`` seconds."""
        return self._seen(self._jobs.wait(self.id, timeout=timeout))

    def follow(self, *, after: int = 0) -> Iterator[Event]:
        """What happens to the job, as it happens, to its end."""
        for event in self._jobs.follow(self.id, after=after):
            yield event
        self.refresh()

    def cancel(self, *, save: bool = False) -> JobHandle:
        """End the job: at once, or with ``save`` after a last checkpoint."""
        return self._seen(self._jobs.cancel(self.id, save=save))

    def pause(self) -> JobHandle:
        """Have the job save a checkpoint and free its worker until it is resumed."""
        return self._seen(self._jobs.pause(self.id))

    def resume(self) -> JobHandle:
        """Let the paused job go on exactly where it was."""
        return self._seen(self._jobs.resume(self.id))

    def retry(self, *, checkpoint: str | int = "latest", learning_rate: Any = None) -> JobHandle:
        """Another attempt at the job, which failed."""
        again = self._jobs.retry(self.id, checkpoint=checkpoint, learning_rate=learning_rate)
        return self._seen(again)

    def fork(self, patch: Mapping[str, Any] | None = None) -> JobHandle:
        """A new job with this one's spec and ``patch``, a JSON merge patch, applied to it."""
        return self._jobs.fork(self.id, patch)

    def edit(self, **changes: Any) -> JobHandle:
        """Change the job's ``name``, ``tags`` or ``priority``."""
        return self._seen(self._jobs.edit(self.id, **changes))

    def evaluate(self, **options: Any) -> JobHandle:
        """A new job that runs a checkpoint of this one; ``options`` as ``jobs.evaluate`` has them."""
        return self._jobs.evaluate(self.id, **options)

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """What happened so far, oldest first."""
        return self._jobs.events(self.id, after)

    def metrics(self, **query: Any) -> dict[str, Any]:
        """Losses and metrics over the course of training."""
        return self._jobs.metrics(self.id, **query)

    def checkpoints(self) -> list[Checkpoint]:
        return self._jobs.checkpoints(self.id)

    def logs(self, *, stream: str = "stderr", attempt: int | None = None) -> Log:
        """The end of what the trainer wrote."""
        return self._jobs.logs(self.id, stream=stream, attempt=attempt)

    def artifact(self, path: str) -> bytes:
        """One of the files that the job left as its results."""
        return self._jobs.artifact(self.id, path)

    def artifacts(self) -> list[File]:
        """The files that the job left as its results."""
        return self._jobs.artifacts(self.id)

    def download(self, path: str, to: Path) -> Path:
        """Fetch one of them to ``to``, which appears whole or not at all."""
        return self._jobs.download(self.id, path, to)

    def lineage(self) -> list[Descent]:
        """The job, the one whose checkpoint it started from, and so on back to the first."""
        return self._jobs.lineage(self.id)

    def follow_logs(self, *, stream: str = "stderr") -> Iterator[LogPiece]:
        """What the trainer writes to ``stream``, as it writes it, to the job's end."""
        for piece in self._jobs.follow_logs(self.id, stream=stream):
            yield piece
