"""Where the API may listen."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from jobs.access.exposure import is_loopback, refusal_to_bind
from jobs.settings import Settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", "", "localhost.example.org"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_other_hosts_need_tokens(tmp_path: Path) -> None:
    bare = Settings(home=tmp_path, host="0.0.0.0", api_tokens=())
    refusal = refusal_to_bind(bare)
    assert refusal is not None
    assert "CNTK_JOBS_API_TOKENS" in refusal
    assert "\n" not in refusal
    assert refusal_to_bind(bare.model_copy(update={"api_tokens": (SecretStr("one"),)})) is None
    assert refusal_to_bind(bare.model_copy(update={"host": "::1"})) is None
