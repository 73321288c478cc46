"""Pages of data sets."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from app.examples import files as examples
from jobs.dataset import DatasetSchema


class DatasetPage(BaseModel):
    """Data sets, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"items": [examples.DATASET], "next_page_token": None}}
    )

    items: list[DatasetSchema]
    next_page_token: str | None
