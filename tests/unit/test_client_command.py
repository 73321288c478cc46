"""The command line without a service: its documentation, its exit statuses, no tracebacks."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

from client import command
from client.command import INTERRUPTED, NO_ANSWER, OK, REFUSED, USAGE, cli, main
from client.command.submitting import assign
from client.retrying import Retries
from tests.scripted_server import Answer, ScriptedServer, scripted_server

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


def commands(group: click.Group, words: str) -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it."""
    for name, found in group.commands.items():
        if isinstance(found, click.Group):
            yield from commands(found, f"{words} {name}")
        else:
            yield f"{words} {name}", found


ALL = dict(commands(cli, "cntk-jobs"))
DOCUMENTED = dict(re.findall(r"^\| `(cntk-jobs [a-z ]+[a-z])[^|]*` (\|.*)$", PAGE, re.MULTILINE))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.aio.connection.Retries", lambda: Retries(count=0))
    monkeypatch.setattr("client.blocking.connection.Retries", lambda: Retries(count=0))


def test_every_command_is_documented_and_no_other() -> None:
    assert sorted(DOCUMENTED) == sorted(ALL)


@pytest.mark.parametrize("words", ALL)
def test_every_option_is_documented(words: str) -> None:
    for parameter in ALL[words].params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            assert f"`{option}" in PAGE, option


@pytest.mark.parametrize("words", ALL)
def test_every_command_and_option_says_what_it_is_for(words: str) -> None:
    found = ALL[words]
    assert found.help
    for parameter in found.params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


@pytest.mark.parametrize("words", ALL)
def test_every_command_that_answers_answers_in_json(words: str) -> None:
    silent = {"up", "rm", "remove", "revoke", "completion"}
    has = any("--json" in parameter.opts for parameter in ALL[words].params)
    assert has != (words.split()[-1] in silent)


@pytest.mark.parametrize(
    "name", ["OK", "JOB_DID_NOT_SUCCEED", "USAGE", "REFUSED", "NO_ANSWER", "NOT_YET", "INTERRUPTED"]
)
def test_every_exit_status_is_documented(name: str) -> None:
    assert f"| {getattr(command, name)} |" in PAGE


def test_the_help_shows_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == OK
    said = capsys.readouterr().out
    assert all(f"\n  {name} " in said for name in cli.commands)


@pytest.fixture
def nobody() -> str:
    """A URL where nothing answers."""
    return "http://127.0.0.1:9"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


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


