"""``/v1/checkpoints``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from client.aio.connection import AsyncConnection
from client.documents import Checkpoint


class AsyncCheckpoints:
    """``/v1/checkpoints``. The id of a checkpoint is its job's, an @ and its number of samples."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, checkpoint: str) -> Checkpoint:
        return cast(Checkpoint, await self._connection.json("GET", f"/v1/checkpoints/{checkpoint}"))

    async def pin(self, checkpoint: str, pinned: bool = True) -> Checkpoint:
        """Keep a checkpoint whatever the spec's retention says, or with False no longer."""
        changes = {"pinned": pinned}
        answer = await self._connection.json("PATCH", f"/v1/checkpoints/{checkpoint}", json=changes)
        return cast(Checkpoint, answer)

    async def download(
        self, checkpoint: str, folder: Path, *, progress: Callable[[int, int | None], None] | None = None
    ) -> list[Path]:
        """Fetch every file of a checkpoint into ``folder``, each checked by its digest."""
        found = await self.get(checkpoint)
        return [
            await self._connection.download(
                file["href"], folder / file["path"], sha256=file["sha256"], progress=progress
            )
            for file in found["files"]
        ]
