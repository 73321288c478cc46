"""``Accept``: whoever takes none of what a resource can be shown as is told so, with 406."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

JSON = "application/json"


def acceptable(request: Request) -> None:
    """Raise 406 where ``Accept`` rules out every kind of answer of this route."""
    accept = request.headers.get("accept")
    if not accept or "*/*" in accept:
        return
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    offered = offers(route)
    if offered and not any(accepts(accept, media) for media in offered):
        raise HTTPException(406, f"this is shown as {' or '.join(offered)}, and Accept names {accept!r}")


def offers(route: APIRoute) -> list[str]:
    """The media types of an endpoint's answers; none where it may be any, or there is no content."""
    if route.status_code == 204:
        return []
    answers: list[dict[str, Any]] = [found for code, found in route.responses.items() if str(code)[0] == "2"]
    named = [media for answer in answers for media in answer.get("content", {})]
    if "*/*" in named:
        return []
    return list(dict.fromkeys([JSON, *named] if route.response_model or not named else named))


def accepts(accept: str, media: str) -> bool:
    """Whether an ``Accept`` header lets a media type be sent: by the most particular of its ranges."""
    kind = media.partition("/")[0]
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            weights[name] = float(weight)
        except ValueError:
            weights[name] = 1.0
    return next((weights[name] > 0 for name in (media, f"{kind}/*", "*/*") if name in weights), False)
