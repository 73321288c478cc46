"""docs/adding-a-part.md: its example is a part, and the files it names exist."""

from __future__ import annotations

import re
from pathlib import Path

from jobs.specs.part_models import Strict, part_model
from trainer.parts import Param, Registry

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "adding-a-part.md").read_text(encoding="utf-8")


def test_the_example_is_a_part_with_a_schema() -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    losses = Registry("loss")
    # As in the trainer's own files: annotations are types, not the text that this module makes of them.
    exec(compile(code, "adding-a-part.md", "exec", dont_inherit=True), {"losses": losses, "Param": Param})
    [part] = losses
    knee = part_model(part, Strict).model_json_schema()["properties"]["knee"]
    assert (part.facts["target"], knee["exclusiveMinimum"], knee["default"]) == ("values", 0, 1.0)
    assert part.positional == ["output", "target"]


def test_the_files_it_names_exist() -> None:
    named = set(re.findall(r"`((?:tests|trainer|scripts)/[\w/.]+)", PAGE))
    missing = [name for name in named if not (ROOT / name).exists()]
    assert named
    assert not missing
