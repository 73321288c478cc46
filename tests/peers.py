"""Small programs that run beside the libraries that we compare with: JSON in, JSON out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv-peers"

needs_peers = pytest.mark.skipif(
    not (ENVIRONMENT / "setup.json").exists(),
    reason="PyTorch is not there to compare with (scripts/setup --peers)",
)


def in_peers(script: str, rows: Any) -> Any:
    """What tests/in_peers/``script``.py makes of ``rows``, with PyTorch on one thread."""
    finished = subprocess.run(
        [ENVIRONMENT / "bin" / "python", ROOT / "tests" / "in_peers" / f"{script}.py"],
        input=json.dumps(rows).encode(),
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr.decode()[-3000:]
    return json.loads(finished.stdout)
