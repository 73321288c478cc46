"""What makes two specs the same training: the fingerprint, and where two specs differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SCHEDULING = ("limits", "priority", "after", "requires", "tags")
"""Top-level keys that say when and where a job runs, and how it is found."""
BUDGET = ("name", "start_from", "checkpoints", *SCHEDULING, "decisions", "keep", "fingerprint")
"""Top-level keys that may differ between a job and the one it continues exactly: none decides a bit
of the training."""
TRAINING_BUDGET = ("epochs", "early_stopping", "blocktime_ms")
SINCE = {"permutation": "drawn", "mkl_code": "auto"}
"""Keys of ``training`` that older specs lack, and what these mean."""
IDENTITY = ("name", "start_from", "fingerprint")
"""Top-level keys that say which job this is rather than what it trains."""


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def comparable(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What an exact continuation has in common with the job it continues: all but the budget."""
    kept = {key: value for key, value in spec.items() if key not in BUDGET}
    kept["training"] = {
        key: value
        for key, value in spec["training"].items()
        if key not in TRAINING_BUDGET and SINCE.get(key, ...) != value
    }
    return kept


def fingerprint(spec: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of ``comparable``; the order of the layers counts."""
    return hashlib.sha256(_canonical(comparable(spec)).encode()).hexdigest()


def diff(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where two complete specs differ beyond the budget: pointer and both values."""
    return list(_differences("", comparable(here), comparable(there)))


def changes(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every difference between a job's complete spec and another's, the budget included."""
    kept = [{key: value for key, value in spec.items() if key not in IDENTITY} for spec in (here, there)]
    return list(_differences("", *kept))


def differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every difference between two complete specs, names and starting points included."""
    kept = [{key: value for key, value in spec.items() if key != "fingerprint"} for spec in (here, there)]
    return list(_differences("", *kept))


def _differences(at: str, here: Any, there: Any) -> list[dict[str, Any]]:
    if isinstance(here, dict) and isinstance(there, dict):
        return [
            found
            for key in sorted(here.keys() | there.keys())
            for found in _differences(f"{at}/{key}", here.get(key), there.get(key))
        ]
    if isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        return [
            found
            for index, pair in enumerate(zip(here, there, strict=True))
            for found in _differences(f"{at}/{index}", *pair)
        ]
    return [] if here == there else [{"pointer": at, "here": here, "there": there}]
