"""Jobs while they train: watch, wait."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence

import click

from client import tables
from client.aio.client import AsyncClient
from client.command.shell import Shell, as_json, jobs_argument, pass_shell, status_of
from client.command.statuses import NOT_YET
from client.documents import Job
from client.progress import Board

UNFINISHED = ("queued", "running", "paused")


@click.command()
@jobs_argument(required=False)
@as_json
@pass_shell
def watch(shell: Shell, jobs: tuple[str, ...]) -> int:
    """Follow jobs until they have ended, with a live bar for each (default: all that have not)."""
    if len(jobs) == 1:
        return shell.follow(jobs[0])
    chosen = jobs or [job.id for status in UNFINISHED for job in shell.client.jobs.list(status=status)]
    console = shell.aside if shell.as_json else shell.console
    with Board(console) as board:
        ended = asyncio.run(_to_the_end(shell, chosen, board.show))
    shell.show(ended, tables.jobs)
    return status_of(*ended)


@click.command()
@jobs_argument(required=True)
@click.option("--timeout", type=float, metavar="SECONDS", help="Give up after so long.")
@as_json
@pass_shell
def wait(shell: Shell, jobs: tuple[str, ...], timeout: float | None) -> int:
    """Wait, without a word, until jobs have ended."""
    try:
        ended = asyncio.run(_in_time(shell, jobs, timeout))
    except TimeoutError as error:
        print(f"cntk-jobs: {error}", file=sys.stderr)
        return NOT_YET
    shell.show(ended, tables.jobs)
    return status_of(*ended)


async def _in_time(shell: Shell, jobs: Sequence[str], timeout: float | None) -> list[Job]:
    begun = time.monotonic()
    try:
        async with asyncio.timeout(timeout):
            return await _to_the_end(shell, jobs, lambda job: None)
    except TimeoutError:
        raise TimeoutError(f"not all of them have ended after {time.monotonic() - begun:.0f} s") from None


async def _to_the_end(shell: Shell, jobs: Sequence[str], show: Callable[[Job], None]) -> list[Job]:
    """All ``jobs`` at once, each look at each given to ``show``; their last states, in the same order."""

    async def follow(client: AsyncClient, job: str) -> Job:
        async for found in client.jobs.snapshots(job):
            show(found)
        return found

    async with AsyncClient(shell.url, token=shell.token) as client:
        return list(await asyncio.gather(*(follow(client, job) for job in jobs)))
