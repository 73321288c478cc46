"""What owners may have at once: jobs that wait and run (jobs/lua/owners.lua keeps these), and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jobs.connection import reaching_redis
from jobs.errors import TooMany
from jobs.scripts import Scripts

if TYPE_CHECKING:
    # Workers, which start often, need no models of specs.
    from jobs.access.token_models import Quotas

FULL_SECONDS = 30
"""After how long it is worth while to ask again whether there is room in the queue."""


def publish(quotas: Mapping[str, Quotas], scripts: Scripts) -> None:
    """Tell Redis what the tokens on the volume say; jobs that were held and may go on are let go."""
    limits = {
        f"{owner}:{name}": limit
        for owner, found in quotas.items()
        for name, limit in (("queued", found.queued), ("running", found.running))
        if limit is not None
    }
    with reaching_redis():
        scripts.run("quotas", {"quotas": limits})


def queue_is_full(waiting: int, limit: int) -> TooMany:
    return TooMany(
        f"{waiting} of the owner's jobs wait or are paused, and its quota is {limit}",
        retry_after=FULL_SECONDS,
        extra={"quota": "queued", "value": waiting, "limit": limit},
    )
