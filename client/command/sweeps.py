"""``cntk-jobs sweep``: many trials of one spec."""

from __future__ import annotations

import click

from client import service_tables
from client.command import completion
from client.command.shell import Shell, as_json, pass_shell, print_json, read_json


@click.group()
def sweep() -> None:
    """Try a spec with many values: begin, list, look at and cancel sweeps."""


@sweep.command()
@click.argument("asked", metavar="SWEEP.json", type=click.Path())
@click.option(
    "--dataset",
    metavar="NAME_OR_ID",
    help="The data set to use, whatever the spec says.",
    shell_complete=completion.datasets,
)
@as_json
@pass_shell
def run(shell: Shell, asked: str, dataset: str | None) -> None:
    """Begin a sweep (docs/sweeps.md); prints its id."""
    document = read_json(asked)
    if dataset:
        document.setdefault("spec", {})["dataset"] = shell.client.datasets.named(dataset)["id"]
    made = shell.client.sweeps.create(document)
    if shell.as_json:
        print_json(made)
    else:
        print(made["id"])


@sweep.command("list")
@as_json
@pass_shell
def list_sweeps(shell: Shell) -> None:
    """List sweeps, newest first, each with its best trial."""
    shell.show(shell.client.sweeps.list(100), service_tables.sweeps)


@sweep.command()
@click.argument("sweep", metavar="SWEEP", shell_complete=completion.sweeps)
@as_json
@pass_shell
def show(shell: Shell, sweep: str) -> None:
    """Show how a sweep stands."""
    shell.show([shell.client.sweeps.get(sweep)], service_tables.sweeps)


@sweep.command()
@click.argument("sweep", metavar="SWEEP", shell_complete=completion.sweeps)
@as_json
@pass_shell
def trials(shell: Shell, sweep: str) -> None:
    """List the trials of a sweep with their values."""
    shell.show(shell.client.sweeps.trials(sweep), service_tables.trials)


@sweep.command()
@click.argument("sweep", metavar="SWEEP", shell_complete=completion.sweeps)
@as_json
@pass_shell
def cancel(shell: Shell, sweep: str) -> None:
    """End a sweep and its trials."""
    shell.show([shell.client.sweeps.cancel(sweep)], service_tables.sweeps)
