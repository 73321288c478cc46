"""Real shells complete cntk-jobs by the scripts that it prints for them."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running_service import ROOT
from tests.scripted_server import Answer, scripted_server

BASH = """
eval "$(cntk-jobs completion bash)"
COMP_WORDS=(cntk-jobs "$@")
COMP_CWORD=$#
_cntk_jobs_completion cntk-jobs
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = """
cntk-jobs completion fish | source
complete --do-complete "cntk-jobs $argv"
"""
# Ctrl-X prints the line as it stands.
ZSH = """
PS1= PS2= RPS1=
unsetopt prompt_sp
eval "$(cntk-jobs completion zsh)"
told() { print -r -- "<$BUFFER>" }
zle -N told
bindkey '^X' told
print -r -- "rea""dy"
"""
LIMIT_S = 60

CASES = [
    (["val"], ["validate"]),
    (["datasets", ""], ["add", "list", "rm", "show"]),
    (["retry", "--che"], ["--checkpoint"]),
    (["completion", "z"], ["zsh"]),
]
JOBS = [
    {"id": "job_2", "name": "night, once: more", "status": "running"},
    {"id": "job_1", "name": "two\nlines", "status": "queued"},
]


@pytest.mark.parametrize(("words", "completed"), CASES)
def test_bash_completes(words: list[str], completed: list[str]) -> None:
    assert completions(words) == completed


@pytest.mark.parametrize(("words", "completed"), CASES)
def test_fish_completes(words: list[str], completed: list[str]) -> None:
    assert [word for word, _ in fish(words)] == completed


def test_fish_says_what_each_is_the_newest_first() -> None:
    with jobs_at() as url:
        assert fish(["show", "job_"], CNTK_JOBS_URL=url) == [
            ("job_2", "night, once: more (running)"),
            ("job_1", "two lines (queued)"),
        ]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("val", "validate "),
        ("retry --che", "retry --checkpoint "),
        ("completion z", "completion zsh "),
        ("submit pyp", "submit pyproject.toml "),
    ],
)
def test_zsh_completes(words: str, line: str) -> None:
    assert zsh(words) == (f"cntk-jobs {line}", [])


def test_zsh_says_what_each_is_the_newest_first() -> None:
    with jobs_at() as url:
        line, listed = zsh("show job_", CNTK_JOBS_URL=url)
    assert line == "cntk-jobs show job_"
    assert listed == ["job_2  -- night, once: more (running)", "job_1  -- two lines (queued)"]


def completions(words: list[str], **environment: str) -> list[str]:
    """What bash makes of these words, the last of which is begun."""
    return _said(["bash", "-c", BASH, "bash", *words], environment).split()


def fish(words: list[str], **environment: str) -> list[tuple[str, str]]:
    """What fish makes of these words, the last of which is begun: word and what it is."""
    said = _said([_shell("fish"), "--no-config", "-c", FISH, *words], environment)
    pairs = [line.partition("\t") for line in said.splitlines()]
    return [(word, what) for word, _, what in pairs]


def zsh(words: str, **environment: str) -> tuple[str, list[str]]:
    """What a zsh at a terminal makes of a line after the tabulator key: the line, and what it lists below."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["setsid", "--ctty", _shell("zsh"), "-f", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=_environment({"TERM": "dumb", **environment}),
        cwd=ROOT,
    ) as shell:
        os.close(theirs)
        try:
            os.write(ours, ZSH.encode())
            _read_until(ours, r"\nready\r")
            os.write(ours, f"cntk-jobs {words}\t\x18".encode())
            found = _read_until(ours, r"<(cntk-jobs .*)>")
        finally:
            shell.kill()
            os.close(ours)
    above = found.string[: found.start()].splitlines()
    return found[1], [entry.strip() for entry in above if " -- " in entry]


def _read_until(terminal: int, pattern: str) -> re.Match[str]:
    """What a terminal shows up to a match, without what moves its cursor."""
    said = ""
    while not (found := re.search(pattern, said)):
        assert select.select([terminal], [], [], LIMIT_S)[0], f"nothing came behind {said!r}"
        said = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", said + os.read(terminal, 4096).decode())
    return found


def _said(command: list[str], environment: Mapping[str, str]) -> str:
    return subprocess.run(
        command,
        env=_environment(environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_S,
    ).stdout


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, **more}


def _shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on this machine")
    return found


@contextmanager
def jobs_at() -> Iterator[str]:
    """A service that is asked for its jobs once."""
    with scripted_server() as server:
        server.will(Answer.json({"items": JOBS, "next_page_token": None}))
        yield server.url
