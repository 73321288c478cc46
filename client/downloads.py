"""A download as a file that appears whole or not at all, and that a later call can continue.

What has arrived lies beside the file as ``.<name>.part``; ``.<name>.part.json`` says of which version of
the resource it is, so that a range request can ask for the rest of the same one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from client.problems import DamagedError

BLOCK = 1 << 20


class Download:
    """The state of one download to ``to``. ``sha256`` (hex): what is known of the content beforehand."""

    def __init__(self, to: Path, *, sha256: str | None = None) -> None:
        self._to = to
        self._part = to.with_name(f".{to.name}.part")
        self._about = to.with_name(f".{to.name}.part.json")
        self._given = sha256
        self._etag: str | None = None
        self._sha256 = sha256
        self.size: int | None = None
        self.received = 0
        to.parent.mkdir(parents=True, exist_ok=True)
        self._take_up()

    def _take_up(self) -> None:
        """Go on from what an earlier download left, if it says which version it is of."""
        with suppress(FileNotFoundError, ValueError, KeyError):
            about = json.loads(self._about.read_text(encoding="utf-8"))
            if self._given is None or about["sha256"] == self._given:
                self.received = self._part.stat().st_size
                self._etag, self._sha256, self.size = about["etag"], about["sha256"], about["size"]

    def headers(self) -> dict[str, str]:
        """What to ask with: the rest where the beginning is there, else the whole."""
        asked = {"Accept-Encoding": "identity"}
        if self.received and self._etag:
            asked |= {"Range": f"bytes={self.received}-", "If-Range": self._etag}
        return asked

    def restart(self) -> None:
        """Forget what has arrived."""
        self._part.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)
        self._etag, self._sha256, self.size, self.received = None, self._given, None, 0

    @contextmanager
    def receiving(self, answer: httpx.Response) -> Iterator[Callable[[bytes], None]]:
        """A function that takes the blocks of the answer's body one after another."""
        if answer.status_code != 206:
            self.restart()
            self._etag = answer.headers.get("ETag")
            if self._etag and self._etag.startswith("W/"):
                self._etag = None
            length = answer.headers.get("Content-Length")
            self.size = int(length) if length else None
            self._sha256 = self._given or digest_of(answer)
            about = {"etag": self._etag, "sha256": self._sha256, "size": self.size}
            self._about.write_text(json.dumps(about), encoding="utf-8")
        with self._part.open("ab") as stream:

            def write(block: bytes) -> None:
                stream.write(block)
                self.received += len(block)

            yield write

    def finish(self) -> Path:
        """The whole file in its place; DamagedError, and nothing left, where it is not what was promised."""
        found, promised = _sha256(self._part), self._sha256
        if promised not in (None, found):
            self.restart()
            raise DamagedError(f"{self._to.name}: sha256 {found} arrived, {promised} was promised")
        self._part.replace(self._to)
        self._about.unlink()
        return self._to


def digest_of(answer: httpx.Response) -> str | None:
    """The sha256 (hex) of the whole resource that an answer's digest fields give (RFC 9530)."""
    # Of a whole answer the content is the representation: both fields say the same.
    for name in ("Repr-Digest", "Content-Digest"):
        if found := re.search(r"\bsha-256=:([A-Za-z0-9+/=]+):", answer.headers.get(name, "")):
            return base64.b64decode(found[1]).hex()
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
