"""Webhooks and tokens, managed on their pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from jobs.settings import Settings
from tests.browser.conftest import suits_every_reader
from tests.receiver import Receiver
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer


@pytest.fixture
def settings(valkey: ValkeyServer, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, redis_url=valkey.url, webhooks_private=True)


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with running_api(settings) as client:
        yield client


def test_adds_a_webhook_tests_it_and_sends_again(page: Page, api: httpx.Client) -> None:
    with Receiver() as receiver:
        page.goto(f"{api.base_url}/#/webhooks")
        page.get_by_role("button", name="Add a webhook").click()
        dialog = page.get_by_role("dialog", name="Add a webhook")
        dialog.get_by_label("URL").fill("ftp://nowhere")
        dialog.get_by_label("Only of this job").fill("job_none")
        dialog.get_by_role("button", name="Add it").click()
        # What is wrong is said beside each field.
        for label in ("URL", "Only of this job"):
            expect(dialog.get_by_label(label)).to_have_attribute("aria-invalid", "true")
        expect(dialog.get_by_label("URL")).to_be_focused()
        suits_every_reader(page)
        dialog.get_by_label("URL").fill(receiver.url)
        dialog.get_by_label("Only of this job").fill("")
        dialog.get_by_label("succeeded").check()
        dialog.get_by_label("failed").check()
        dialog.get_by_label("Only of jobs with this tag").fill("nightly")
        dialog.get_by_role("button", name="Add it").click()
        told = page.get_by_role("dialog", name="What its messages are signed with")
        secret = told.get_by_label("Shown this once").input_value()
        suits_every_reader(page)
        told.get_by_role("button", name="I have it").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(receiver.url)
        expect(page.get_by_text("succeeded, failed of jobs tagged")).to_be_visible()
        (made,) = api.get("/v1/webhooks").json()["items"]
        assert sorted(made["events"]) == ["job.failed", "job.succeeded"]

        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_role("cell", name="204", exact=True)).to_have_count(1)
        (first,) = receiver.messages
        assert first.verified(secret)["type"] == "webhook.test"
        page.get_by_text("Body", exact=True).click()
        expect(page.get_by_text('"type": "webhook.test"')).to_be_visible()
        suits_every_reader(page)
        receiver.answer = lambda _: 500
        page.get_by_role("button", name=f"Send {first.id} again").click()
        expect(page.get_by_role("cell", name="500", exact=True)).to_have_count(1)
        # Refused, it is sent a third time by itself.
        assert len(receiver.messages) >= 2
        assert {message.id for message in receiver.messages} == {first.id}

        page.get_by_role("button", name="Switch off").click()
        expect(page.get_by_role("button", name="Switch on")).to_be_visible()
        assert not api.get(f"/v1/webhooks/{made['id']}").json()["enabled"]
        page.get_by_role("link", name="Webhooks").click()
        expect(page.get_by_role("link", name=receiver.url)).to_be_visible()
        suits_every_reader(page)
        page.get_by_role("link", name=receiver.url).click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
        expect(page.get_by_text("No webhook yet.")).to_be_visible()
        assert api.get("/v1/webhooks").json()["items"] == []


def use(page: Page, token: str) -> None:
    """Answer the page's question for a token."""
    dialog = page.get_by_role("dialog", name="A token is needed")
    dialog.get_by_label("Token").fill(token)
    dialog.get_by_role("button", name="Use it").click()


def make(page: Page, name: str, scope: str, running: str) -> str:
    """Make a token on the page of tokens; the token."""
    page.get_by_role("button", name="Make a token").click()
    dialog = page.get_by_role("dialog", name="Make a token")
    dialog.get_by_label("Whose it is").fill(name)
    dialog.get_by_label("What it may").select_option(scope)
    dialog.get_by_label("Jobs that run, at most").fill(running)
    dialog.get_by_role("button", name="Make it").click()
    told = page.get_by_role("dialog", name=f"The token of {name}")
    token = told.get_by_label("Shown this once").input_value()
    told.get_by_role("button", name="I have it").click()
    return token


def test_makes_and_revokes_tokens(page: Page, settings: Settings) -> None:
    with running_api(settings) as api:
        page.goto(str(api.base_url))
        page.get_by_role("link", name="Tokens").click()
        expect(page.get_by_text("No token was made here.")).to_be_visible()
        page.get_by_role("button", name="Make a token").click()
        dialog = page.get_by_role("dialog", name="Make a token")
        dialog.get_by_label("Whose it is").fill("no name")
        dialog.get_by_label("Jobs that wait, at most").fill("few")
        dialog.get_by_role("button", name="Make it").click()
        for label in ("Whose it is", "Jobs that wait, at most"):
            expect(dialog.get_by_label(label)).to_have_attribute("aria-invalid", "true")
        suits_every_reader(page)
        dialog.get_by_role("button", name="Go back").click()

        # With the first one the service begins to ask for one.
        first = make(page, "root", "admin", "")
        use(page, first)
        expect(page.get_by_role("row", name="root")).to_be_visible()
        second = make(page, "alice", "read", "2")
        expect(page.get_by_role("row", name="alice")).to_contain_text("2 running")
        suits_every_reader(page)
        as_alice = {"Authorization": f"Bearer {second}"}
        assert api.get("/v1/me", headers=as_alice).json()["name"] == "alice"

        page.get_by_role("row", name="alice").get_by_role("button", name="Revoke").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
        expect(page.get_by_role("row", name="alice")).to_contain_text("revoked")
        assert api.get("/v1/me", headers=as_alice).status_code == 401


def test_offers_tokens_to_administrators_alone(page: Page, settings: Settings) -> None:
    with running_api(settings) as api:
        admin = api.post("/v1/tokens", json={"name": "root", "scopes": ["admin"]}).json()["token"]
        asked = {"name": "alice", "scopes": ["submit"]}
        alice = api.post("/v1/tokens", json=asked, headers={"Authorization": f"Bearer {admin}"}).json()
        page.goto(str(api.base_url))
        use(page, alice["token"])
        expect(page.get_by_text("No job yet.")).to_be_visible()
        expect(page.get_by_role("link", name="Tokens")).to_be_hidden()
        page.goto(f"{api.base_url}/#/tokens")
        expect(page.get_by_role("alert")).to_contain_text("scope admin")
