"""What there is at an address, for those who asked for something else."""

from __future__ import annotations

from difflib import get_close_matches

from fastapi import Request
from fastapi.routing import iter_route_contexts


def allowed(request: Request) -> str:
    """``Allow`` of a 405: the methods of the resource at the request's path, each a route of its own.

    Empty where there is none.
    """
    path: str = request.scope["path"]
    routes = [
        (route.path, route.methods or ())
        for route in iter_route_contexts(request.app.routes)
        if route.path and route.path_regex and route.path_regex.match(path)
    ]
    # Of /jobs/cancel and /jobs/{job_id} the one that is spelt out is meant.
    spelt_out = min((place for place, _ in routes), key=lambda text: text.count("{"), default="")
    found = {method for place, methods in routes if place == spelt_out for method in methods}
    return ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))


def nothing_at(request: Request) -> str:
    """That there is no resource at the request's path, and what may have been meant."""
    path: str = request.scope["path"]
    known = [route.path for route in iter_route_contexts(request.app.routes) if route.path]
    near = get_close_matches(path, [place for place in known if "{" not in place], n=1, cutoff=0.7)
    return f"there is nothing at {path!r}; " + (
        f"did you mean {near[0]!r}?" if near else "/docs shows all that there is"
    )
