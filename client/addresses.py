"""Where the service answers, and who asks, unless a caller says so."""

from __future__ import annotations

import os


def default_url() -> str:
    """CNTK_JOBS_URL, or the address that CNTK_JOBS_HOST and CNTK_JOBS_PORT give the service."""
    if url := os.environ.get("CNTK_JOBS_URL"):
        return url
    host = os.environ.get("CNTK_JOBS_HOST", "127.0.0.1")
    return f"http://{host}:{os.environ.get('CNTK_JOBS_PORT', '8765')}"


def default_token() -> str | None:
    """CNTK_JOBS_TOKEN, which goes out as a bearer token."""
    return os.environ.get("CNTK_JOBS_TOKEN") or None
