"""Files that can be downloaded."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from app.examples import files as examples


class File(BaseModel):
    """A file that can be downloaded at ``href``."""

    path: str
    size: int
    href: str
    sha256: str | None = None


class FileList(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"items": [examples.FILE]}})

    items: list[File]
