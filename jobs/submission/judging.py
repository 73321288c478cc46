"""A posted spec judged as a whole: by itself, and by the other jobs that it names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from jobs import cores
from jobs.checkpoints import Chosen, resolve
from jobs.errors import Fault, InvalidInput, NotFound
from jobs.schedule import after_faults
from jobs.settings import Settings
from jobs.specs.normalise import NormalisedSpec, normalise
from jobs.specs.structure import in_order, soundness
from jobs.store import Store
from jobs.submission.start import resolve_start, source_of
from trainer.layout import Volume


def judged(
    document: Mapping[str, Any], store: Store, settings: Settings
) -> tuple[NormalisedSpec, Chosen | None]:
    """The complete spec, and the checkpoint that it starts from.

    InvalidInput with every fault at once, NotFound where only its data set is missing, Conflict where the
    checkpoint to start from does not fit or is broken.
    """
    try:
        spec = normalise(document, settings.volume, settings, allowance=partial(cores.allowed, store=store))
    except (InvalidInput, NotFound) as error:
        more = _jobs(document, error.faults, store, settings.volume)
        if not more:
            raise
        raise InvalidInput.of(in_order([*error.faults, *more], document)) from None
    waited = after_faults(document.get("after") or (), store)
    try:
        start = resolve_start(spec, settings.volume)
    except InvalidInput as error:
        raise InvalidInput.of(in_order([*error.faults, *waited], document)) from None
    if waited:
        raise InvalidInput.of(waited)
    return spec, start


def _jobs(document: Mapping[str, Any], told: tuple[Fault, ...], store: Store, volume: Volume) -> list[Fault]:
    """The jobs and checkpoints that nothing is, of those that can be read beside what is ``told`` already."""
    sound = soundness(told)
    found: list[Fault] = []
    start = document.get("start_from")
    if isinstance(start, Mapping) and sound("/start_from"):
        try:
            resolve(source_of(start, volume), start.get("checkpoint", "latest"))
        except InvalidInput as error:
            found += error.faults
        except NotFound as error:
            found.append(Fault("/start_from/checkpoint", "unknown_checkpoint", error.detail))
    if sound("/after") and isinstance(document.get("after"), list):
        found += after_faults(document["after"], store)
    return found
