"""What the README tells people to type is run."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.running_service import ROOT, RunningService

BLOCKS = re.findall(
    r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


def test_there_is_something_to_run() -> None:
    assert BLOCKS


@pytest.mark.parametrize("block", BLOCKS)
def test_a_job_with_curl(service: RunningService, tmp_path: Path, block: str) -> None:
    done = subprocess.run(
        ["bash", "-euc", block],
        cwd=tmp_path,
        env=os.environ | {"CNTK_JOBS_URL": service.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"status":"succeeded"' in done.stdout
    assert '"parameters_sha256":"' in done.stdout
