"""New jobs: submit, validate, fork, evaluate."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from client.command import completion
from client.command.shell import (
    Shell,
    as_json,
    checkpoint_of,
    follow_option,
    job_argument,
    misuse,
    pass_shell,
    print_json,
    read_json,
)

Command = TypeVar("Command", bound=Callable[..., Any])


def _spec_options(command: Command) -> Command:
    for option in (
        click.option("--name", help="The job's name, whatever the spec says."),
        click.option(
            "--dataset",
            metavar="NAME_OR_ID",
            help="The data set to use, whatever the spec says.",
            shell_complete=completion.datasets,
        ),
        click.argument("spec", metavar="SPEC.json", type=click.Path()),
    ):
        command = option(command)
    return command


def _spec(shell: Shell, path: str, dataset: str | None, name: str | None) -> dict[str, Any]:
    """The spec file, with the data set and the name that the command line gives."""
    spec = read_json(path)
    if dataset:
        spec["dataset"] = shell.client.datasets.named(dataset)["id"]
    if name:
        spec["name"] = name
    return spec


@click.command()
@_spec_options
@follow_option
@click.option(
    "--key", metavar="KEY", help="An Idempotency-Key: the same command twice within a day is one job."
)
@as_json
@pass_shell
def submit(
    shell: Shell, spec: str, dataset: str | None, name: str | None, follow: bool, key: str | None
) -> int:
    """Submit a job and print its id."""
    return shell.submitted(shell.client.jobs.submit(_spec(shell, spec, dataset, name), key=key), follow)


@click.command()
@_spec_options
@as_json
@pass_shell
def validate(shell: Shell, spec: str, dataset: str | None, name: str | None) -> None:
    """Check a spec and create nothing; prints it with every default, and what it would take, as JSON."""
    print_json(shell.client.jobs.validate(_spec(shell, spec, dataset, name)))


@click.command()
@job_argument
@click.option(
    "--patch", metavar="PATCH.json", help="A JSON merge patch for the spec; - reads standard input."
)
@click.option(
    "--set",
    "assignments",
    metavar="KEY.KEY=VALUE",
    multiple=True,
    help="One change, such as learner.alpha=0.01; the value is JSON, or else a string (repeatable).",
)
@click.option("--name", help="The new job's name.")
@follow_option
@as_json
@pass_shell
def fork(
    shell: Shell, job: str, patch: str | None, assignments: tuple[str, ...], name: str | None, follow: bool
) -> int:
    """Submit a job's spec again with changes, as a new job; prints its id."""
    changes = read_json(patch) if patch else {}
    for assignment in assignments:
        assign(changes, assignment)
    if name:
        changes["name"] = name
    return shell.submitted(shell.client.jobs.fork(job, changes), follow)


def assign(patch: dict[str, Any], assignment: str) -> None:
    """Put ``a.b=1`` into a merge patch. Such a patch replaces lists whole: a place in one has no name."""
    path, equals, text = assignment.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise misuse(f"--set {assignment!r}: KEY.KEY=VALUE is needed")
    if any(key.isdecimal() for key in keys):
        raise misuse(
            f"--set {assignment!r}: a merge patch replaces a list whole; give the whole list, as JSON"
        )
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    inner = patch
    for key in keys[:-1]:
        below = inner.setdefault(key, {})
        if not isinstance(below, dict):
            raise misuse(f"--set {assignment!r}: {key!r} is {below!r} already, not an object")
        inner = below
    inner[keys[-1]] = value


@click.command()
@job_argument
@click.option(
    "--dataset",
    metavar="NAME_OR_ID",
    help="What to run it on (default: its own).",
    shell_complete=completion.datasets,
)
@click.option(
    "--checkpoint", default="latest", metavar="WHICH", help="latest, best, a number of samples or an id."
)
@click.option(
    "--split",
    type=click.Choice(("test", "valid", "train", "unlabelled")),
    help="Default: the first of these that there is.",
)
@click.option("--name", default="", help="The evaluation's name.")
@click.option("--wait", "--follow", "follow", is_flag=True, help="Stay until it has ended.")
@as_json
@pass_shell
def evaluate(
    shell: Shell, job: str, dataset: str | None, checkpoint: str, split: str | None, name: str, follow: bool
) -> int:
    """Run a checkpoint of a job on a data set, as a job of its own; prints its id."""
    found = shell.client.datasets.named(dataset)["id"] if dataset else None
    made = shell.client.jobs.evaluate(
        job, dataset=found, split=split, checkpoint=checkpoint_of(checkpoint), name=name
    )
    return shell.submitted(made, follow)
