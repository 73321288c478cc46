# Made from client/aio/checkpoints.py by scripts/blocking-client: change that one.
"""``/v1/checkpoints``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from client.blocking.connection import Connection
from client.documents import Checkpoint


class Checkpoints:
    """``/v1/checkpoints``. The id of a checkpoint is its job's, an @ and its number of samples."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, checkpoint: str) -> Checkpoint:
        return cast(Checkpoint, self._connection.json("GET", f"/v1/checkpoints/{checkpoint}"))

    def pin(self, checkpoint: str, pinned: bool = True) -> Checkpoint:
        """Keep a checkpoint whatever the spec's retention says, or with False no longer."""
        changes = {"pinned": pinned}
        answer = self._connection.json("PATCH", f"/v1/checkpoints/{checkpoint}", json=changes)
        return cast(Checkpoint, answer)

    def download(
        self, checkpoint: str, folder: Path, *, progress: Callable[[int, int | None], None] | None = None
    ) -> list[Path]:
        """Fetch every file of a checkpoint into ``folder``, each checked by its digest."""
        found = self.get(checkpoint)
        return [
            self._connection.download(
                file["href"], folder / file["path"], sha256=file["sha256"], progress=progress
            )
            for file in found["files"]
        ]
