"""``/v1/models``: base models, which layers of a network may be taken from."""

from __future__ import annotations

import asyncio
import builtins
import json
import time
from pathlib import Path
from typing import Any, cast

from client.aio.connection import AsyncConnection
from client.documents import Model
from client.problems import JobsApiError
from client.uploads import Progress, opened


class AsyncModels:
    """``/v1/models``. An import takes a while: ``wait`` for what ``add`` and ``of_job`` answer."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, file: str | Path, *, progress: Progress | None = None, **options: Any) -> Model:
        """Upload a CNTK or ONNX model. ``options`` as docs/models.md has them: name, preprocessing, format.

        The same bytes with the same options are the same model, however often they are sent.
        """
        with opened([file], progress) as parts:
            answer = await self._connection.json(
                "POST",
                "/v1/models",
                files=parts,
                data={"options": json.dumps(options)},
                timeout=None,
                keyed=True,
            )
        return cast(Model, answer)

    async def of_job(self, job: str, *, checkpoint: str | int | None = None, **options: Any) -> Model:
        """What a job has trained, as a base model: its finished model, or a checkpoint's."""
        asked = {"job": job, "checkpoint": checkpoint, **options}
        return cast(
            Model,
            await self._connection.json("POST", "/v1/models", json=asked, timeout=None, keyed=True),
        )

    async def get(self, model: str) -> Model:
        return cast(Model, await self._connection.json("GET", f"/v1/models/{model}"))

    async def list(self, limit: int | None = None) -> builtins.list[Model]:
        """Newest first, without their nodes."""
        return await self._connection.items("/v1/models", limit)

    async def remove(self, model: str) -> None:
        """Delete a base model; jobs that were submitted with it keep what they need."""
        await self._connection.request("DELETE", f"/v1/models/{model}")

    async def named(self, name: str) -> Model:
        """The model with this id, or the newest with this name; without its nodes."""
        for model in await self.list():
            if name in (model["id"], model["name"]):
                return model
        raise JobsApiError(f"there is no model {name!r}", status=404, type="not-found")

    async def wait(self, model: str, *, timeout: float | None = None, every: float = 0.2) -> Model:
        """The model once its import has ended, ready or refused; TimeoutError after ``timeout`` seconds."""
        begun = time.monotonic()
        while True:
            found = await self.get(model)
            if found["status"] != "importing":
                return found
            if timeout is not None and time.monotonic() - begun > timeout:
                raise TimeoutError(f"{model} is still being imported after {timeout:g} s")
            await asyncio.sleep(every)
