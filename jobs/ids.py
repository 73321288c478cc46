"""Identifiers that sort by the time they were made: a prefix and a ULID."""

from __future__ import annotations

import os
import random
import re
import secrets
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_RANDOM_BITS = 80
_ID = re.compile(r"[a-z]+_[0-7][0-9A-HJKMNP-TV-Z]{25}")


def _base32(value: int) -> str:
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])


class UlidSource:
    """Makes ULIDs: 48 bits of milliseconds, then 80 random bits, as 26 characters.

    Within one source every ULID is greater than the one before, even where many fall into
    one millisecond or the clock steps back: the random part then grows by a random step.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        # Asking the system for each would let other threads run meanwhile.
        self._random = random.Random(secrets.randbits(256))

    def next(self) -> str:
        fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | self._random.getrandbits(_RANDOM_BITS)
        with self._lock:
            if fresh >> _RANDOM_BITS <= self._last >> _RANDOM_BITS:
                fresh = self._last + 1 + self._random.getrandbits(_RANDOM_BITS // 2)
            self._last = fresh
        return _base32(fresh)


_source = UlidSource()


def _forget_after_fork() -> None:
    # A child that kept the parent's last value, or its held lock, could repeat an id or hang.
    global _source
    _source = UlidSource()


os.register_at_fork(after_in_child=_forget_after_fork)


def new_id(prefix: str) -> str:
    """A new identifier such as ``job_01J8Z…``."""
    return f"{prefix}_{_source.next()}"


def new_job_id() -> str:
    return new_id("job")


def is_job_id(text: str) -> bool:
    """Whether ``text`` has the form of a job's id, and so is safe as a file name and key."""
    return text.startswith("job_") and _ID.fullmatch(text) is not None


def first_of(prefix: str, ms: int) -> str:
    """The smallest identifier that could have been made at a Unix time in milliseconds."""
    return f"{prefix}_{_base32(max(0, ms) << _RANDOM_BITS)}"


def made_at_ms(identifier: str) -> int:
    """Unix time in milliseconds at which an identifier was made."""
    value = 0
    for character in identifier.rpartition("_")[2]:
        value = value << 5 | _ALPHABET.index(character)
    return value >> _RANDOM_BITS
