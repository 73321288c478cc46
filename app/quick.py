"""Routes that FastAPI need not read parameters for, where a request gives none."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.admission.admitted import admitted


class QuickRoute(APIRoute):
    """A route whose endpoint takes the request and, besides it, only what the query or headers may say.

    FastAPI looks into every parameter's type with each request, which takes longer than most endpoints. A
    request that says none of them reaches the endpoint at once, by way of ``admitted``, which is all that a
    route of the API depends on; a test holds that. Other requests go FastAPI's way, and so do those of other
    endpoints.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        own = self.dependant
        more = [own.path_params, own.cookie_params, own.body_params, own.dependencies]
        if any(more) or own.request_param_name is None or self.response_model is not None:
            return handler
        named = [parameter.alias for parameter in own.header_params]

        async def quick(request: Request) -> Response:
            if request.scope["query_string"] or any(name in request.headers for name in named):
                return await handler(request)
            await admitted(request)
            answer: Response = await self.endpoint(request)
            return answer

        return quick
