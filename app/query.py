"""Query parameters: unknown ones are refused, and the known ones named."""

from __future__ import annotations

from fastapi import Request
from fastapi.routing import APIRoute

from jobs.errors import Fault, InvalidInput


async def known_parameters_only(request: Request) -> None:
    """Raise InvalidInput for every query parameter that the route does not declare.

    A misspelt filter that is ignored answers a question that nobody asked.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = sorted(found.alias for found in route.dependant.query_params)
    cure = f"known here: {', '.join(known)}" if known else "this resource takes none"
    faults = [
        Fault(f"/query/{name}", "unknown_parameter", f"there is no query parameter {name!r}; {cure}")
        for name in request.query_params
        if name not in known
    ]
    if faults:
        raise InvalidInput.of(faults)
