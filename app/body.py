"""JSON bodies, read whole up to a limit, and what may be said of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from python_multipart.multipart import parse_options_header

from app.strict_json import json_object
from jobs.errors import Fault, UnsupportedMediaType

FORM = "application/x-www-form-urlencoded"


async def spec_document(request: Request) -> dict[str, Any]:
    """The request's body as a JSON object; app/middleware/limits.py watches how long it gets."""
    return json_object(await _whole(request))


def require_json(request: Request) -> None:
    """UnsupportedMediaType for a body that says of itself that it is no JSON.

    What says nothing is taken for JSON, and so is what curl calls ``-d``, which says that it is a form.
    """
    require_plain(request)
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


def require_plain(request: Request) -> None:
    """UnsupportedMediaType for a body that is packed, as by gzip."""
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() not in ("", "identity"):
        detail = f"a body is read as it is, not packed as {coding!r}; send it without Content-Encoding"
        raise UnsupportedMediaType.of([Fault("/header/content-encoding", "content_encoding", detail)])


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
