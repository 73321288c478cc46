"""Which interpreter is chosen for CNTK, and what is said where none can be."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from environments import interpreters
from environments.interpreters import Unusable, choose, probe
from environments.steps import SetupError

THIS = ".".join(platform.python_version_tuple()[:2])


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def claiming(path: Path, version: str, **changes: object) -> Path:
    """A program that answers the probe as a CPython of ``version`` would."""
    found = {"path": str(path), "version": version, "implementation": "CPython", "bits": 64}
    answer = repr({**found, "venv": True, "shared": False, **changes})
    answer = answer.replace("'", '"').replace("True", "true").replace("False", "false")
    return program(path, f"echo '{answer}'")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine without any interpreter: an empty PATH and an empty home."""
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home")}


def refusal(environ: dict[str, str], **options: object) -> str:
    with pytest.raises(SetupError) as error:
        choose(environ, **{"uv": None, **options})  # type: ignore[arg-type]
    return str(error.value)


def test_a_real_interpreter_is_what_it_is() -> None:
    found = probe(Path(sys.executable), (THIS,))
    assert (found.version, found.series) == (platform.python_version(), THIS)


def test_3_6_comes_before_3_8_and_3_8_before_3_11(tmp_path: Path, environ: dict[str, str]) -> None:
    for version in ("3.11.9", "3.8.20", "3.6.15"):
        claiming(tmp_path / "bin" / f"python{version.rpartition('.')[0]}", version)
        assert choose(environ, uv=None).version == version


def test_pyenv_is_looked_into_and_its_shims_are_tried_first(tmp_path: Path, environ: dict[str, str]) -> None:
    program(tmp_path / "bin" / "python3.6", "echo 'pyenv: python3.6: command not found' >&2; exit 127")
    kept = claiming(tmp_path / "home/.pyenv/versions/3.6.15/bin/python", "3.6.15")
    assert choose(environ, uv=None).path == kept


def test_cntk_python_wins(tmp_path: Path, environ: dict[str, str]) -> None:
    claiming(tmp_path / "bin/python3.6", "3.6.15")
    named = claiming(tmp_path / "mine/python", "3.8.18")
    assert choose({**environ, "CNTK_PYTHON": str(named)}, uv=None).path == named


def test_cntk_python_may_be_a_name_on_the_path(tmp_path: Path, environ: dict[str, str]) -> None:
    claiming(tmp_path / "bin/old-python", "3.6.15")
    assert choose({**environ, "CNTK_PYTHON": "old-python"}, uv=None).version == "3.6.15"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "there is no such file"),
        ("exit 3", "does not run: exit status 3"),
        ("echo hello", "does not run"),
    ],
)
def test_a_wrong_cntk_python_is_an_error(
    tmp_path: Path, environ: dict[str, str], script: str | None, said: str
) -> None:
    claiming(tmp_path / "bin/python3.6", "3.6.15")  # would serve, but another was asked for
    path = tmp_path / "mine/python"
    if script:
        program(path, script)
    assert f"CNTK_PYTHON={path}: {said}" in refusal({**environ, "CNTK_PYTHON": str(path)})


@pytest.mark.parametrize(
    ("version", "changes", "said"),
    [
        ("3.12.1", {}, "is a 64-bit CPython 3.12.1, and CNTK 2.7 needs 64-bit CPython 3.6, 3.8, 3.11"),
        ("3.6.9", {"implementation": "PyPy"}, "is a 64-bit PyPy 3.6.9"),
        ("3.6.9", {"bits": 32}, "is a 32-bit CPython 3.6.9"),
        ("3.8.18", {"venv": False}, "lacks the modules venv and ensurepip"),
    ],
)
def test_what_cannot_serve_is_told(
    tmp_path: Path, version: str, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(Unusable, match=said):
        probe(claiming(tmp_path / "python", version, **changes))


def test_the_environments_own_interpreter_is_kept(tmp_path: Path, environ: dict[str, str]) -> None:
    claiming(tmp_path / "bin/python3.6", "3.6.15")
    mine = claiming(tmp_path / "mine/python", "3.8.18")
    assert choose(environ, uv=None, made_with=mine).path == mine
    assert choose(environ, uv=None, made_with=mine, wanted="3.6").version == "3.6.15"
    assert choose(environ, uv=None, made_with=tmp_path / "removed").version == "3.6.15"


def test_uv_brings_3_8_before_3_11_is_taken(tmp_path: Path, environ: dict[str, str]) -> None:
    claiming(tmp_path / "bin/python3.11", "3.11.9")
    brought = tmp_path / "uv-python/bin/python3.8"
    claiming(brought, "3.8.20")
    uv = program(tmp_path / "uv", f'[ "$2" = install ] || echo {brought}')
    assert choose(environ, uv=uv).path == brought
    offline = program(tmp_path / "offline-uv", "echo 'error: no network' >&2; exit 2")
    assert choose(environ, uv=offline).version == "3.11.9"


def test_where_there_is_none_everything_tried_and_every_cure_is_named(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    shim = program(tmp_path / "bin/python3.6", "echo 'pyenv: python3.6: command not found' >&2; exit 127")
    offline = program(tmp_path / "uv", "echo 'error: no network' >&2; exit 2")
    said = refusal(environ, uv=offline)
    assert said.splitlines()[0] == "no Python interpreter that can run CNTK 2.7 was found. Tried:"
    for line in (
        "CNTK_PYTHON: not set",
        f"{shim}: does not run: pyenv: python3.6: command not found",
        "python3.8: neither on the PATH nor under pyenv or uv",
        "uv python install 3.8: could not download it: error: no network",
        "python3.11: neither on the PATH nor under pyenv or uv",
        "pyenv install 3.6.15",
        "CNTK_PYTHON=",
    ):
        assert line in said


def test_another_kind_of_machine_is_told_so(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    monkeypatch.setattr(interpreters.platform, "machine", lambda: "aarch64")
    assert refusal(environ) == "CNTK 2.7 exists for Linux on x86-64; this is linux on aarch64"
