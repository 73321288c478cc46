"""The command line without a service: its documentation, its exit statuses, no tracebacks."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from client import command
from client.command import NO_ANSWER, USAGE, main

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


def commands(parser: argparse.ArgumentParser, words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command with the words that call it."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield words, parser
    for action in below:
        for name, under in action.choices.items():
            yield from commands(under, f"{words} {name}")


ALL = dict(commands(command.parser(), "cntk-jobs"))


def test_every_command_is_documented_and_no_other() -> None:
    documented = re.findall(r"^\| `(cntk-jobs [a-z ]+[a-z])", PAGE, re.MULTILINE)
    assert sorted(documented) == sorted(ALL)


@pytest.mark.parametrize("words", ALL)
def test_every_option_is_documented(words: str) -> None:
    for action in ALL[words]._actions:
        for option in action.option_strings:
            assert option in ("-h", "--help") or f"`{option}" in PAGE, option


@pytest.mark.parametrize(
    "name", ["OK", "JOB_DID_NOT_SUCCEED", "USAGE", "REFUSED", "NO_ANSWER", "INTERRUPTED"]
)
def test_every_exit_status_is_documented(name: str) -> None:
    assert f"| {getattr(command, name)} |" in PAGE


@pytest.fixture
def nobody(tmp_path: Path) -> str:
    """A URL where nothing answers."""
    return "http://127.0.0.1:9"


def test_no_service_is_one_line(nobody: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", nobody, "list"]) == NO_ANSWER
    assert re.fullmatch(
        rf"cntk-jobs: no answer from {nobody}: .*; is it running\? \(cntk-jobs up\)\n",
        capsys.readouterr().err,
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file or directory"),
        ("{", "no JSON: "),
        ("[]", "a JSON object is needed"),
    ],
)
def test_a_spec_that_cannot_be_read(
    nobody: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, says: str
) -> None:
    spec = tmp_path / "spec.json"
    if text is not None:
        spec.write_text(text)
    assert main(["--url", nobody, "submit", str(spec)]) == USAGE
    assert capsys.readouterr().err.startswith(f"cntk-jobs: {spec}: {says}")


def test_a_file_that_cannot_be_uploaded(
    nobody: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", nobody, "datasets", "add", str(tmp_path / "absent.csv")]) == USAGE
    assert "absent.csv: No such file or directory" in capsys.readouterr().err


def test_an_address_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", "http://127.0.0.1:port", "list"]) == USAGE
    assert "http://127.0.0.1:port" in capsys.readouterr().err
