"""The service's settings, read from the environment once and handed down."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from trainer.layout import Volume


def _default_home() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "cntk-jobs"


@lru_cache(maxsize=8)
def _volume(home: Path) -> Volume:
    return Volume(home / "volume")


MklCode = Literal["auto", "library", "avx2", "avx512"]
MOST_BLOCKTIME_MS = 60_000
AUTO: Literal["auto"] = "auto"
MOST_THREADS = 256


def _threads(value: object) -> object:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value != AUTO and not (whole and 1 <= value <= MOST_THREADS):  # type: ignore[operator]  # it is an int
        raise ValueError(f"threads are a number from 1 to {MOST_THREADS}, or {AUTO!r}")
    return value


Threads = Annotated[Annotated[int, Field(ge=1, le=MOST_THREADS)] | Literal["auto"], BeforeValidator(_threads)]
"""CPU threads of a trainer."""


class Settings(BaseSettings):
    """Every variable starts with ``CNTK_JOBS_``; docs/settings.md lists them all."""

    model_config = SettingsConfigDict(env_prefix="CNTK_JOBS_", frozen=True)

    home: Path = Field(default_factory=_default_home)
    """Folder of the volume and of the embedded server."""
    host: str = "127.0.0.1"
    port: int = Field(default=8765, ge=0, le=65535)
    api_tokens: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Bearer tokens, separated by commas, one of which /v1 asks for. Without any, the API
    listens on this machine's loopback alone."""
    redis_url: str | None = None
    """An external Redis or Valkey >= 6.2; absent: the embedded server under ``home``."""
    workers: int = Field(default=1, ge=1, le=256)
    worker_labels: Annotated[dict[str, str], NoDecode] = {}
    """What a worker is beside what it finds out by itself: ``name=value``, separated by commas."""
    trainer_env: Path = Path(__file__).resolve().parents[1] / ".venv-trainer"
    """The trainer's environment as scripts/setup left it; its trainer.json describes it."""
    max_upload_bytes: int = Field(default=20 * 1024**3, ge=1)
    max_model_bytes: int = Field(default=2 * 1024**3 - 1, ge=1, lt=2 * 1024**3)
    """Largest file that a base model is imported from; CNTK's format ends at 2 GiB."""
    import_seconds: int = Field(default=300, ge=1)
    """How long the process that opens an uploaded model may take."""
    import_memory_bytes: int = Field(default=8 * 1024**3, ge=1 << 30)
    """How much memory it may map."""
    threads: Threads = AUTO
    """CPU threads of a trainer where the spec names none: a number, or as many as its network gains by and
    its worker has cores for. Part of what makes bits equal."""
    mkl_code: MklCode = "auto"
    """The code of Intel's library that a trainer computes with where the spec names none."""
    blocktime_ms: int = Field(default=0, ge=0, le=MOST_BLOCKTIME_MS)
    """How long a trainer's threads spin before they sleep where the spec does not say."""
    warm: bool = True
    """Whether workers keep a process that has loaded CNTK, which trainers are forked from."""
    kernels: bool = True
    """Whether trainers compute with the kernels that set-up compiled beside CNTK's own."""
    lease_seconds: float = Field(default=6.0, gt=0)
    stop_grace_seconds: float = Field(default=20.0, ge=0)
    """How long a trainer may take to save and leave after SIGTERM before SIGKILL."""
    stall_seconds: float = Field(default=1800.0, gt=0)
    """How long a trainer may give no sign of life where its spec does not say."""
    crash_limit: int = Field(default=3, ge=1)
    """Attempts in a row that may crash without any progress before the job has failed."""
    lost_limit: int = Field(default=20, ge=1)
    """Workers in a row that may be lost with a job that makes no progress before it has failed."""
    log: Literal["text", "json"] = "text"
    """How the API, the workers and the service log: lines for people, or one JSON object a line."""
    webhooks_private: bool = False
    """Whether webhooks may be sent to private addresses, and without TLS."""

    @field_validator("api_tokens", mode="before")
    @classmethod
    def _split_tokens(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [token.strip() for token in value.split(",") if token.strip()]

    @field_validator("threads", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("worker_labels", mode="before")
    @classmethod
    def _split_labels(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        wrong = [name for name, sign, _ in pairs if not (name.strip() and sign)]
        if wrong:
            raise ValueError(f"labels read name=value,name=value; {wrong[0]!r} does not")
        return {name.strip(): text.strip() for name, _, text in pairs}

    @property
    def volume(self) -> Volume:
        return _volume(self.home)

    @property
    def embedded_socket(self) -> Path:
        """Unix socket of the embedded server."""
        return self.home / "valkey" / "valkey.sock"

    @property
    def effective_redis_url(self) -> str:
        return self.redis_url or f"unix://{quote(str(self.embedded_socket))}"
