# Made from client/aio/datasets.py by scripts/blocking-client: change that one.
"""``/v1/datasets``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from client.blocking.connection import Connection
from client.documents import Dataset
from client.problems import JobsApiError
from client.uploads import Progress, opened


class Datasets:
    """``/v1/datasets``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, *files: str | Path, progress: Progress | None = None, **options: Any) -> Dataset:
        """Upload files as one data set. ``options`` as docs/datasets.md has them: name, fields, splits, ...

        The same bytes with the same options are the same data set, however often they are sent.
        ``progress`` is called with the bytes read so far and the bytes that there are.
        """
        with opened(files, progress) as parts:
            answer = self._connection.json(
                "POST",
                "/v1/datasets",
                files=parts,
                data={"options": json.dumps(options)},
                timeout=None,
                keyed=True,
            )
        return cast(Dataset, answer)

    def get(self, dataset: str) -> Dataset:
        return cast(Dataset, self._connection.json("GET", f"/v1/datasets/{dataset}"))

    def list(self, limit: int | None = None) -> list[Dataset]:
        """Newest first."""
        return self._connection.items("/v1/datasets", limit)

    def remove(self, dataset: str) -> None:
        """Delete a data set; a JobsApiError of status 409 while a live job uses it."""
        self._connection.request("DELETE", f"/v1/datasets/{dataset}")

    def named(self, name: str) -> Dataset:
        """The data set with this id, or the newest with this name."""
        for dataset in self._connection.each("/v1/datasets"):
            if name in (dataset["id"], dataset["name"]):
                return cast(Dataset, dataset)
        raise JobsApiError(f"there is no data set {name!r}", status=404, type="not-found")
