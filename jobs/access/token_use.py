"""When each token was last used: kept in Redis alone, for people to see which ones are still needed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from jobs.connection import reaching_redis
from jobs.scripts import Scripts

_USED = "cj:tokens:used"


def note_used(used: Mapping[str, datetime], scripts: Scripts) -> None:
    """Tokens by id, and when; several processes may have different news of one."""
    if not used:
        return
    with reaching_redis():
        known = last_used(scripts)
        newer = {token: moment for token, moment in used.items() if moment > known.get(token, _NEVER)}
        if newer:
            scripts.client.hset(_USED, mapping={token: at.isoformat() for token, at in newer.items()})


def last_used(scripts: Scripts) -> dict[str, datetime]:
    """When, of the tokens that were used since Redis last lost its data."""
    with reaching_redis():
        found = cast(dict[str, str], scripts.client.hgetall(_USED))
    return {token: datetime.fromisoformat(moment) for token, moment in found.items()}


_NEVER = datetime.min.replace(tzinfo=UTC)
