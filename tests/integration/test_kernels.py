"""The kernels that set-up compiles beside CNTK's: they are used, and no bit is another."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from worker.launch import ROOT, program_environment

SCRIPT = ROOT / "scripts" / "environments" / "in_trainer" / "kernels_test.py"


@pytest.fixture
def library(environment: dict[str, Any]) -> Path:
    if not environment["kernels"]["sha256"]:
        pytest.skip("set-up found no C compiler")
    return next(
        path
        for folder in environment["library_path"]
        if (path := Path(folder) / "libcntk_kernels.so").exists()
    )


def python(environment: dict[str, Any], threads: int, *words: str | Path, **variables: str) -> str:
    return subprocess.run(
        [environment["python"], "-W", "ignore", *words],
        env={"PATH": os.defpath, **program_environment(environment, threads), **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout


@pytest.mark.parametrize("threads", [1, 2])
def test_the_bits_are_those_of_cntk_alone(environment: dict[str, Any], library: Path, threads: int) -> None:
    alone, faster = (
        json.loads(python(environment, threads, SCRIPT, str(threads), *libraries).splitlines()[-1])
        for libraries in ([], [library])
    )
    assert len(set(alone.values())) == len(alone)
    assert faster == alone


@pytest.mark.parametrize(("switch", "used"), [({}, "True"), ({"CNTK_JOBS_KERNELS": "False"}, "False")])
def test_trainers_use_them_unless_told_not_to(
    environment: dict[str, Any], library: Path, switch: dict[str, str], used: str
) -> None:
    code = "from trainer.engine import C, KERNELS; print('kernels', C is not None and KERNELS)"
    assert f"kernels {used}" in python(environment, 1, "-c", code, **switch).splitlines()
