"""The specs of jobs that are asked for again and again, kept in memory."""

from __future__ import annotations

from collections import OrderedDict

from starlette.concurrency import run_in_threadpool

from jobs.record import Record
from trainer.layout import Volume

KEPT = 256
LARGEST = 256 * 1024


class Specs:
    """spec.json of jobs as bytes.

    A retry may put another spec in a job's place, and then queues it: so a spec is read anew
    once the job has begun another phase.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._kept: OrderedDict[str, tuple[int, bytes]] = OrderedDict()

    async def of(self, record: Record) -> bytes:
        """The spec of a job; ``null`` where the volume has none."""
        kept = self._kept.get(record.id)
        if kept is not None and kept[0] == record.phase_at:
            self._kept.move_to_end(record.id)
            return kept[1]
        found = await run_in_threadpool(spec_bytes, record.id, self._volume)
        if len(found) <= LARGEST:
            self._kept[record.id] = (record.phase_at, found)
            self._kept.move_to_end(record.id)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found


def spec_bytes(job_id: str, volume: Volume) -> bytes:
    """The spec of a job as it lies on the volume; ``null`` where it does not."""
    try:
        return volume.job(job_id).spec.read_bytes()
    except FileNotFoundError:
        return b"null"
