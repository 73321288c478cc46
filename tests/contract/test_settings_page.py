"""docs/settings.md names every setting, with its default, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from jobs.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
ROWS = dict(re.findall(r"^\| `CNTK_JOBS_(\w+)` \| (.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_setting_is_documented() -> None:
    assert {name.lower() for name in ROWS} == set(Settings.model_fields)


@pytest.mark.parametrize(("name", "field"), Settings.model_fields.items())
def test_default_is_as_documented(name: str, field: FieldInfo) -> None:
    shown = ROWS[name.upper()]
    if isinstance(field.default, str | int | float):
        assert shown.startswith(f"`{field.default}`")
    elif not field.default:
        assert shown == "none"
