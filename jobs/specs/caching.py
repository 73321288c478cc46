"""What a training is left to compute where the values of some layers are cached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.specs.shapes import sources


def behind_the_cache(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """A spec without the inputs and layers that are there for cached layers alone."""
    layers = {layer["name"]: layer for layer in spec["network"]}
    terms = spec["objective"] + spec["metrics"]
    taken = {source for layer in layers.values() for source in sources(layer)}
    waiting = [*(layers.keys() - taken), *spec["outputs"], *(name for term in terms for name in named(term))]
    needed = set[str]()
    while waiting:
        name = waiting.pop()
        if name in layers.keys() - needed - set(spec["cached"]):
            waiting += sources(layers[name])
        needed.add(name)
    return {
        **spec,
        "inputs": {name: entry for name, entry in spec["inputs"].items() if name in needed},
        "network": [layer for layer in spec["network"] if layer["name"] in needed],
    }


def named(term: Mapping[str, Any]) -> list[str]:
    """The nodes and fields that a term or a metric compares."""
    found = [term.get("output"), term["target"]]
    return [name for one in found if one for name in (one if isinstance(one, list) else [one])]