def test_a_folder_that_cannot_be_written_to(
    server: ScriptedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    listed = {"path": "a.json", "size": 1, "sha256": None, "href": "/x"}
    server.will(Answer.json({"items": [listed]}))
    to = str(tmp_path / "file" / "below")
    assert main(["--url", server.url, "download", "job_1", "--to", to]) == USAGE
    assert re.fullmatch(r"cntk-jobs: .*/file.*: Not a directory\n", capsys.readouterr().err)


@pytest.mark.parametrize("url", ["localhost:8765", "127.0.0.1", "ftp://localhost"])
def test_an_address_without_its_protocol(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", url, "list"]) in (USAGE, REFUSED)
    assert re.match(rf"cntk-jobs: {url}: .*\n", capsys.readouterr().err)


def test_something_else_that_answers(server: ScriptedServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.will(Answer(200, b"<html>", {"Content-Type": "text/html"}))
    assert main(["--url", server.url, "list"]) == REFUSED
    assert "answers with text/html instead of JSON: is that the service?" in capsys.readouterr().err


def test_an_address_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", "http://127.0.0.1:port", "list"]) == USAGE
    assert "http://127.0.0.1:port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sumbit"], "No such command 'sumbit'. Did you mean 'submit'?"),
        (["list", "--stauts", "running"], "Did you mean one of: '--status'"),
        (["list", "--status", "runing"], "'runing' is not one of"),
        (["cancel"], "a JOB or a filter such as --status is needed, and not both"),
        (["cancel", "job_1", "--yes"], "--preview and --yes go with filters"),
        (["edit", "job_1"], "nothing to change"),
        (["events", "--after", "3"], "--after goes with a JOB"),
        (["models", "add"], "a FILE or --job is needed, and not both"),
        (["fork", "job_1", "--set", "epochs"], "KEY.KEY=VALUE is needed"),
    ],
)
def test_a_command_line_that_is_wrong(
    nobody: str, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert main(["--url", nobody, *words]) == USAGE
    said = capsys.readouterr().err
    assert says in said
    assert "--help" in said


def test_a_refusal_is_json_where_json_was_asked_for(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.will(Answer.problem(404, "not-found"))
    assert main(["--url", server.url, "show", "job_1", "--json"]) == REFUSED
    output, errors = capsys.readouterr()
    assert output == ""
    assert json.loads(errors)["error"]["type"] == "not-found"


def test_the_token_goes_along(server: ScriptedServer) -> None:
    server.will(Answer.json({"items": []}))
    assert main(["--url", server.url, "--token", "cj_secret", "list"]) == OK
    assert server.asked[0].headers["Authorization"] == "Bearer cj_secret"


def test_filters_become_a_query(server: ScriptedServer) -> None:
    server.will(Answer.json({"items": []}))
    words = ["--status", "failed", "--status", "cancelled", "--tag", "mnist", "--where", "losses.loss<=0.2"]
    assert main(["--url", server.url, "list", *words, "--order-by", "metrics.accuracy", "--limit", "5"]) == OK
    assert server.asked[0].path == (
        "/v1/jobs?order_by=metrics.accuracy&status=failed&status=cancelled&tag=mnist"
        "&where=losses.loss%3C%3D0.2&page_size=5"
    )


def matched(count: int, *, preview: bool) -> Answer:
    jobs = [f"job_{number}" for number in range(count)]
    return Answer.json({"matched": count, "jobs": jobs, "preview": preview, "more": not preview})


def test_cancelling_many_asks_first(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: "n")
    server.will(matched(2, preview=True))
    assert main(["--url", server.url, "cancel", "--tag", "old"]) == INTERRUPTED
    assert [json.loads(request.body) for request in server.asked] == [{"preview": True, "tag": ["old"]}]
    # Of very many the service cancels some at a time, until nothing new comes.
    server.will(matched(2, preview=True), *[matched(count, preview=False) for count in (2, 3, 3)])
    assert main(["--url", server.url, "cancel", "--tag", "old", "--yes", "--json"]) == OK
    assert json.loads(server.asked[-1].body) == {"preview": False, "tag": ["old"]}
    assert json.loads(capsys.readouterr().out)["matched"] == 3


@pytest.mark.parametrize(
    ("assignments", "patch"),
    [
        (["learner.alpha=0.01", "learner.type=adam"], {"learner": {"alpha": 0.01, "type": "adam"}}),
        (["training.epochs=3", "name=second try"], {"training": {"epochs": 3}, "name": "second try"}),
        (["learner.l2=null", 'tags=["a"]'], {"learner": {"l2": None}, "tags": ["a"]}),
    ],
)
def test_assignments_become_a_merge_patch(assignments: list[str], patch: dict[str, Any]) -> None:
    found: dict[str, Any] = {}
    for assignment in assignments:
        assign(found, assignment)
    assert found == patch


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ({}, "network.0.units=3", "a merge patch replaces a list whole"),
        ({"learner": 1}, "learner.alpha=2", "is 1 already"),
    ],
)
def test_assignments_that_make_no_sense(first: dict[str, Any], second: str, says: str) -> None:
    with pytest.raises(click.UsageError, match=says):
        assign(first, second)


def completed(words: list[str], begun: str) -> list[str]:
    complete = ShellComplete(cli, {}, "cntk-jobs", "_CNTK_JOBS_COMPLETE")
    return [item.value for item in complete.get_completions(words, begun)]


def test_commands_options_and_ids_are_completed(server: ScriptedServer, nobody: str) -> None:
    assert completed([], "sub") == ["submit"]
    assert completed(["list"], "--cre") == ["--created-after", "--created-before"]
    jobs = [
        {"id": "job_1", "name": "a", "status": "running"},
        {"id": "job_2", "name": "", "status": "queued"},
    ]
    server.will(Answer.json({"items": jobs, "next_page_token": None}))
    assert completed(["--url", server.url, "show"], "job") == ["job_1", "job_2"]
    assert completed(["--url", nobody, "show"], "job") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == OK
    assert "_CNTK_JOBS_COMPLETE" in capsys.readouterr().out


def test_a_path_out_of_the_folder_is_refused(server: ScriptedServer, tmp_path: Path) -> None:
    listed = {"path": "../evil", "size": 1, "sha256": None, "href": "/x"}
    server.will(Answer.json({"items": [listed]}))
    assert main(["--url", server.url, "download", "job_1", "--to", str(tmp_path / "here")]) == REFUSED
    assert list(tmp_path.iterdir()) == []
