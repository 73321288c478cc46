"""What every command has in common: the connection, where output goes, the arguments many take."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx
from rich.console import Console

from client import tables
from client.addresses import default_url
from client.blocking.client import Client
from client.blocking.handle import JobHandle
from client.command import completion
from client.command.statuses import JOB_DID_NOT_SUCCEED, OK
from client.documents import Job
from client.progress import watch

Command = TypeVar("Command", bound=Callable[..., Any])


class Shell:
    """One invocation: where the service answers, who asks, and in which form answers are printed."""

    def __init__(self) -> None:
        self.url: str | None = None
        self.token: str | None = None
        self.as_json = False
        self.console = tables.wide_console()

    @cached_property
    def client(self) -> Client:
        try:
            return Client(self.url, token=self.token)
        except httpx.InvalidURL as error:
            raise click.UsageError(f"{self.url or default_url()}: {error}") from None

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()

    @property
    def aside(self) -> Console:
        """Where to put what is for people while standard output may go to a program."""
        return tables.wide_console(stderr=True)

    def show(self, answer: Any, table: Callable[[Any], Any]) -> None:
        """The answer as JSON where that was asked for, otherwise as a table."""
        if self.as_json:
            print_json(answer)
        else:
            self.console.print(table(answer))

    def show_job(self, job: JobHandle) -> None:
        self.show(job.document, tables.job)

    def made(self, document: Mapping[str, Any]) -> None:
        """What was made, by its id: what a script needs next."""
        if self.as_json:
            print_json(document)
        else:
            print(document["id"])

    def submitted(self, job: JobHandle, follow: bool) -> int:
        """The id of a new job, and on request its course to the end."""
        if not follow:
            self.made(job.document)
            return OK
        if not self.as_json:
            print(job.id, flush=True)
        return self.follow(job.id)

    def follow(self, job_id: str) -> int:
        """Watch a job to its end and show it; the exit status that its end gives."""
        # Progress is for people: where the answer goes to a program it stays off standard output.
        console = self.aside if self.as_json else self.console
        job = watch(self.client.jobs.snapshots(job_id), console)
        self.show(job, tables.job)
        return status_of(job)


def status_of(*jobs: Job) -> int:
    """The exit status of jobs that have ended."""
    return OK if all(job["status"] == "succeeded" for job in jobs) else JOB_DID_NOT_SUCCEED


def print_json(answer: Any) -> None:
    print(json.dumps(answer, indent=2))


def misuse(line: str) -> click.UsageError:
    """An error of options that do not go together; it points to the command's help."""
    return click.UsageError(line, click.get_current_context(silent=True))


def read_json(path: str) -> dict[str, Any]:
    """The JSON object in a file, - being standard input; a usage error that names the file."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        found = json.loads(text)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise click.UsageError(f"{path}: no JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"{path}: a JSON object is needed")
    return found


def checkpoint_of(given: str) -> int | str:
    """A checkpoint as the service wants it: a number of samples is a number."""
    return int(given) if given.isdecimal() else given


pass_shell = click.make_pass_decorator(Shell)


def _print_as_json(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    shell = context.find_object(Shell)
    if shell is not None:
        shell.as_json = value


as_json = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_print_as_json,
    help="Print the service's answer as JSON.",
)


def job_argument(command: Command) -> Command:
    """The job that a command is about."""
    return click.argument("job", metavar="JOB", shell_complete=completion.jobs)(command)


def jobs_argument(*, required: bool) -> Callable[[Command], Command]:
    """The jobs that a command is about."""
    return click.argument(
        "jobs", metavar="JOB...", nargs=-1, required=required, shell_complete=completion.jobs
    )


def follow_option(command: Command) -> Command:
    return click.option("--follow", is_flag=True, help="Stay until the job has ended.")(command)
