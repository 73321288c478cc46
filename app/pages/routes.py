"""``/`` and ``/ui``: the dashboard. Its files hold no data, so they need no token; what it shows does."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.pages.assets import Asset, assets
from jobs.errors import NotFound

router = APIRouter(include_in_schema=False)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # Pictures of a job are fetched with the token, and shown from memory.
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@router.api_route("/", methods=["GET", "HEAD"], summary="The dashboard")
async def read_page(request: Request) -> Response:
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(assets().index, media_type="text/html; charset=utf-8", headers=headers)


# A plain function: compressing the chart library, once, takes a third of a second.
@router.api_route("/ui/{digest}/{path:path}", methods=["GET", "HEAD"], summary="One file of the dashboard")
def read_asset(request: Request, digest: str, path: str) -> Response:
    found = assets().find(path)
    if found is None:
        raise NotFound(f"there is no file {path!r} of the dashboard")
    # A page that was open while the service was renewed still asks by the old digest.
    keep = "public, max-age=31536000, immutable" if digest == assets().digest else "no-cache"
    headers = {"Cache-Control": keep, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    return _encoded(found, request, headers)


def _encoded(found: Asset, request: Request, headers: dict[str, str]) -> Response:
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            found.compressed, media_type=found.media_type, headers={**headers, "Content-Encoding": "gzip"}
        )
    return Response(found.content, media_type=found.media_type, headers=headers)
