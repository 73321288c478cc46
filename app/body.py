"""JSON bodies, read whole up to a limit; what is wrong with one is named by line and column."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from fastapi import Depends, Request
from python_multipart.multipart import parse_options_header

from jobs.errors import Fault, InvalidInput, UnsupportedMediaType

FORM = "application/x-www-form-urlencoded"
KINDS = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}


def json_object(raw: bytes, pointer: str = "") -> dict[str, Any]:
    """The JSON object that ``raw`` holds, stricter than ``json.loads``.

    InvalidInput for text that is not JSON (NaN and numbers beyond a double included), for a
    key that stands twice in one object, and for anything that is not an object.
    """
    try:
        found = json.loads(
            raw.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_without_repeats,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise InvalidInput.of([Fault(pointer, "json_invalid", f"no JSON: {error.msg} at {where}")]) from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput.of([Fault(pointer, "json_invalid", f"no JSON: {error}")]) from None
    if not isinstance(found, dict):
        kind = KINDS.get(type(found), "a number")
        raise InvalidInput.of([Fault(pointer, "object_expected", f"a JSON object is needed, not {kind}")])
    return found


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is larger than any double")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


async def spec_document(request: Request) -> dict[str, Any]:
    """The request's body as a JSON object; app/limits.py watches how long it gets."""
    return json_object(await _whole(request))


def require_json(request: Request) -> None:
    """UnsupportedMediaType for a body that says of itself that it is no JSON.

    What says nothing is taken for JSON, and so is what curl calls ``-d``, which says that it is a form.
    """
    given = request.headers.get("content-type", "")
    kind, parameters = parse_options_header(given)
    media = kind.decode("latin-1")
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1").lower()
    is_json = media in ("", "application/json", FORM) or (
        media.startswith("application/") and media.endswith("+json")
    )
    if not is_json or charset not in ("utf-8", "us-ascii"):
        detail = f"a body of application/json in UTF-8 is read here, not {given!r}"
        raise UnsupportedMediaType.of([Fault("/header/content-type", "media_type", detail)])


async def _whole(request: Request) -> bytes:
    require_json(request)
    return await request.body()


async def optional_document(request: Request) -> dict[str, Any]:
    """As ``spec_document``; no body at all is an empty object."""
    return json_object(await _whole(request) or b"{}")


def patch_body(model: str, example: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """A JSON merge patch as the OpenAPI description shows it."""
    content = {"schema": {"$ref": f"#/components/schemas/{model}"}, "example": example}
    return {
        "requestBody": {
            "required": required,
            "description": "A JSON merge patch (RFC 7396).",
            "content": {"application/merge-patch+json": content, "application/json": content},
        }
    }


Document = Annotated[dict[str, Any], Depends(spec_document)]
OptionalDocument = Annotated[dict[str, Any], Depends(optional_document)]
