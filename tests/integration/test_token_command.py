"""``cntk-jobs token``: the first one on the volume, the rest over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from client.command import OK, REFUSED, USAGE, main
from jobs.access.exposure import refusal_to_bind
from jobs.access.tokens import Tokens
from jobs.settings import Settings
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer


@pytest.fixture
def settings(tmp_path: Path, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CNTK_JOBS_HOME", str(tmp_path))
    monkeypatch.delenv("CNTK_JOBS_API_TOKENS", raising=False)
    monkeypatch.delenv("CNTK_JOBS_TOKEN", raising=False)
    return Settings(home=tmp_path, redis_url=valkey.url, api_tokens=())


def test_from_the_first_token_to_its_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = settings.model_copy(update={"host": "0.0.0.0"})
    assert "cntk-jobs token create" in (refusal_to_bind(elsewhere) or "")
    assert main(["token", "create", "alice", "--here"]) == REFUSED
    assert "/scopes" in capsys.readouterr().err
    assert main(["token", "create", "root", "--scope", "admin", "--here"]) == OK
    root = capsys.readouterr().out.strip()
    assert refusal_to_bind(elsewhere) is None

    with running_api(settings) as api:
        monkeypatch.setenv("CNTK_JOBS_URL", str(api.base_url))
        assert main(["token", "list"]) == REFUSED
        assert "Bearer" in capsys.readouterr().err
        monkeypatch.setenv("CNTK_JOBS_TOKEN", root)
        assert main(["token", "create", "alice", "--running", "2", "--json"]) == OK
        made = json.loads(capsys.readouterr().out)
        assert (made["scopes"], made["quotas"]["running"]) == (["submit"], 2)
        assert main(["token", "edit", made["id"], "--queued", "7", "--running", "none", "--json"]) == OK
        assert json.loads(capsys.readouterr().out)["quotas"] == {"queued": 7, "running": None, "bytes": None}
        assert main(["token", "edit", made["id"]]) == USAGE
        assert main(["token", "edit", made["id"], "--queued", "many"]) == USAGE
        assert "name what is to be changed" in capsys.readouterr().err
        monkeypatch.setenv("CNTK_JOBS_TOKEN", made["token"])
        assert main(["token", "me"]) == OK
        assert "0 of 7" in capsys.readouterr().out
        assert main(["token", "edit", made["id"], "--queued", "8"]) == REFUSED
        capsys.readouterr()
        monkeypatch.setenv("CNTK_JOBS_TOKEN", root)
        assert main(["token", "list", "--json"]) == OK
        listed = json.loads(capsys.readouterr().out)
        assert [token["name"] for token in listed] == ["alice", "root"]
        assert main(["token", "list", "--json", "--here"]) == OK
        on_the_volume = json.loads(capsys.readouterr().out)
        assert [token["id"] for token in on_the_volume] == [token["id"] for token in listed]
        assert main(["token", "revoke", listed[1]["id"]]) == REFUSED
        assert main(["token", "revoke", listed[1]["id"], "--here"]) == REFUSED
        assert main(["token", "revoke", made["id"]]) == OK
    tokens = Tokens(settings.volume)
    tokens.refresh()
    assert tokens.get(made["id"]).revoked_at is not None
