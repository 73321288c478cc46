"""Bearer tokens: files on the volume, each with the digest of a token, whose it is and what it may.

The volume is the truth, so that a lost Redis loses none. A token is 256 random bits, which nobody can
guess: a plain SHA-256 keeps it as safe as a slow hash would, and can be computed for every request.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from jobs import ids
from jobs.access.token_models import NewToken, Quotas, Scope, Token, TokenEdit
from jobs.errors import Conflict, Fault, InvalidInput, NotFound
from trainer.files import fsync_folder, read_json, write_json
from trainer.layout import Volume

KEEP_SECONDS = 0.8
"""How long what was read counts: a token that was revoked elsewhere opens nothing after a second."""
PREFIX = "cj_"
"""Tells people, and those who scan for leaked secrets, what the text is."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Seen:
    """What the volume held when it was last read."""

    at: float = float("-inf")
    """By the monotonic clock, before the first file was looked at."""
    files: Mapping[tuple[str, int, int], Token | None] = field(default_factory=dict)
    by_digest: Mapping[str, Token] = field(default_factory=dict)
    volume: bool = False
    """Whether the volume was there, so that no tokens means that none was made."""


class Tokens:
    """The tokens on a volume. Any number of processes may read and change them."""

    def __init__(self, volume: Volume) -> None:
        self._volume, self._folder = volume, volume.tokens
        self._seen = _Seen()
        self._reading = threading.Lock()

    # Reading

    @property
    def stale(self) -> bool:
        return time.monotonic() - self._seen.at > KEEP_SECONDS

    def refresh(self) -> None:
        """Read what is new on the volume. A file is replaced, never written to: its inode tells."""
        with self._reading:
            at, known = time.monotonic(), self._seen.files
            files: dict[tuple[str, int, int], Token | None] = {}
            for path in self._files():
                try:
                    found = path.stat()
                    key = (path.name, found.st_ino, found.st_mtime_ns)
                    files[key] = known[key] if key in known else _read(path)
                except FileNotFoundError:
                    continue
            there = self._volume.present()
            if not (files or there):
                # Unmounted: what was known of it holds until it is back, for nobody can revoke meanwhile.
                files = dict(known)
            by_digest = {token.sha256: token for token in files.values() if token}
            self._seen = _Seen(at, files, by_digest, there)

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if _is_token(path.name))
        except FileNotFoundError:
            return []

    @property
    def any(self) -> bool:
        """Whether a token was ever made here, be it revoked or expired since: then one is asked for."""
        return bool(self._seen.files)

    @property
    def none(self) -> bool:
        """Whether no token was ever made here, for sure."""
        return not self.any and self._seen.volume

    def all(self) -> list[Token]:
        """Every token, the newest first."""
        found = (token for token in self._seen.files.values() if token)
        return sorted(found, key=lambda token: (token.created_at, token.id), reverse=True)

    def get(self, token_id: str) -> Token:
        for token in self._seen.by_digest.values():
            if token.id == token_id:
                return token
        raise NotFound(f"there is no token {token_id!r}")

    def find(self, secret: str) -> Token | None:
        """The token that reads ``secret``, be it still valid or not."""
        return self._seen.by_digest.get(digest(secret))

    def quotas(self) -> dict[str, Quotas]:
        """Of each owner what its newest token says that opens anything."""
        now = datetime.now(UTC)
        return {token.name: token.quotas for token in reversed(self.all()) if token.valid(now)}

    # Changing

    def create(self, asked: NewToken, *, others_administer: bool = False) -> tuple[Token, str]:
        """A new token, and its text, which is kept nowhere.

        InvalidInput where it would leave a service that asks for tokens without one that can make others;
        ``others_administer``: there is an administrator besides these.
        """
        now = datetime.now(UTC)
        faults = _in_the_past(asked.expires_at, now)
        secret = PREFIX + secrets.token_urlsafe(32)
        token = Token(
            id=ids.new_id("tok"),
            name=asked.name,
            scopes=_scopes(asked.scopes),
            sha256=digest(secret),
            created_at=now,
            expires_at=asked.expires_at,
            quotas=asked.quotas,
            requests_per_minute=asked.requests_per_minute,
        )
        with self._alone():
            if not (token.administers or others_administer or self._administrators(now)):
                detail = "the first token must be an administrator's: nobody else could make another"
                faults.append(Fault("/scopes", "admin_needed", detail))
            if faults:
                raise InvalidInput.of(faults)
            self._write(token)
        return token, secret

    def edit(self, token_id: str, asked: TokenEdit, *, others_administer: bool = False) -> Token:
        """The token, changed; what it reads stays. InvalidInput with every fault, NotFound.

        Conflict for one that was revoked, and where nobody would be left to administer.
        """
        now = datetime.now(UTC)
        given = {name: getattr(asked, name) for name in asked.model_fields_set}
        faults = [
            Fault(f"/{name}", "null", f"a token has {what}: this cannot be taken away")
            for name, what in (("name", "a name"), ("scopes", "scopes"))
            if given.get(name, what) is None
        ]
        faults += _in_the_past(asked.expires_at, now)
        if faults:
            raise InvalidInput.of(faults)
        if "scopes" in given:
            given["scopes"] = _scopes(given["scopes"])
        with self._alone():
            token = self.get(token_id)
            if token.revoked_at is not None:
                raise Conflict(f"{token_id} was revoked: it stays as it is; make another one")
            if "quotas" in given:
                limits = asked.quotas.model_dump(exclude_unset=True) if asked.quotas else None
                given["quotas"] = token.quotas.model_copy(update=limits) if limits is not None else Quotas()
            changed = token.model_copy(update=given)
            if not changed.administers:
                self._spare_the_last(token, now, others_administer)
            self._write(changed)
        return changed

    def revoke(self, token_id: str, *, others_administer: bool = False) -> Token:
        """A token that opens nothing from now on; NotFound. Revoking again changes nothing.

        Conflict for the last administrator's.
        """
        now = datetime.now(UTC)
        with self._alone():
            token = self.get(token_id)
            if token.revoked_at is not None:
                return token
            self._spare_the_last(token, now, others_administer)
            revoked = token.model_copy(update={"revoked_at": now})
            self._write(revoked)
        return revoked

    def _spare_the_last(self, token: Token, now: datetime, others_administer: bool) -> None:
        """Conflict where without this token nobody could administer."""
        left = [other for other in self._administrators(now) if other.id != token.id]
        if not left and not others_administer and token.administers:
            raise Conflict(f"{token.id} is the last token with the scope admin: make another one first")

    def _administrators(self, now: datetime) -> list[Token]:
        return [token for token in self.all() if token.administers and token.valid(now)]

    def _write(self, token: Token) -> None:
        write_json(self._folder / f"{token.id}.json", token.model_dump(mode="json"))
        self.refresh()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One change at a time, by whatever process, and of what is there now."""
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fsync_folder(self._folder.parent)
        descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self.refresh()
            yield
        finally:
            os.close(descriptor)


def _scopes(given: Sequence[str]) -> tuple[Scope, ...]:
    return tuple(scope for scope in Scope if scope in given)


def _in_the_past(expires_at: datetime | None, now: datetime) -> list[Fault]:
    if expires_at is None or expires_at > now:
        return []
    detail = (
        f"a time to come is needed, not {expires_at.isoformat()}; "
        f"now it is {now.isoformat(timespec='seconds')}"
    )
    return [Fault("/expires_at", "in_the_past", detail)]


def digest(secret: str) -> str:
    """By which a token is known; comparing digests tells nobody how near a guess was."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _is_token(name: str) -> bool:
    return name.startswith("tok_") and name.endswith(".json")


def _read(path: Path) -> Token | None:
    """None where it cannot be read or makes no sense: it opens nothing."""
    try:
        return Token.model_validate(read_json(path))
    except (ValueError, PermissionError) as error:
        log.warning("%s is no token: %s", path, error)
        return None
