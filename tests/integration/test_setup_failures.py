"""scripts/setup where it cannot: one clear line each, non-zero, and what was there stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The scripts and locks of a fresh clone."""
    folder = tmp_path / "clone"
    for name in ("scripts", "requirements"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with what scripts/setup needs besides a Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for tool in ("bash", "dirname", "env"):
        (folder / tool).symlink_to(str(shutil.which(tool)))
    return folder


def setup(clone: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "scripts" / "setup", *options],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_cntk_python_that_does_not_exist(clone: Path) -> None:
    finished = setup(clone, "--trainer-only", CNTK_PYTHON="/nowhere/python3.6")
    assert finished.returncode == 1
    assert finished.stderr == "scripts/setup: CNTK_PYTHON=/nowhere/python3.6: there is no such file\n"
    assert not (clone / ".venv-trainer").exists()


def test_no_network(clone: Path, tools: Path) -> None:
    """A package index that refuses connections stands for no network."""
    (tools / "python3").symlink_to(os.path.realpath(sys.executable))
    finished = setup(
        clone,
        PATH=str(tools),
        PIP_CONFIG_FILE=os.devnull,
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_FIND_LINKS="",
        PIP_NO_CACHE_DIR="1",
        PIP_RETRIES="1",
    )
    assert finished.returncode == 1
    last = finished.stderr.splitlines()[-1]
    assert last == (
        "scripts/setup: could not install the packages of requirements/dev.txt: "
        "the package index cannot be reached"
    )


def test_no_python_at_all(clone: Path, tools: Path) -> None:
    finished = setup(clone, PATH=str(tools))
    assert finished.returncode == 1
    assert finished.stderr.startswith("scripts/setup: needs Python 3.11 or newer; found no python3")
    assert len(finished.stderr.splitlines()) == 1


def test_a_python_without_venv(clone: Path, tools: Path) -> None:
    """As Debian's python3 is before python3-venv is installed."""
    python = tools / "python3"
    python.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n')
    python.chmod(0o755)
    finished = setup(clone, PATH=str(tools))
    assert finished.returncode == 1
    assert finished.stderr == (
        f"scripts/setup: {python} has no venv module; cure: apt-get install python3-venv\n"
    )


def test_a_folder_that_is_no_environment_is_left_alone(clone: Path) -> None:
    precious = clone / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    finished = setup(clone, "--trainer-only", "--trainer-env", "precious")
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1].endswith(
        "precious exists and is no environment of ours; name another with --trainer-env"
    )
    assert (precious / "thesis.txt").read_text() == "years of work"
