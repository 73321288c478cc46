"""Layers that are parts of base models: the models are there, and have the nodes that are named."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from jobs.base_models.in_jobs import Lookup, of_base
from jobs.base_models.shapes import Base
from jobs.errors import Conflict, NotFound
from jobs.specs.checks.draft import Draft
from trainer.parts.pretrained import between

RECURRENT = ("PastValue", "FutureValue")


def bases(draft: Draft, lookup: Lookup) -> dict[str, Base | None]:
    """The base model of each layer that is part of one; None where something of it is wrong.

    The digest of the model's file goes into the layer, and so into the fingerprint.
    """
    return {
        layer["name"]: base(draft, f"/network/{position}", layer, lookup)
        for position, layer in enumerate(draft.spec["network"])
        if of_base(layer)
    }


def base(draft: Draft, at: str, layer: dict[str, Any], lookup: Lookup) -> Base | None:
    """The base model of one layer; None where something of it is wrong."""
    try:
        found = Base(lookup(layer["model"]))
    except NotFound as error:
        draft.fault(f"{at}/model", "unknown_model", f"{error.detail}; GET /v1/models lists those there are")
        return None
    except Conflict as error:
        draft.fault(f"{at}/model", "model_not_ready", error.detail)
        return None
    layer["sha256"] = found.record.sha256
    faults = len(draft.faults)
    _cut(draft, at, layer, found)
    return found if len(draft.faults) == faults else None


def _cut(draft: Draft, at: str, layer: dict[str, Any], base: Base) -> None:
    """first, last and freeze name nodes, and these lie behind one another."""
    first, last, freeze = layer["first"], layer["last"], layer["freeze"]
    beginnings = [*base.inputs, *base.nodes]
    whole = _known(draft, f"{at}/first", first, beginnings, base) if first is not None else True
    whole = _known(draft, f"{at}/last", last, list(base.nodes), base) and whole
    still = freeze in ("all", "none") or _known(draft, f"{at}/freeze", freeze, list(base.nodes), base)
    if not whole:
        return
    called = base.record.id
    if first in base.nodes and (first == last or first not in between(base.sources, None, last)):
        detail = f"{last!r} of {called} does not depend on {first!r}; first must come before last"
        draft.fault(f"{at}/last", "order", detail)
        return
    others = [name for name in base.fed(first, last) if name != first]
    if others[0 if first is not None else 1 :]:
        detail = f"{last!r} of {called} takes in {' and '.join(map(repr, others))}"
        detail += (
            f", not {first!r} alone" if first is not None else ", and a layer feeds one of a model's inputs"
        )
        draft.fault(
            f"{at}/first", "other_way", f"{detail}; name a node that all ways to {last!r} lead through"
        )
        return
    names = between(base.sources, first, last)
    recurrent = [name for name in names if base.nodes[name].op in RECURRENT]
    if recurrent:
        detail = f"{recurrent[0]!r} of {called} looks at other steps; only feed-forward nodes can be used"
        draft.fault(f"{at}/last", "recurrent", detail)
    if still and freeze not in ("all", "none", *names):
        detail = f"{freeze!r} of {called} is not between first and last; {_near(freeze, names)}"
        draft.fault(f"{at}/freeze", "order", detail)


def _known(draft: Draft, at: str, name: str, known: Sequence[str], base: Base) -> bool:
    if name not in known:
        draft.fault(at, "unknown_node", f"{base.record.id} has no node {name!r}; {_near(name, known)}")
    return name in known


def _near(name: str, known: Sequence[str]) -> str:
    """The nearest names; of a model's hundreds not all."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(map(repr, near)) + "?"
    shown = [*known[:4], "…", *known[-4:]] if len(known) > 10 else known
    return "there are: " + ", ".join(shown)
