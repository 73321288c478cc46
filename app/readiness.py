"""What the service needs to take jobs, looked at one by one."""

from __future__ import annotations

import shutil
import tempfile

from app.resources.health import Check, Readiness
from jobs.errors import JobsError
from jobs.store import Store
from jobs.volume import require_volume
from jobs.workers import list_workers
from trainer.layout import Volume

NEEDED = {"redis", "volume"}
"""Without a worker jobs can still be taken: they wait."""


def readiness(store: Store, volume: Volume) -> Readiness:
    """Redis, the volume and the workers; ready where those that are needed are well."""
    checks = [_redis(store), _volume(volume), _workers(store)]
    return Readiness(ready=all(check.ok for check in checks if check.name in NEEDED), checks=checks)


def _redis(store: Store) -> Check:
    try:
        store.ping()
    except JobsError as error:
        return Check(name="redis", ok=False, detail=error.detail)
    return Check(name="redis", ok=True, detail="answers")


def _volume(volume: Volume) -> Check:
    try:
        require_volume(volume)
    except JobsError as error:
        return Check(name="volume", ok=False, detail=error.detail)
    try:
        with tempfile.TemporaryFile(dir=volume.incoming):
            free = shutil.disk_usage(volume.path).free
    except OSError as error:
        return Check(name="volume", ok=False, detail=f"not writable: {error.strerror}")
    return Check(name="volume", ok=True, detail=f"writable, {free:,} bytes free")


def _workers(store: Store) -> Check:
    try:
        count = len(list_workers(store))
    except JobsError as error:
        return Check(name="workers", ok=False, detail=error.detail)
    return Check(name="workers", ok=count > 0, detail=f"{count} heard of lately")
