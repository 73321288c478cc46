"""``cntk-jobs datasets``."""

from __future__ import annotations

import click

from client import tables
from client.command import completion, transfer
from client.command.shell import Shell, as_json, pass_shell, read_json


@click.group()
def datasets() -> None:
    """List, add, show and remove data sets."""


@datasets.command("list")
@as_json
@pass_shell
def list_datasets(shell: Shell) -> None:
    """List data sets, newest first."""
    shell.show(shell.client.datasets.list(), tables.datasets)


@datasets.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option("--name", help="The data set's name (default: the first file's).")
@click.option("--options", metavar="OPTIONS.json", help="How to read the files; - reads standard input.")
@as_json
@pass_shell
def add(shell: Shell, files: tuple[str, ...], name: str | None, options: str | None) -> None:
    """Upload files as one data set and print its id."""
    asked = read_json(options) if options else {}
    if name:
        asked["name"] = name
    with transfer.bars(shell.aside) as bar:
        dataset = shell.client.datasets.add(*files, progress=bar("uploading"), **asked)
    shell.made(dataset)
    tables.remarks(dataset, shell.aside)


@datasets.command()
@click.argument("dataset", metavar="NAME_OR_ID", shell_complete=completion.datasets)
@as_json
@pass_shell
def show(shell: Shell, dataset: str) -> None:
    """Show one data set: its fields and splits."""
    found = shell.client.datasets.get(shell.client.datasets.named(dataset)["id"])
    shell.show(found, tables.fields)


@datasets.command()
@click.argument("dataset", metavar="NAME_OR_ID", shell_complete=completion.datasets)
@pass_shell
def rm(shell: Shell, dataset: str) -> None:
    """Delete a data set that no live job uses."""
    shell.client.datasets.remove(shell.client.datasets.named(dataset)["id"])
