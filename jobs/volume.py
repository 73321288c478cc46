"""The volume made, once; and known again, so that an unmounted disk is not taken for an empty volume."""

from __future__ import annotations

from jobs.connection import reaching_redis
from jobs.errors import Unavailable
from jobs.store import Store
from trainer.files import write_json
from trainer.layout import Volume

_KNOWN = "cj:volume"
"""There once the volume has been made."""
_LAYOUT = 1
"""Version of what trainer/layout.py tells of it."""


def require_volume(volume: Volume) -> None:
    """Unavailable where the volume is not there."""
    if not volume.present():
        raise Unavailable(
            f"the volume is not there: {volume.path} has no {volume.mark.name}. Mount its disk; or, "
            f"where it is gone for good with its jobs, delete the key {_KNOWN} of Redis"
        )


def make_volume(volume: Volume, store: Store) -> None:
    """Make the volume's folders if need be; one that has the jobs of which Redis knows is never made anew.

    Unavailable where that one is not there, and where Redis, which would know of it, is not.
    """
    if not volume.present():
        with reaching_redis():
            known = store.client.exists(_KNOWN) and store.client.zcard("cj:jobs")
        if known:
            require_volume(volume)
        write_json(volume.mark, {"layout": _LAYOUT})
    for folder in (volume.jobs, volume.datasets, volume.models, volume.incoming):
        folder.mkdir(parents=True, exist_ok=True)
    with reaching_redis():
        store.client.set(_KNOWN, 1)
