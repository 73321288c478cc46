"""A real bash completes cntk-jobs by the script that it prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
eval "$(cntk-jobs completion bash)"
COMP_WORDS=(cntk-jobs "$@")
COMP_CWORD=$#
_cntk_jobs_completion cntk-jobs
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["val"], ["validate"]),
        (["datasets", ""], ["add", "list", "rm", "show"]),
        (["retry", "--che"], ["--checkpoint"]),
        (["completion", "z"], ["zsh"]),
    ],
)
def test_bash_completes(words: list[str], completed: list[str]) -> None:
    assert completions(words) == completed


def completions(words: list[str], **environment: str) -> list[str]:
    """What bash makes of these words, the last of which is begun."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", *words],
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split()
