"""docs/datasets.md: its examples do what it says, and it names every option and no unknown code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingest.options import FieldOptions, Options, SplitOptions
from jobs.errors import InvalidInput
from tests.ingestion import Ingestion

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+) (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One file, the options that it is uploaded with, and what comes of it."""

    language: str
    filename: str
    text: str
    options: dict[str, Any]
    role: str
    """What is shown of the outcome: fields, splits or errors."""
    outcome: Any

    def write(self, folder: Path) -> Path:
        """The file; a Python example writes it itself."""
        if self.language == "python":
            exec(self.text, {})
        else:
            (folder / self.filename).write_text(self.text, encoding="utf-8")
        return folder / self.filename


def examples() -> list[Example]:
    found = []
    for (language, name, text), (_, _, options), (_, role, outcome) in zip(
        BLOCKS, BLOCKS[1:], BLOCKS[2:], strict=False
    ):
        if "." in name:
            found.append(Example(language, name, text, json.loads(options), role, json.loads(outcome)))
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.filename)
def test_example(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ingestion = Ingestion(tmp_path)
    files = {example.filename: example.write(tmp_path)}
    if example.role == "errors":
        with pytest.raises(InvalidInput) as caught:
            ingestion.add(files, **example.options)
        assert [vars(fault) for fault in caught.value.faults] == example.outcome
        return
    found = ingestion.add(files, **example.options)
    if example.role == "splits":
        assert found.splits == example.outcome
        return
    fields = json.loads(found.schema.model_dump_json())["fields"]
    assert fields.keys() == example.outcome.keys()
    for field, lines in example.outcome.items():
        assert {key: fields[field][key] for key in lines} == lines


def test_all_formats_have_an_example() -> None:
    assert {Path(name).suffix for _, name, _ in BLOCKS if "." in name} == {".csv", ".arff", ".npz", ".ctf"}


@pytest.mark.parametrize("model", [Options, FieldOptions, SplitOptions])
def test_every_option_is_named(model: type[Options | FieldOptions | SplitOptions]) -> None:
    for option in model.model_fields:
        assert f"`{option}`" in PAGE or f'"{option}"' in PAGE, option


def test_every_code_exists() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "ingest").glob("*.py"))
    table = PAGE[PAGE.index("| code |") :]
    codes = {
        code
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for code in re.findall("`(.*?)`", row)
    }
    assert len(codes) > 30
    assert {code for code in codes if f'"{code}"' not in source} == set()
