"""``/docs``: every operation is there, and no other host is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from jobs.settings import Settings
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer

METHODS = ("get", "put", "post", "patch", "delete")


@pytest.fixture
def api(valkey: ValkeyServer, tmp_path: Path) -> Iterator[httpx.Client]:
    with running_api(Settings(home=tmp_path, redis_url=valkey.url)) as client:
        yield client


def operations(api: httpx.Client) -> int:
    paths = api.get("/openapi.json").json()["paths"].values()
    return sum(method in METHODS for operations in paths for method in operations)


def test_shows_and_tries_operations_and_asks_no_other_host(page: Page, api: httpx.Client) -> None:
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.goto(f"{api.base_url}/docs")
    expect(page.locator(".opblock")).to_have_count(operations(api))
    page.locator("#operations-jobs-list_jobs .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    answer = page.locator("#operations-jobs-list_jobs .live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    assert {host for host in asked if host} == {urlsplit(str(api.base_url)).netloc}


def test_redoc_leads_there(page: Page, api: httpx.Client) -> None:
    page.goto(f"{api.base_url}/redoc")
    page.wait_for_url("**/docs")
