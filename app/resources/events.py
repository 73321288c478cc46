"""What happened to a job."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app import examples


class EventPage(BaseModel):
    """Events of one job, oldest first. ``seq`` is without gaps from 1 on."""

    model_config = ConfigDict(json_schema_extra={"example": examples.EVENT_PAGE})

    items: list[dict[str, Any]]
    next_page_token: str | None = Field(
        description="null where no further event has happened yet; ask with ?after= then"
    )
