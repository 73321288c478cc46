"""docs/models.md names every option, operation and kind of walls."""

from __future__ import annotations

import re
from pathlib import Path

from jobs.base_models.records import ModelRecord, Preprocessing
from jobs.imports import ModelOptions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def test_every_option_is_documented() -> None:
    options = {*ModelOptions.model_fields, *(f"preprocessing.{name}" for name in Preprocessing.model_fields)}
    rows = re.findall(r"^\| (`.*?`) \|", PAGE.partition("## Options")[2].partition("##")[0], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([\w.]+)`", row)} == options


def test_what_the_record_says_is_in_the_record() -> None:
    part = PAGE.partition("## What the record says")[2].partition("##")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) <= set(ModelRecord.model_fields)


def test_operations_of_onnx_are_those_that_are_built() -> None:
    # The modules need CNTK to be run, not to be read.
    modules = (ROOT / "trainer" / "onnx").glob("*.py")
    source = "".join(path.read_text(encoding="utf-8") for path in modules)
    built = set(re.findall(r'^(?:unary|binary)\("(\w+)"', source, re.MULTILINE))
    for names in re.findall(r"^@operation\((.*?)\)$", source, re.MULTILINE):
        built |= set(re.findall(r'"(\w+)"', names))
    listed = PAGE.partition("these operations: ")[2].partition(". What")[0]
    assert set(re.findall(r"\w+", listed)) == built
