"""A job in hand: its document as last seen, and everything that can be done with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from client.documents import TERMINAL, Checkpoint, Descent, File, Job, Log, LogPiece
from client.events import Event

if TYPE_CHECKING:
    from client.aio.jobs import AsyncJobs


class AsyncJobHandle(Mapping[str, Any]):
    """One job. ``document`` is what the service last said of it, and so is ``handle["status"]``.

    What steers or waits brings the document up to date and returns the same handle.
    """

    def __init__(self, jobs: AsyncJobs, document: Job) -> None:
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

    def _seen(self, other: AsyncJobHandle) -> AsyncJobHandle:
        self.document = other.document
        return self

    async def refresh(self) -> AsyncJobHandle:
        """Ask the service how the job is now."""
        return self._seen(await self._jobs.get(self.id))

    async def wait(self, *, timeout: float | None = None) -> AsyncJobHandle:
        """Wait until the job has ended; TimeoutError after ``timeout`` seconds."""
        return self._seen(await self._jobs.wait(self.id, timeout=timeout))

    async def follow(self, *, after: int = 0) -> AsyncIterator[Event]:
        """What happens to the job, as it happens, to its end."""
        async for event in self._jobs.follow(self.id, after=after):
            yield event
        await self.refresh()

    async def cancel(self, *, save: bool = False) -> AsyncJobHandle:
        """End the job: at once, or with ``save`` after a last checkpoint."""
        return self._seen(await self._jobs.cancel(self.id, save=save))

    async def pause(self) -> AsyncJobHandle:
        """Have the job save a checkpoint and free its worker until it is resumed."""
        return self._seen(await self._jobs.pause(self.id))

    async def resume(self) -> AsyncJobHandle:
        """Let the paused job go on exactly where it was."""
        return self._seen(await self._jobs.resume(self.id))

    async def retry(self, *, checkpoint: str | int = "latest", learning_rate: Any = None) -> AsyncJobHandle:
        """Another attempt at the job, which failed."""
        again = await self._jobs.retry(self.id, checkpoint=checkpoint, learning_rate=learning_rate)
        return self._seen(again)

    async def fork(self, patch: Mapping[str, Any] | None = None) -> AsyncJobHandle:
        """A new job with this one's spec and ``patch``, a JSON merge patch, applied to it."""
        return await self._jobs.fork(self.id, patch)

    async def edit(self, **changes: Any) -> AsyncJobHandle:
        """Change the job's ``name``, ``tags`` or ``priority``."""
        return self._seen(await self._jobs.edit(self.id, **changes))

    async def evaluate(self, **options: Any) -> AsyncJobHandle:
        """A new job that runs a checkpoint of this one; ``options`` as ``jobs.evaluate`` has them."""
        return await self._jobs.evaluate(self.id, **options)

    async def events(self, after: int = 0) -> list[dict[str, Any]]:
        """What happened so far, oldest first."""
        return await self._jobs.events(self.id, after)

    async def metrics(self, **query: Any) -> dict[str, Any]:
        """Losses and metrics over the course of training."""
        return await self._jobs.metrics(self.id, **query)

    async def checkpoints(self) -> list[Checkpoint]:
        return await self._jobs.checkpoints(self.id)

    async def logs(self, *, stream: str = "stderr", attempt: int | None = None) -> Log:
        """The end of what the trainer wrote."""
        return await self._jobs.logs(self.id, stream=stream, attempt=attempt)

    async def artifact(self, path: str) -> bytes:
        """One of the files that the job left as its results."""
        return await self._jobs.artifact(self.id, path)

    async def artifacts(self) -> list[File]:
        """The files that the job left as its results."""
        return await self._jobs.artifacts(self.id)

    async def download(self, path: str, to: Path) -> Path:
        """Fetch one of them to ``to``, which appears whole or not at all."""
        return await self._jobs.download(self.id, path, to)

    async def lineage(self) -> list[Descent]:
        """The job, the one whose checkpoint it started from, and so on back to the first."""
        return await self._jobs.lineage(self.id)

    async def follow_logs(self, *, stream: str = "stderr") -> AsyncIterator[LogPiece]:
        """What the trainer writes to ``stream``, as it writes it, to the job's end."""
        async for piece in self._jobs.follow_logs(self.id, stream=stream):
            yield piece
