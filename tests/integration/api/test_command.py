"""``cntk-jobs`` against a real API without workers: what needs no training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from client.command import INTERRUPTED, OK, REFUSED, main
from jobs.settings import Settings
from tests.api_calls import submit
from tests.integration.test_completion import completions
from tests.receiver import Receiver
from tests.running_api import running_api
from tests.running_service import ROOT
from tests.valkey_server import ValkeyServer

Shell = Callable[..., Any]


@pytest.fixture
def settings(tmp_path: Path, valkey: ValkeyServer) -> Settings:
    return Settings(home=tmp_path, redis_url=valkey.url, api_tokens=(), webhooks_private=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = OK) -> str:
    """What a command printed."""
    found = main(list(words))
    output, errors = capsys.readouterr()
    assert found == status, output + errors
    return output + errors if status else output


@pytest.fixture
def shell(api: httpx.Client, capsys: pytest.CaptureFixture[str]) -> Shell:
    return lambda *words, status=OK: run(capsys, "--url", str(api.base_url), *words, status=status)


def test_a_webhook_from_beginning_to_end(shell: Shell, receiver: Receiver) -> None:
    webhook, secret = shell("webhooks", "add", receiver.url, "--event", "job.failed").split()
    assert secret.startswith("whsec_")
    assert json.loads(shell("webhooks", "test", webhook, "--json"))[0]["type"] == "webhook.test"
    receiver.wait_for(1)[0].verified(secret)
    delivery = json.loads(shell("webhooks", "deliveries", webhook, "--json"))[0]["id"]
    shell("webhooks", "redeliver", webhook, delivery)
    receiver.wait_for(2)[1].verified(secret)
    assert "webhook.test" in shell("webhooks", "deliveries", webhook)

    shell("webhooks", "edit", webhook, "--off", "--description", "tells the channel")
    assert "off: switched off" in shell("webhooks", "list")
    listed = json.loads(shell("webhooks", "list", "--json"))
    assert [(one["enabled"], one["description"]) for one in listed] == [(False, "tells the channel")]
    shell("webhooks", "rm", webhook)
    assert json.loads(shell("webhooks", "list", "--json")) == []


def test_what_a_webhook_cannot_be_is_said(shell: Shell) -> None:
    assert "/events/0" in shell(
        "webhooks", "add", "http://127.0.0.1:9/", "--event", "job.fialed", status=REFUSED
    )


def test_tokens_are_made_and_end(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_api(settings.model_copy(update={"api_tokens": (SecretStr("first"),)})) as api:
        url = str(api.base_url)
        assert "unauthorized" in run(capsys, "--url", url, "list", "--json", status=REFUSED)
        monkeypatch.setenv("CNTK_JOBS_TOKEN", "first")
        token = run(
            capsys, "--url", url, "token", "create", "ada", "--scope", "read", "--running", "2"
        ).strip()
        assert token.startswith("cj_")
        assert "ada" in run(capsys, "--url", url, "token", "list")
        run(capsys, "--url", url, "--token", token, "list")
        run(capsys, "--url", url, "--token", token, "token", "list", status=REFUSED)
        made = json.loads(run(capsys, "--url", url, "token", "list", "--json"))
        token_id = next(one["id"] for one in made if one["name"] == "ada")
        run(capsys, "--url", url, "token", "revoke", token_id)
        run(capsys, "--url", url, "--token", token, "list", status=REFUSED)


def test_jobs_are_edited_and_found(shell: Shell, api: httpx.Client, spec: dict[str, Any]) -> None:
    one, two = (submit(api, spec)["id"] for _ in range(2))
    shell("edit", one, "--name", "chosen", "--tag", "a", "--tag", "b", "--priority", "7")
    found = json.loads(shell("list", "--tag", "a", "--tag", "b", "--name", "CHOS", "--json"))
    assert [(job["id"], job["name"], job["priority"]) for job in found] == [(one, "chosen", 7)]
    assert [job["id"] for job in json.loads(shell("list", "--order-by", "priority", "--json"))] == [two, one]
    shell("edit", one, "--no-tags")
    assert json.loads(shell("list", "--tag", "a", "--json")) == []
    assert "place 1" in shell("show", one) or "no worker" in shell("show", one)
    assert "order_by" in shell("list", "--order-by", "beauty", status=REFUSED)


def test_all_events_follow_one_another(shell: Shell, api: httpx.Client, spec: dict[str, Any]) -> None:
    job = submit(api, spec)["id"]
    lines = [json.loads(line) for line in shell("events").splitlines()]
    assert (lines[-1]["job"], lines[-1]["type"]) == (job, "queued")


def test_the_workers_and_a_rescan(shell: Shell) -> None:
    assert json.loads(shell("workers", "--json")) == []
    assert json.loads(shell("rescan", "--json"))["restored"] == 0


def test_many_are_cancelled_by_filter(
    shell: Shell, api: httpx.Client, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = {submit(api, spec | {"name": f"old-{number}"})["id"] for number in range(3)}
    kept = submit(api, spec | {"name": "new"})["id"]
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: "n")
    shell("cancel", "--name", "old-", status=INTERRUPTED)
    assert "3 job(s) would be cancelled" in shell("cancel", "--name", "old-", "--preview")
    assert len(json.loads(shell("list", "--status", "queued", "--json"))) == 4
    assert set(json.loads(shell("cancel", "--name", "old-", "--yes", "--json"))["jobs"]) == jobs
    assert [job["id"] for job in json.loads(shell("list", "--status", "queued", "--json"))] == [kept]


def test_a_fork_says_what_it_changed(shell: Shell, api: httpx.Client, spec: dict[str, Any]) -> None:
    job = submit(api, spec)["id"]
    fork = shell("fork", job, "--set", "training.epochs=9", "--name", "longer").strip()
    assert "/training/epochs: 3 -> 9" in shell("show", fork)
    compared = json.loads(shell("compare", job, fork, "--json"))
    assert compared["differences"] == {"/training/epochs": [3, 9]}
    assert "/learner" in shell("fork", job, "--set", "learner.type=adm", status=REFUSED)


def test_bash_completes_what_the_service_knows(api: httpx.Client, spec: dict[str, Any]) -> None:
    url = {"CNTK_JOBS_URL": str(api.base_url)}
    rows = {"file": ("t.csv", b"a,b\n1,2\n")}
    named = api.post("/v1/datasets", files=rows, data={"options": '{"name": "my-table"}'}).json()["id"]
    job = submit(api, spec)["id"]
    assert completions(["show", "job_"], **url) == [job]
    assert completions(["datasets", "show", "my"], **url) == ["my-table"]
    assert completions(["datasets", "show", named[:8]], **url) == [named]
    webhook = api.post("/v1/webhooks", json={"url": "https://example.com/"}).json()["id"]
    assert completions(["webhooks", "test", ""], **url) == [webhook]


def test_a_reader_that_has_seen_enough_is_no_failure(api: httpx.Client, spec: dict[str, Any]) -> None:
    job = submit(api, spec)["id"]
    command = [sys.executable, "-m", "client.command", "events", "-f", job]
    environment = os.environ | {"CNTK_JOBS_URL": str(api.base_url)}
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["type"] == "queued"
        following.stdout.close()
        api.post(f"/v1/jobs/{job}/cancel").raise_for_status()
        assert following.wait(60) == 0
        assert following.stderr is not None
        assert following.stderr.read() == ""
