"""Jobs and how they stand: list, show, lineage, compare."""

from __future__ import annotations

from typing import Any

import click

from client import comparing, tables
from client.command.filters import filter_options, given_filters
from client.command.shell import Shell, as_json, job_argument, jobs_argument, pass_shell

SHORT_LIST = 20


@click.command("list")
@filter_options
@click.option("--order-by", metavar="FIELD", help="Such as metrics.accuracy or -created_at (the default).")
@click.option(
    "--limit", type=click.IntRange(1), default=SHORT_LIST, show_default=True, help="So many at most."
)
@click.option("--all", "everything", is_flag=True, help="However many there are.")
@as_json
@pass_shell
def list_jobs(shell: Shell, /, order_by: str | None, limit: int, everything: bool, **options: Any) -> None:
    """List jobs, newest first."""
    filters = given_filters(shell, options)
    found = shell.client.jobs.list(None if everything else limit, order_by=order_by, **filters)
    shell.show([job.document for job in found], tables.jobs)


@click.command()
@job_argument
@as_json
@pass_shell
def show(shell: Shell, job: str) -> None:
    """Show one job."""
    shell.show_job(shell.client.jobs.get(job))


@click.command()
@job_argument
@as_json
@pass_shell
def lineage(shell: Shell, job: str) -> None:
    """Show which checkpoints a job came from, back to the first job, and what each changed."""
    shell.show(shell.client.jobs.lineage(job), tables.lineage)


@click.command()
@jobs_argument(required=True)
@as_json
@pass_shell
def compare(shell: Shell, jobs: tuple[str, ...]) -> None:
    """Show jobs side by side: where their specs differ, and what came of it."""
    shell.show(comparing.compare([shell.client.jobs.get(job).document for job in jobs]), tables.comparison)
