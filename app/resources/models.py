"""Pages of base models."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from app.examples import files as examples
from jobs.base_models.records import ModelRecord


class ModelPage(BaseModel):
    """Base models, newest first, without their nodes."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"items": [{**examples.MODEL, "nodes": []}], "next_page_token": None}}
    )

    items: list[ModelRecord]
    next_page_token: str | None
