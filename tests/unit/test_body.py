"""JSON bodies: what is refused, and how the place is named."""

from __future__ import annotations

import pytest

from app.body import json_object
from jobs.errors import InvalidInput


def test_object_is_read() -> None:
    assert json_object(b'{"a": [1, 2.5, "\xc3\xa9"]}') == {"a": [1, 2.5, "é"]}


@pytest.mark.parametrize(
    ("raw", "code", "named"),
    [
        (b"", "json_invalid", "line 1 column 1"),
        (b'{\n "a": 1,\n}', "json_invalid", "line 3 column 1"),
        (b'{"a": NaN}', "json_invalid", "NaN"),
        (b'{"a": -Infinity}', "json_invalid", "-Infinity"),
        (b'{"a": 1e999}', "json_invalid", "1e999"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "json_invalid", "'c' stands twice"),
        (b'{"a": "\xff"}', "json_invalid", "utf-8"),
        (b"[" * 100_000, "json_invalid", "recursion"),
        (b"[1, 2]", "object_expected", "an array"),
        (b'"text"', "object_expected", "a string"),
        (b"null", "object_expected", "null"),
        (b"true", "object_expected", "true or false"),
        (b"12", "object_expected", "a number"),
    ],
)
def test_refused(raw: bytes, code: str, named: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        json_object(raw, "/options")
    (fault,) = caught.value.faults
    assert (fault.pointer, fault.code) == ("/options", code)
    assert named in fault.detail
