"""docs/datasets.md: its examples do what it says, and it names every option and no unknown code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from ingest.field_options import FieldOptions, HashOptions, TokenOptions
from ingest.images.options import GivenProposals, ImageOptions
from ingest.options import FORMATS, Options, SplitOptions
from ingest.proposals import ProposalSettings
from jobs.errors import InvalidInput
from tests.ingestion import Ingested, Ingestion

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+) (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """Files, the options that they are uploaded with, and what comes of it."""

    files: tuple[tuple[str, str, str], ...]
    """Language, name and text of each; Python writes the file itself."""
    options: dict[str, Any]
    role: str
    """What is shown of the outcome: fields, splits or errors."""
    outcome: Any
    before: Example | None
    """The example above this one."""

    def write(self, folder: Path) -> dict[str, Path]:
        for language, name, text in self.files:
            if language == "python":
                exec(text, {})
            else:
                (folder / name).write_text(text, encoding="utf-8")
        return {name: folder / name for _, name, _ in self.files}

    def add(self, ingestion: Ingestion, folder: Path) -> Ingested:
        """A data set that is to be like another is like that of the example before."""
        options = dict(self.options)
        if "like" in options:
            assert self.before is not None
            options["like"] = self.before.add(ingestion, folder).schema.id
        return ingestion.add(self.write(folder), **options)


def examples() -> list[Example]:
    found: list[Example] = []
    files: list[tuple[str, str, str]] = []
    options: dict[str, Any] = {}
    for language, name, text in BLOCKS:
        if "." in name:
            files.append((language, name, text))
        elif name == "options":
            options = json.loads(text)
        else:
            before = found[-1] if found else None
            found.append(Example(tuple(files), options, name, json.loads(text), before))
            files = []
    assert not files
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.files[0][1])
def test_example(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ingestion = Ingestion(tmp_path)
    if example.role == "errors":
        with pytest.raises(InvalidInput) as caught:
            example.add(ingestion, tmp_path)
        assert [vars(fault) for fault in caught.value.faults] == example.outcome
        return
    found = example.add(ingestion, tmp_path)
    if example.role == "splits":
        assert found.splits == example.outcome
        return
    fields = json.loads(found.schema.model_dump_json())["fields"]
    assert fields.keys() == example.outcome.keys()
    for field, lines in example.outcome.items():
        assert {key: fields[field][key] for key in lines} == lines


def test_all_formats_have_an_example() -> None:
    shown = {Path(name).suffix for _, name, _ in BLOCKS if "." in name}
    assert {FORMATS[suffix] for suffix in shown & FORMATS.keys()} == set(FORMATS.values())
    assert shown - FORMATS.keys() == {".xml"}


MODELS = [
    *(Options, FieldOptions, SplitOptions, TokenOptions, HashOptions),
    *(ImageOptions, GivenProposals, ProposalSettings),
]


@pytest.mark.parametrize("model", MODELS)
def test_every_option_is_named(model: type[BaseModel]) -> None:
    for option in model.model_fields:
        assert f"`{option}`" in PAGE or f'"{option}"' in PAGE, option


def test_defaults_of_proposals() -> None:
    """In the table of their options, a cell of names is followed by a cell of as many defaults."""
    table = PAGE[PAGE.index("| of `proposals` |") :].partition("\n\n")[0]
    told: dict[str, Any] = {}
    for row in table.splitlines()[2:]:
        names, defaults, *_ = row.strip("| ").split(" | ")
        values = json.loads(f"[{defaults.replace('`', '')}]")
        told |= zip(re.findall("`(.*?)`", names), values, strict=True)
    assert told == ProposalSettings().model_dump()


def test_every_code_exists() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "ingest").rglob("*.py"))
    table = PAGE[PAGE.index("| code |") :]
    codes = {
        code
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for code in re.findall("`(.*?)`", row)
    }
    assert len(codes) > 30
    assert {code for code in codes if f'"{code}"' not in source} == set()
