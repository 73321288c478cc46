"""Requests that carry a key of their sender's: whatever is repeated, it is done once.

``cj:key:<digest>`` is a hash. While the request is under way it holds ``holder`` and lives as
long as a lease that is renewed; once something was made it holds ``request`` (a digest of what
was asked for), ``id`` and ``status``, and lives for a day. A job and its key are written in one
transaction, so there is no moment at which one of them is without the other.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from jobs.connection import reaching_redis
from jobs.errors import Fault, InFlight, InvalidInput
from jobs.store import Store

KEEP_SECONDS = 24 * 60 * 60
"""How long a key stands for what was made with it."""
LEASE_SECONDS = 6.0
"""How long the key of a request whose process was killed stays taken."""


@dataclass(frozen=True)
class Claim:
    """A key in the hands of one request. ``status`` is that of its answer."""

    key: str
    holder: str
    request: str = ""
    status: int = 202
    keep_ms: int = KEEP_SECONDS * 1000

    def of(self, asked: Mapping[str, Any], status: int) -> Claim:
        """The same claim, with what is asked for and the status that the answer will have."""
        return replace(self, request=digest(asked), status=status)

    def document(self) -> dict[str, Any]:
        """As the store's scripts want it."""
        return asdict(self)


@dataclass(frozen=True)
class Made:
    """What an earlier request with the key has made."""

    request: str
    id: str
    status: int

    def require(self, asked: Mapping[str, Any]) -> None:
        """InvalidInput where the earlier request asked for something else."""
        if digest(asked) != self.request:
            detail = "another request, with another body, had this key; a new request needs a new key"
            raise InvalidInput.of([Fault("/header/idempotency-key", "key_reused", detail)])


def digest(asked: Mapping[str, Any]) -> str:
    """SHA-256 of what a request asks for, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def begin(store: Store, sender: str, key: str) -> Claim | Made:
    """Take a sender's key, or learn what it has made. InFlight while another request has it."""
    name = hashlib.sha256(f"{sender}\n{key}".encode()).hexdigest()
    claim = Claim(name, secrets.token_hex(8))
    with reaching_redis():
        found = store.run("key_begin", {**_own(claim), "lease_ms": round(LEASE_SECONDS * 1000)})
    if found == "taken":
        return claim
    if found == "held":
        raise InFlight(
            f"a request with the Idempotency-Key {key!r} is under way; ask again when it has ended"
        )
    request, made, status = found
    return Made(request, made, int(status))


def renew(store: Store, claim: Claim) -> None:
    """Keep the key of a request that is still under way."""
    with reaching_redis():
        store.run("key_renew", {**_own(claim), "lease_ms": round(LEASE_SECONDS * 1000)})


def release(store: Store, claim: Claim) -> None:
    """Give back the key of a request that has made nothing: it may be tried again."""
    with reaching_redis():
        store.run("key_release", _own(claim))


def settle(store: Store, claim: Claim, made: str) -> None:
    """Note what was made, where that is no job."""
    with reaching_redis():
        store.run("key_settle", {"claim": claim.document(), "made": made})


def _own(claim: Claim) -> dict[str, Any]:
    return {"key": claim.key, "holder": claim.holder}
