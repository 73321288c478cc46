"""An attempt's hold on its job: renewed in time, lost when the job is another's, told how to leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

from jobs.errors import Refused, Unavailable
from jobs.record import Record
from jobs.store import Hold, Store

BEAT_SECONDS = 1.0
"""How often the lease is renewed, and how late a cancel request is seen at the latest."""


class Way(Enum):
    """How a trainer must leave."""

    STAY = "stay"
    SAVING = "saving"
    """After a checkpoint: SIGTERM, and SIGKILL after a grace."""
    AT_ONCE = "at_once"
    """A cancelled job has no use for a checkpoint more, and a lost one may be another's already."""


_WAY_OF = {
    Hold.HELD: Way.STAY,
    Hold.PAUSE: Way.SAVING,
    Hold.CANCEL_SAVING: Way.SAVING,
    Hold.CANCEL: Way.AT_ONCE,
    Hold.LOST: Way.AT_ONCE,
}


class Lease:
    """The claim to a job for ``seconds``, renewed every BEAT_SECONDS while Redis can be reached."""

    def __init__(self, store: Store, record: Record, seconds: float) -> None:
        self._store = store
        self._job_id, self._attempt = record.id, record.attempt
        self._seconds = seconds
        self._next_beat = 0.0
        self._reachable = True
        self.hold = Hold.HELD
        """What the last renewal found."""

    @property
    def lost(self) -> bool:
        return self.hold is Hold.LOST

    @property
    def way(self) -> Way:
        return _WAY_OF[self.hold]

    def beat(self, *, now: bool = False) -> None:
        """Renew it when it is time. While Redis is away nobody else can claim: go on."""
        if self.lost or not (now or time.monotonic() >= self._next_beat):
            return
        self._next_beat = time.monotonic() + BEAT_SECONDS
        try:
            self.hold = self._store.renew(self._job_id, self._attempt, self._seconds)
            self._reachable = True
        except Unavailable:
            self._reachable = False

    def try_out(self, step: Callable[[], None]) -> None:
        """Take a step that Redis may refuse to who has lost the job; none while Redis is away."""
        if not self._reachable:
            return
        try:
            step()
        except Unavailable:
            self._reachable = False
        except Refused:
            self.hold = Hold.LOST
