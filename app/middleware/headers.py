"""What every answer says to browsers: run nothing of others, guess nothing, frame nothing, keep nothing."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import failure

Headers = list[tuple[bytes, bytes]]

_EVERYWHERE: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_POLICY = b"content-security-policy"
_FRAMED_NOWHERE = ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'")


def _policy(*directives: str) -> Headers:
    return [*_EVERYWHERE, (_POLICY, "; ".join((*directives, *_FRAMED_NOWHERE)).encode())]


_PAGES = _policy("default-src 'self'", "img-src 'self' data: blob:", "form-action 'self'")
_DATA = [*_policy("default-src 'none'", "sandbox"), (b"cache-control", b"no-store")]


def of(path: str) -> Headers:
    """The headers of answers at ``path``."""
    return _DATA if path.startswith("/v1/") else _PAGES


class SecurityHeaders:
    """Adds them to every answer, one to a failure of ours too, that does not say otherwise itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fixed = of(scope["path"])
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                own = message["headers"]
                said = {name.lower() for name, _ in own}
                # What a dependency has to say, whatever response the endpoint makes.
                more = scope.get("state", {}).get("answer_headers", ())
                message["headers"] = [*own, *(header for header in fixed if header[0] not in said), *more]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            # Starlette's own handler would answer outside of this; the server still logs the traceback.
            if not started:
                await failure()(scope, receive, sending)
            raise
