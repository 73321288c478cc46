"""``Allow`` of a 405: every method of a resource, each of which is a route of its own."""

from __future__ import annotations

from fastapi import Request
from fastapi.routing import iter_route_contexts


def allowed(request: Request) -> str:
    """The methods of the resource at the request's path; empty where there is none."""
    path: str = request.scope["path"]
    routes = [
        (route.path, route.methods or ())
        for route in iter_route_contexts(request.app.routes)
        if route.path and route.path_regex and route.path_regex.match(path)
    ]
    # Of /jobs/cancel and /jobs/{job_id} the one that is spelt out is meant.
    spelt_out = min((place for place, _ in routes), key=lambda text: text.count("{"), default="")
    return ", ".join(
        sorted({method for place, methods in routes if place == spelt_out for method in methods})
    )
