"""What people may change of a job at any time: its name, its tags, its priority."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from jobs.record import PRIORITY_SECONDS, Record
from jobs.specs.models import JobSpec, Tags
from jobs.specs.part_models import Strict
from jobs.specs.structure import parse_as
from jobs.store import Store


class JobEdit(Strict):
    """A JSON merge patch (RFC 7396): what is left out stays, null is what a job has by itself."""

    name: Annotated[str, Field(max_length=200)] | None = None
    tags: Tags | None = Field(
        default=None, description="all of them: they take the place of the present ones"
    )
    priority: Annotated[int, Field(ge=0, le=9)] | None = Field(
        default=None, description="9 comes first; of a job that waits it counts from now on"
    )


def edit(job_id: str, document: Mapping[str, Any], store: Store, believed: Sequence[int] | None) -> Record:
    """The job with the change. The change is an event of the job's; one that changes nothing is none.

    ``believed``: only where the job was edited so often. Raises InvalidInput with every fault,
    NotFound, PreconditionFailed.
    """
    asked = parse_as(JobEdit, document)
    values = {name: getattr(asked, name) for name in asked.model_fields_set}
    values = {
        name: JobSpec.model_fields[name].default if value is None else value for name, value in values.items()
    }
    changes = [_change(name, value) for name, value in values.items()]
    return store.edit(job_id, changes, values.get("tags", []), believed)


def _change(name: str, value: Any) -> dict[str, str]:
    """How the record holds it, and how the event says it."""
    kept = {
        "name": lambda: str(value),
        "tags": lambda: json.dumps(value, separators=(",", ":")),
        "priority": lambda: str(value * PRIORITY_SECONDS * 1000),
    }[name]()
    field = "ahead_ms" if name == "priority" else name
    return {"field": field, "value": kept, "said": f"{json.dumps(name)}: {json.dumps(value)}"}
