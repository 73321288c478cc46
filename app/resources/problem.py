"""An error, as the API answers it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from app.examples import service as examples


class Problem(BaseModel):
    """An error, as RFC 9457 has it. Each fault of the input is in ``errors``."""

    class Fault(BaseModel):
        """One thing wrong, and where: a JSON pointer into the body, the query or a file."""

        pointer: str
        code: str
        detail: str

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": examples.PROBLEM})

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault]
