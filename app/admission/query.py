"""Query parameters: unknown ones are refused, and the known ones named."""

from __future__ import annotations

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from jobs.errors import Fault, InvalidInput


def _names(dependant: Dependant) -> list[str]:
    """The query parameters of an endpoint and of all that it depends on."""
    own = (found.alias for found in dependant.query_params)
    return sorted({*own, *(name for other in dependant.dependencies for name in _names(other))})


async def known_parameters_only(request: Request) -> None:
    """Raise InvalidInput for every query parameter that the route does not declare.

    A misspelt filter that is ignored answers a question that nobody asked.
    """
    if not request.scope["query_string"]:
        return
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = _names(route.dependant)
    cure = f"known here: {', '.join(known)}" if known else "this resource takes none"
    faults = [
        Fault(f"/query/{name}", "unknown_parameter", f"there is no query parameter {name!r}; {cure}")
        for name in request.query_params
        if name not in known
    ]
    if faults:
        raise InvalidInput.of(faults)
