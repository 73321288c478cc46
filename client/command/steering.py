"""What changes jobs that are there: cancel, pause, resume, retry, edit, pin, unpin, rescan."""

from __future__ import annotations

from typing import Any

import click

from client import service_tables, tables
from client.command import completion
from client.command.filters import filter_options, given_filters
from client.command.shell import (
    Shell,
    as_json,
    checkpoint_of,
    follow_option,
    job_argument,
    misuse,
    pass_shell,
)


@click.command()
@click.argument("job", metavar="[JOB]", required=False, shell_complete=completion.jobs)
@click.option("--save", is_flag=True, help="Save a checkpoint first.")
@filter_options
@click.option("--preview", is_flag=True, help="Say which jobs the filters match, and cancel none.")
@click.option("--yes", is_flag=True, help="Cancel all that the filters match without asking.")
@as_json
@pass_shell
def cancel(shell: Shell, /, job: str | None, save: bool, preview: bool, yes: bool, **options: Any) -> None:
    """End a job, at once or after a last checkpoint; or all jobs that filters match."""
    filters = given_filters(shell, options)
    if (job is None) == (not filters):
        raise misuse("a JOB or a filter such as --status is needed, and not both")
    if job is not None:
        if preview or yes:
            raise misuse("--preview and --yes go with filters, not with a JOB")
        shell.show_job(shell.client.jobs.cancel(job, save=save))
        return
    found = shell.client.jobs.cancel_all(preview=True, **filters)
    if not preview and found["matched"]:
        if not yes:
            click.confirm(f"cancel {found['matched']} job(s)?", abort=True, err=True)
        found = shell.client.jobs.cancel_all(save=save, **filters)
    shell.show(found, tables.matched)


@click.command()
@job_argument
@as_json
@pass_shell
def pause(shell: Shell, job: str) -> None:
    """Have a job save a checkpoint and free its worker."""
    shell.show_job(shell.client.jobs.pause(job))


@click.command()
@job_argument
@as_json
@pass_shell
def resume(shell: Shell, job: str) -> None:
    """Let a paused job go on exactly where it was."""
    shell.show_job(shell.client.jobs.resume(job))


@click.command()
@job_argument
@click.option(
    "--checkpoint",
    default="latest",
    metavar="WHICH",
    help="latest, best, start, a number of samples or an id; newer ones are deleted.",
)
@click.option("--learning-rate", type=float, help="Instead of the spec's.")
@follow_option
@as_json
@pass_shell
def retry(shell: Shell, job: str, checkpoint: str, learning_rate: float | None, follow: bool) -> int:
    """Make another attempt at a job that failed."""
    again = shell.client.jobs.retry(job, checkpoint=checkpoint_of(checkpoint), learning_rate=learning_rate)
    return shell.submitted(again, follow)


@click.command()
@job_argument
@click.option("--name", help="The job's name.")
@click.option("--priority", type=int, help="Higher goes first.")
@click.option("--tag", multiple=True, help="The job's tags, all of them (repeatable).")
@click.option("--no-tags", is_flag=True, help="Take all tags away.")
@as_json
@pass_shell
def edit(
    shell: Shell, job: str, name: str | None, priority: int | None, tag: tuple[str, ...], no_tags: bool
) -> None:
    """Change a job's name, tags or priority."""
    if tag and no_tags:
        raise misuse("--tag and --no-tags exclude each other")
    changes: dict[str, Any] = {"name": name, "priority": priority}
    if tag or no_tags:
        changes["tags"] = list(tag)
    changes = {field: value for field, value in changes.items() if value is not None}
    if not changes:
        raise misuse("nothing to change: --name, --priority, --tag or --no-tags is needed")
    shell.show_job(shell.client.jobs.edit(job, **changes))


@click.command()
@click.argument("checkpoint", metavar="CHECKPOINT")
@as_json
@pass_shell
def pin(shell: Shell, checkpoint: str) -> None:
    """Keep a checkpoint, whatever the spec says of how many are kept."""
    shell.show([shell.client.checkpoints.pin(checkpoint)], tables.checkpoints)


@click.command()
@click.argument("checkpoint", metavar="CHECKPOINT")
@as_json
@pass_shell
def unpin(shell: Shell, checkpoint: str) -> None:
    """Leave a checkpoint to the spec's retention again."""
    shell.show([shell.client.checkpoints.pin(checkpoint, False)], tables.checkpoints)


@click.command()
@as_json
@pass_shell
def rescan(shell: Shell) -> None:
    """Make records that Redis has lost anew from the volume."""
    shell.show(shell.client.rescan(), service_tables.rescan)
