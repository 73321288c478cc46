"""``/``, ``/docs`` and ``/ui``: the dashboard, and the API described.

The files hold no data, so they need no token; what the dashboard shows does.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

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
async def read_dashboard(request: Request) -> Response:
    return _page("index.html")


@router.api_route("/docs", methods=["GET", "HEAD"], summary="The API described, by Swagger UI")
async def read_docs(request: Request) -> Response:
    return _page("docs.html")


# Redoc writes styles into the page, which the policy forbids.
@router.api_route("/redoc", methods=["GET", "HEAD"], summary="The same under the name of another viewer")
async def read_redoc(request: Request) -> Response:
    return RedirectResponse("/docs", status_code=308)


def _page(name: str) -> Response:
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(assets().pages[name], media_type="text/html; charset=utf-8", headers=headers)


# A plain function: compressing a library, once, takes a third of a second.
@router.api_route("/ui/{digest}/{path:path}", methods=["GET", "HEAD"], summary="One file of a page")
def read_asset(request: Request, digest: str, path: str) -> Response:
    found = assets().find(path)
    if found is None:
        raise NotFound(f"there is no file {path!r} of the pages")
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
