"""JSON as it is read here, stricter than ``json.loads``; what is wrong is named by its place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jobs.errors import Fault, InvalidInput

BOM = b"\xef\xbb\xbf"
"""Some programs put it before UTF-8; RFC 8259 lets whoever reads leave it out."""
DEEPEST = 100
"""Objects and lists within one another: no document of ours needs ten, and whoever walks one stays safe."""
LARGEST = 2**63 - 1
KINDS = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}


@dataclass(frozen=True)
class _Refused:
    """Stands in the document where something is that JSON, or we, do not have."""

    code: str
    detail: str


class _Repeated(dict[str, Any]):
    """An object in which a key stands twice."""

    twice: tuple[str, ...] = ()


class _Reader:
    """Reads one document; ``wrong`` says whether anything in it is to be refused."""

    def __init__(self) -> None:
        self.wrong = False

    def read(self, text: str) -> Any:
        return json.loads(
            text,
            parse_constant=self._constant,
            parse_float=self._float,
            parse_int=self._int,
            object_pairs_hook=self._object,
        )

    def _constant(self, word: str) -> _Refused:
        return self._refused("number_invalid", f"{word} is no JSON number; a finite one is needed")

    def _float(self, text: str) -> float | _Refused:
        value = float(text)
        if math.isfinite(value):
            return value
        return self._refused("number_too_large", f"{_short(text)} is larger than any double")

    def _int(self, text: str) -> int | _Refused:
        if len(text) < 19 or (len(text) < 22 and abs(int(text)) <= LARGEST):
            return int(text)
        return self._refused("number_too_large", f"{_short(text)} has more than 64 bits")

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        self.wrong = True
        names = [name for name, _ in pairs]
        repeated = _Repeated(found)
        repeated.twice = tuple(name for name in found if names.count(name) > 1)
        return repeated

    def _refused(self, code: str, detail: str) -> _Refused:
        self.wrong = True
        return _Refused(code, detail)


def json_object(raw: bytes, pointer: str = "") -> dict[str, Any]:
    """The JSON object that ``raw`` holds, in UTF-8.

    InvalidInput for text that is not JSON, by line and column; by JSON pointer and all at once for numbers
    that are no JSON (NaN) or that no double or 64-bit integer holds, for keys that stand twice in one object
    and for text that is no Unicode; for what is nested too deeply; and for anything that is not an object.
    """
    reader = _Reader()
    try:
        found = reader.read(raw.removeprefix(BOM).decode("utf-8"))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise _invalid(pointer, f"no JSON: {error.msg} at {where}") from None
    except UnicodeDecodeError as error:
        byte = f"0x{raw.removeprefix(BOM)[error.start]:02x}"
        raise _invalid(pointer, f"no JSON: byte {error.start} ({byte}) is no UTF-8") from None
    except RecursionError:
        raise _too_deep(pointer) from None
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _depth(found) > DEEPEST:
        raise _too_deep(pointer)
    if reader.wrong or b"\\ud" in raw.lower():
        faults = list(_faults(found, pointer))
        if faults:
            raise InvalidInput.of(faults)
    if not isinstance(found, dict):
        kind = KINDS.get(type(found), "a number")
        raise InvalidInput.of([Fault(pointer, "object_expected", f"a JSON object is needed, not {kind}")])
    return found


def _invalid(pointer: str, detail: str) -> InvalidInput:
    return InvalidInput.of([Fault(pointer, "json_invalid", detail)])


def _too_deep(pointer: str) -> InvalidInput:
    detail = f"objects and lists may stand in one another at most {DEEPEST} deep"
    return InvalidInput.of([Fault(pointer, "too_deep", detail)])


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


def _faults(value: Any, pointer: str) -> Iterator[Fault]:
    """What is refused of a document, in its order; no deeper than ``DEEPEST``."""
    if isinstance(value, _Refused):
        yield Fault(pointer, value.code, value.detail)
    elif isinstance(value, str) and _is_half(value):
        yield Fault(pointer, "text_invalid", f"{_short(ascii(value))} has half a surrogate pair")
    elif isinstance(value, dict):
        for name in value.twice if isinstance(value, _Repeated) else ():
            if _is_half(name):
                continue
            detail = f"the key {name!r} stands twice in one object"
            yield Fault(f"{pointer}/{_escaped(name)}", "key_repeated", detail)
        for name in filter(_is_half, value):
            yield Fault(pointer, "text_invalid", f"the key {_short(ascii(name))} has half a surrogate pair")
        for name, inner in value.items():
            if not _is_half(name):
                yield from _faults(inner, f"{pointer}/{_escaped(name)}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _faults(inner, f"{pointer}/{index}")


def _is_half(text: str) -> bool:
    """Whether no UTF-8 can say it: an escape such as ``\\ud83d`` stands without its other half."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:20]}… ({len(text):,} characters)"
