"""JSON bodies: what is refused, and how the place is named."""

from __future__ import annotations

import pytest

from app.strict_json import DEEPEST, json_object
from jobs.errors import InvalidInput


def test_object_is_read() -> None:
    assert json_object(b'{"a": [1, 2.5, "\xc3\xa9"]}') == {"a": [1, 2.5, "é"]}


@pytest.mark.parametrize(
    ("raw", "code", "named"),
    [
        (b"", "json_invalid", "line 1 column 1"),
        (b'{\n "a": 1,\n}', "json_invalid", "line 3 column 1"),
        (b'{"a": "\xff"}', "json_invalid", "byte 7 (0xff) is no UTF-8"),
        (b"[" * 100_000, "too_deep", "at most 100 deep"),
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


def test_every_refused_value_is_pointed_at() -> None:
    raw = b"""{"a": NaN, "b": {"c": 1, "c": 2, "d/e": [0, -Infinity]}, "f": 1e999,
               "g": 9223372036854775808, "h": -9223372036854775807, "i": %s}"""
    with pytest.raises(InvalidInput) as caught:
        json_object(raw % (b"9" * 5000), "/options")
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [
        ("/options/a", "number_invalid"),
        ("/options/b/c", "key_repeated"),
        ("/options/b/d~1e/1", "number_invalid"),
        ("/options/f", "number_too_large"),
        ("/options/g", "number_too_large"),
        ("/options/i", "number_too_large"),
    ]
    assert all(len(fault.detail) < 100 for fault in caught.value.faults)


def test_byte_order_mark_is_left_out() -> None:
    assert json_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_depth_is_limited() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"

    json_object(nested(DEEPEST))
    json_object(b'{"a": [' + b"[]," * DEEPEST + b"[]]}")
    with pytest.raises(InvalidInput) as caught:
        json_object(nested(DEEPEST + 1))
    assert caught.value.faults[0].code == "too_deep"


def test_text_is_unicode() -> None:
    assert json_object(rb'{"a": "\ud83d\ude00"}') == {"a": "\U0001f600"}
    with pytest.raises(InvalidInput) as caught:
        json_object(rb'{"a": ["\ud83d", "\ud83d\ude00"], "b": {"\uDE00": 1}}')
    faults = caught.value.faults
    assert [(fault.pointer, fault.code) for fault in faults] == [
        ("/a/0", "text_invalid"),
        ("/b", "text_invalid"),
    ]
    assert all(fault.detail.isascii() for fault in faults)
