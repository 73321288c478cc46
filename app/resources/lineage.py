"""A job and the jobs it came from."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.examples import jobs as examples


class Descent(BaseModel):
    """One job of a lineage, and what it started from: a checkpoint of the next job in the list."""

    class Change(BaseModel):
        """One place where the specs differ; ``there`` is the next job's."""

        pointer: str
        here: Any
        there: Any

    job: str
    found: Literal["record", "volume", "nothing"] = Field(
        description="volume: its record is gone, its run directory tells; nothing: only its id is known"
    )
    name: str | None
    status: str | None = Field(description="null where nothing tells how the job ended")
    checkpoint: str | None = Field(description="null, like step, samples and mode, where it began afresh")
    step: int | None
    samples: int | None
    mode: str | None
    changed: list[Change] | None = Field(
        description="differences from the next job's spec, budget and learning rate included; "
        "null where there is none or it is gone"
    )


class Lineage(BaseModel):
    """A job, the job that it started from, and so on back to the first."""

    model_config = ConfigDict(json_schema_extra={"example": examples.LINEAGE})

    items: list[Descent]
