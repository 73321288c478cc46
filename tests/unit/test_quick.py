"""Routes whose parameters are read only where a request gives some."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Header, Request, Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from app import quick
from app.admission.admitted import admitted
from app.main import create_app
from app.quick import QuickRoute
from jobs.settings import Settings

Post = Callable[..., httpx.Response]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    async def admitted(request: Request) -> None:
        if "stranger" in request.headers:
            raise HTTPException(403)

    monkeypatch.setattr(quick, "admitted", admitted)
    router = APIRouter(route_class=QuickRoute)

    @router.post("/things", response_model=None)
    async def make(
        request: Request, count: int = 1, some_key: Annotated[str | None, Header()] = None
    ) -> Response:
        return Response(f"{count} {some_key} {(await request.body()).decode()}")

    @router.post("/things/{name}", response_model=None)
    async def of_path(request: Request, name: str) -> Response:
        return Response(name)

    app = FastAPI()
    app.include_router(router, prefix="/v1")
    return app


@pytest.fixture
def post(app: FastAPI) -> Post:
    async def ask(path: str, **named: str) -> httpx.Response:
        body = named.pop("body", "")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.post(path, content=body, headers=named)

    return lambda path, **named: asyncio.run(ask(path, **named))


def test_what_is_not_said_has_its_default(post: Post) -> None:
    assert post("/v1/things", body="body").text == "1 None body"


def test_what_is_said_is_read_and_checked(post: Post) -> None:
    assert post("/v1/things?count=3", **{"Some-Key": "k"}).text == "3 k "
    assert post("/v1/things", **{"Some-Key": "k"}).text == "1 k "
    assert post("/v1/things?count=many").status_code == 422


def test_who_is_not_admitted_is_refused(post: Post) -> None:
    assert post("/v1/things", stranger="yes").status_code == 403


def test_other_endpoints_go_the_long_way(post: Post) -> None:
    assert post("/v1/things/one").text == "one"


def test_parameters_are_described_all_the_same(app: FastAPI) -> None:
    described = app.openapi()["paths"]["/v1/things"]["post"]["parameters"]
    assert [parameter["name"] for parameter in described] == ["count", "some-key"]


def test_routes_of_the_api_depend_on_nothing_that_is_not_called_for_them() -> None:
    every = iter_route_contexts(create_app(Settings()).routes)
    routes = [route for route in every if isinstance(route.original_route, QuickRoute)]
    assert routes
    for route in routes:
        # A route with dependencies of its own goes the long way.
        own = [found.dependency for found in route.original_route.dependencies]
        assert [found.dependency for found in route.dependencies] == [admitted, *own], route.path
