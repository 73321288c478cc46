"""From the spec that a client posts to the one that a trainer runs: checked, resolved, complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.checks import check
from jobs.dataset import load_schema
from jobs.errors import InvalidInput
from jobs.fingerprint import fingerprint
from jobs.settings import Settings
from jobs.shapes import estimate
from jobs.spec_models import parse
from trainer.layout import Volume


@dataclass(frozen=True)
class NormalisedSpec:
    """A spec with every default filled in and every name resolved, as spec.json holds it."""

    document: dict[str, Any]
    estimate: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        return str(self.document["fingerprint"])

    @property
    def dataset(self) -> str:
        return str(self.document["dataset"])


def normalise(document: Mapping[str, Any], volume: Volume, settings: Settings) -> NormalisedSpec:
    """The complete spec; InvalidInput with every fault at once, NotFound without its data set.

    Structural faults (types, unknown keys) come first: meaning is only looked for in a whole spec.
    """
    spec = parse(document).model_dump()
    schema = load_schema(volume, spec["dataset"])
    planned, faults = check(spec, schema)
    if faults:
        raise InvalidInput.of(faults)
    spec["network"] = [spec["network"][position] for position in planned.order]
    if spec["training"]["threads"] is None:
        spec["training"]["threads"] = settings.threads
    spec["fingerprint"] = fingerprint(spec)
    return NormalisedSpec(spec, estimate(spec, planned, schema))
