"""``cntk-jobs models``."""

from __future__ import annotations

import sys

import click
from rich.console import Group

from client import tables
from client.command import completion, transfer
from client.command.shell import Shell, as_json, misuse, pass_shell, read_json
from client.command.statuses import OK, REFUSED


@click.group()
def models() -> None:
    """List, add, show and remove base models."""


@models.command("list")
@as_json
@pass_shell
def list_models(shell: Shell) -> None:
    """List base models, newest first."""
    shell.show(shell.client.models.list(), tables.models)


@models.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path())
@click.option(
    "--job",
    metavar="JOB",
    help="Instead of a file: what this job has trained.",
    shell_complete=completion.jobs,
)
@click.option(
    "--checkpoint",
    metavar="WHICH",
    help="Of the job: latest, best, samples or an id (default: its finished model).",
)
@click.option("--name", help="The model's name (default: the file's or the job's).")
@click.option("--options", metavar="OPTIONS.json", help="Preprocessing and format; - reads standard input.")
@as_json
@pass_shell
def add(
    shell: Shell,
    file: str | None,
    job: str | None,
    checkpoint: str | None,
    name: str | None,
    options: str | None,
) -> int:
    """Bring a base model, a file or what a job has trained, wait until it is imported and print its id."""
    asked = read_json(options) if options else {}
    if name:
        asked["name"] = name
    if (file is None) == (job is None):
        raise misuse("a FILE or --job is needed, and not both")
    if job is not None:
        found = shell.client.models.of_job(job, checkpoint=checkpoint, **asked)
    else:
        assert file is not None
        with transfer.bars(shell.aside) as bar:
            found = shell.client.models.add(file, progress=bar("uploading"), **asked)
    found = shell.client.models.wait(found["id"])
    shell.made(found)
    if found["status"] == "refused":
        print(f"cntk-jobs: refused: {found['detail']}", file=sys.stderr)
        return REFUSED
    return OK


@models.command()
@click.argument("model", metavar="NAME_OR_ID", shell_complete=completion.models)
@as_json
@pass_shell
def show(shell: Shell, model: str) -> None:
    """Show a base model and its nodes, which layers of type pretrained name."""
    found = shell.client.models.get(shell.client.models.named(model)["id"])
    shell.show(found, lambda one: Group(tables.models([one]), tables.nodes(one)))


@models.command()
@click.argument("model", metavar="NAME_OR_ID", shell_complete=completion.models)
@pass_shell
def remove(shell: Shell, model: str) -> None:
    """Delete a base model; jobs that were submitted with it keep what they need."""
    shell.client.models.remove(shell.client.models.named(model)["id"])
