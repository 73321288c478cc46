"""The files of the dashboard: all there, named by their content, and kept by browsers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.pages.assets import STATIC, assets
from jobs.settings import Settings
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer

MODULES = sorted((STATIC / "js").glob("*.js"))


@pytest.fixture
def api(valkey: ValkeyServer, tmp_path: Path) -> Iterator[httpx.Client]:
    with running_api(Settings(home=tmp_path, redis_url=valkey.url, api_tokens="secret")) as client:
        yield client


def test_everything_that_the_page_names_is_there(api: httpx.Client) -> None:
    answer = api.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    named = re.findall(r'(?:href|src)="(/ui/[^"]+)"', answer.text)
    assert len(named) > len(MODULES)
    for path in {*named, f"/ui/{assets().digest}/plotly.min.js", f"/ui/{assets().digest}/examples.json"}:
        found = api.get(path)
        assert found.status_code == 200, path
        assert "immutable" in found.headers["cache-control"]
    assert "style=" not in answer.text
    assert not re.search(r"<script(?![^>]*src)", answer.text)


def test_answers_a_page_that_was_open_before_the_service_was_renewed(api: httpx.Client) -> None:
    found = api.get("/ui/0123456789abcdef/js/main.js")
    assert found.status_code == 200
    assert found.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/ui/x/index.html", "/ui/x/../assets.py", "/ui/x/js/none.js", "/ui/x/%2e%2e/routes.py"]
)
def test_gives_nothing_else(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_sends_the_bytes_as_they_are_or_compressed(api: httpx.Client) -> None:
    path = f"/ui/{assets().digest}/js/dom.js"
    content = (STATIC / "js" / "dom.js").read_bytes()
    plain = api.get(path, headers={"Accept-Encoding": "identity"})
    packed = api.get(path, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.content == packed.content == content
    assert api.head("/").status_code == 200


def test_has_the_examples(api: httpx.Client) -> None:
    found = json.loads(assets().files["examples.json"].content)
    assert found["digits_recipe"]["recipe"]["type"] == "joint_autoencoder_classifier"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_module_imports_what_there_is_and_has_one_subject(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    for names, other in re.findall(r'import (?:\{ ([^}]+) \}|\w+) from "\./([\w.]+)"', text):
        there = (STATIC / "js" / other).read_text(encoding="utf-8")
        for name in filter(None, names.split(", ")):
            assert re.search(rf"export (async )?(function|class|const) {name}\b", there), f"{name} of {other}"
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{name} is imported for nothing"
    assert text.count("\n") < 250
