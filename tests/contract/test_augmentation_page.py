"""docs/augmentation.md: its table is the registry's, and its examples are specs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from jobs.specs.models import InputSpec
from tests.trainer_scripts import complete
from trainer.parts import augmentations

PAGE = (Path(__file__).parents[2] / "docs" / "augmentation.md").read_text(encoding="utf-8")
EXAMPLES = [
    json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
]


def listed() -> dict[str, dict[str, str]]:
    """Type to its settings and their defaults, as the table has them."""
    found: dict[str, dict[str, str]] = {}
    table = PAGE[PAGE.index("| type | setting |") : PAGE.index("Changed colours")]
    kind = ""
    for line in table.splitlines()[2:]:
        if not line.startswith("|"):
            continue
        name, settings, defaults, _ = (cell.strip() for cell in line.strip("|").split("|"))
        kind = name.strip("`") or kind
        known = defaults.split(", ") if defaults else [""]
        found.setdefault(kind, {}).update(zip(re.findall(r"`(\w+)`", settings), known, strict=True))
    return found


def test_every_augmentation_and_setting_is_in_the_table() -> None:
    registered = {
        part.name: {
            name: "" if param.required else f"{param.default:g}" for name, (_, param) in part.params.items()
        }
        for part in augmentations
    }
    assert listed() == registered


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_is_accepted(example: dict[str, Any]) -> None:
    for document in example["inputs"].values():
        read = TypeAdapter(InputSpec).validate_python(document)
        assert [entry["type"] for entry in read.model_dump()["augment"]]
        for entry in read.model_dump()["augment"]:
            part = augmentations[entry["type"]]
            assert complete("augmentation", entry) == entry
            if part.plan is not None:
                part.plan((3, 32, 32), **{key: value for key, value in entry.items() if key != "type"})
