"""Several jobs submitted together: all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from jobs.errors import Conflict, Fault, InvalidInput, NotFound
from jobs.idempotency import Claim
from jobs.record import Record
from jobs.settings import Settings
from jobs.specs.part_models import Strict
from jobs.specs.structure import parse_as
from jobs.store import Store
from jobs.submission.submit import enqueue_together, prepare

MOST_JOBS = 200


class Batch(Strict):
    """Jobs to be submitted together."""

    jobs: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_JOBS)] = Field(
        description="specs, each as for POST /v1/jobs"
    )


def submit_batch(
    document: Mapping[str, Any],
    store: Store,
    settings: Settings,
    claim: Claim | None = None,
    owner: str | None = None,
) -> list[Record]:
    """Check every spec, then queue all of the jobs; their records, in the order of the specs.

    InvalidInput with the faults of all specs at once; then no job is made.
    """
    specs = parse_as(Batch, document).jobs
    faults, new = [], []
    for position, posted in enumerate(specs):
        place = f"/jobs/{position}"
        try:
            new.append(prepare(posted, store, settings, None, owner))
        except (InvalidInput, NotFound, Conflict) as error:
            found = error.faults or [Fault("", error.type, error.detail)]
            faults += [Fault(place + fault.pointer, fault.code, fault.detail) for fault in found]
    if faults:
        raise InvalidInput.of(faults)
    return enqueue_together(new, store, settings.volume, claim)
