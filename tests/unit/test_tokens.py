"""Tokens on the volume: what is kept of them, who may make and end them, who learns of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.access import tokens as module
from jobs.access.token_models import NewToken, Scope, parse_token
from jobs.access.tokens import Tokens
from jobs.errors import Conflict, InvalidInput, NotFound
from trainer.layout import Volume


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(Volume(tmp_path))


def made(tokens: Tokens, name: str = "root", scope: str = "admin", **more: object) -> tuple[str, str]:
    token, secret = tokens.create(parse_token({"name": name, "scopes": [scope], **more}))
    return token.id, secret


def test_the_volume_keeps_a_digest_and_not_the_token(tokens: Tokens, tmp_path: Path) -> None:
    token_id, secret = made(tokens)
    assert secret.startswith("cj_")
    assert len(secret) == 3 + 43
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert token_id.encode() in kept
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == 0o700
    found = tokens.find(secret)
    assert found is not None
    assert (found.id, found.name, found.scope) == (token_id, "root", Scope.ADMIN)
    assert tokens.find(secret[:-1]) is None
    assert tokens.find("\udcff") is None


def test_scopes_include_the_ones_before(tokens: Tokens) -> None:
    for have, covered in ((Scope.READ, 1), (Scope.SUBMIT, 2), (Scope.ADMIN, 3)):
        assert [have.covers(scope) for scope in Scope].count(True) == covered


def test_others_learn_of_it(tokens: Tokens, tmp_path: Path) -> None:
    other = Tokens(Volume(tmp_path))
    other.refresh()
    assert not other.any
    made(tokens)
    token_id, secret = made(tokens, "alice", "submit")
    other.refresh()
    assert [token.name for token in other.all()] == ["alice", "root"]
    tokens.revoke(token_id)
    other.refresh()
    found = other.find(secret)
    assert found is not None
    assert not found.valid(datetime.now(UTC))


def test_what_was_read_counts_for_less_than_a_second(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.KEEP_SECONDS < 1
    assert tokens.stale
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    tokens.refresh()
    assert not tokens.stale
    now += module.KEEP_SECONDS + 0.01
    assert tokens.stale


def test_the_first_token_is_an_administrator_s(tokens: Tokens) -> None:
    with pytest.raises(InvalidInput) as refused:
        made(tokens, "alice", "submit", expires_at="2020-01-01T00:00:00Z")
    assert {fault.pointer for fault in refused.value.faults} == {"/scopes", "/expires_at"}
    assert not tokens.any
    tokens.create(NewToken(name="alice", scopes=["submit"]), others_administer=True)
    assert tokens.any


def test_the_last_administrator_s_stays(tokens: Tokens) -> None:
    first, _ = made(tokens)
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made(tokens, "alice", "submit", expires_at=soon)
    with pytest.raises(Conflict, match="last token with the scope admin"):
        tokens.revoke(first)
    second, _ = made(tokens, "root")
    assert tokens.revoke(first).revoked_at is not None
    assert tokens.revoke(first).revoked_at == tokens.get(first).revoked_at
    with pytest.raises(Conflict):
        tokens.revoke(second)
    tokens.revoke(second, others_administer=True)
    # A service that has asked for tokens goes on asking.
    assert tokens.any


def test_expiry(tokens: Tokens) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    _, secret = made(tokens, expires_at=soon.isoformat())
    found = tokens.find(secret)
    assert found is not None
    assert found.valid(soon - timedelta(seconds=1))
    assert not found.valid(soon)


def test_the_newest_token_says_the_owner_s_quotas(tokens: Tokens) -> None:
    made(tokens)
    made(tokens, "alice", "submit", quotas={"queued": 5})
    newest, _ = made(tokens, "alice", "submit", quotas={"queued": 7, "running": 1})
    assert (tokens.quotas()["alice"].queued, tokens.quotas()["alice"].running) == (7, 1)
    tokens.revoke(newest)
    assert (tokens.quotas()["alice"].queued, tokens.quotas()["alice"].running) == (5, None)


def test_a_file_that_is_none_opens_nothing_and_still_asks(tokens: Tokens, tmp_path: Path) -> None:
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "tok_broken.json").write_text('{"id": "tok_broken"')
    tokens.refresh()
    assert tokens.any
    assert tokens.all() == []
    with pytest.raises(NotFound):
        tokens.get("tok_broken")


def test_every_fault_at_once() -> None:
    wrong = {
        "name": "a b",
        "scopes": ["write"],
        "expires_at": "2030-01-01T00:00:00",
        "quotas": {"run": 1, "queued": -1},
        "requests_per_minute": 0,
    }
    with pytest.raises(InvalidInput) as refused:
        parse_token(wrong)
    assert {fault.pointer for fault in refused.value.faults} == {
        "/name",
        "/scopes/0",
        "/expires_at",
        "/quotas/run",
        "/quotas/queued",
        "/requests_per_minute",
    }
