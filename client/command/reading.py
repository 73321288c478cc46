"""What jobs wrote and left, and what the service has: logs to workers. Nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from client import service_tables, tables
from client.command import transfer
from client.command.shell import (
    Shell,
    as_json,
    checkpoint_of,
    job_argument,
    jobs_argument,
    misuse,
    pass_shell,
    print_json,
)
from client.problems import JobsApiError


@click.command()
@job_argument
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is written, to the job's end.")
@click.option(
    "--stream", type=click.Choice(("stderr", "stdout")), default="stderr", show_default=True, help="Which."
)
@click.option(
    "--tail", type=click.IntRange(1, 100_000), default=200, show_default=True, help="So many lines before."
)
@click.option("--attempt", type=click.IntRange(1), help="Which attempt's (default: the last one's).")
@as_json
@pass_shell
def logs(shell: Shell, job: str, follow: bool, stream: str, tail: int, attempt: int | None) -> None:
    """Print the end of what a job's trainer wrote."""
    if not follow:
        log = shell.client.jobs.logs(job, stream=stream, attempt=attempt, tail=tail)
        if shell.as_json:
            print_json(log)
            return
        for line in log["lines"]:
            print(line)
        return
    for piece in shell.client.jobs.follow_logs(job, stream=stream, attempt=attempt, tail=tail):
        if shell.as_json:
            print(json.dumps(piece), flush=True)
        else:
            print(piece["text"], end="", flush=True)


@click.command()
@click.argument("job", metavar="[JOB]", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on printing what happens, to the job's end.")
@click.option(
    "--after", type=click.IntRange(0), default=0, metavar="SEQ", help="Only what came after this one."
)
@as_json
@pass_shell
def events(shell: Shell, job: str | None, follow: bool, after: int) -> None:
    """Print what happened to a job, or to all, one JSON object a line."""
    if job is None and after:
        raise misuse("--after goes with a JOB: its events are numbered")
    if follow:
        stream = shell.client.jobs.follow(job, after=after) if job else shell.client.follow()
        for event in stream:
            print(json.dumps({"type": event.type, **event.data}), flush=True)
        return
    for found in shell.client.jobs.events(job, after) if job else shell.client.events():
        print(json.dumps(found))


@click.command()
@jobs_argument(required=True)
@click.option(
    "--points",
    type=click.IntRange(1, 10_000),
    default=500,
    show_default=True,
    help="Minibatch buckets, with --json.",
)
@as_json
@pass_shell
def metrics(shell: Shell, jobs: tuple[str, ...], points: int) -> None:
    """Print losses and metrics over the epochs of one job or several."""
    if len(jobs) == 1:
        shell.show(shell.client.jobs.metrics(jobs[0], points=points), tables.course)
        return
    courses = shell.client.jobs.compare(*jobs, points=points)
    if shell.as_json:
        print_json({"jobs": courses})
        return
    for course in courses:
        shell.console.print(f"{course['job']} {course['name']}".rstrip(), style="bold")
        shell.console.print(tables.course(course))


@click.command()
@job_argument
@as_json
@pass_shell
def checkpoints(shell: Shell, job: str) -> None:
    """List a job's checkpoints."""
    shell.show(shell.client.jobs.checkpoints(job), tables.checkpoints)


@click.command()
@job_argument
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option(
    "--to", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path), help="Default: the job's id."
)
@click.option(
    "--checkpoint",
    metavar="WHICH",
    help="A checkpoint's files instead: latest, best, a number of samples or an id.",
)
@as_json
@pass_shell
def download(shell: Shell, job: str, paths: tuple[str, ...], to: Path | None, checkpoint: str | None) -> None:
    """Fetch the files that a job left as its results, or those named; what is there in part is continued."""
    client = shell.client
    folder = to or Path(job)
    if checkpoint is not None:
        found = _chosen(shell, job, checkpoint_of(checkpoint))
        wanted = [(file["href"], file) for file in client.checkpoints.get(found)["files"]]
    else:
        wanted = [(f"/v1/jobs/{job}/artifacts/{file['path']}", file) for file in client.jobs.artifacts(job)]
    offered = [file["path"] for _, file in wanted]
    if missing := [path for path in paths if path not in offered]:
        detail = f"{job} has no {', '.join(missing)}; it has {', '.join(offered) or 'no files'}"
        raise JobsApiError(detail, status=404, type="not-found")
    fetched = []
    with transfer.bars(shell.aside) as bar:
        for href, file in wanted:
            if paths and file["path"] not in paths:
                continue
            target = _below(folder, file["path"])
            client.connection.download(href, target, sha256=file["sha256"], progress=bar(file["path"]))
            fetched.append(str(target))
    if shell.as_json:
        print_json(fetched)
    else:
        for path in fetched:
            print(path)


def _below(folder: Path, path: str) -> Path:
    """Where a file that a listing names goes: never outside of ``folder``, whatever a service says."""
    target = folder / path
    if not target.resolve().is_relative_to(folder.resolve()):
        raise JobsApiError(f"the service lists {path!r}, which lies outside of its folder")
    return target


def _chosen(shell: Shell, job: str, checkpoint: str | int) -> str:
    """The id of the checkpoint that ``latest``, ``best``, a number of samples or an id names."""
    found = sorted(shell.client.jobs.checkpoints(job), key=lambda one: one["samples"])
    fitting = {
        "latest": found[-1:],
        "best": [one for one in found if one["best"]],
    }.get(str(checkpoint), [one for one in found if checkpoint in (one["samples"], one["id"])])
    if not fitting:
        there = ", ".join(str(one["samples"]) for one in found) or "none"
        raise JobsApiError(
            f"{job} has no checkpoint {checkpoint!r}; it has: {there}", status=404, type="not-found"
        )
    return fitting[-1]["id"]


@click.command()
@click.argument("kind", metavar="[KIND]", required=False)
@as_json
@pass_shell
def parts(shell: Shell, kind: str | None) -> None:
    """Print the catalogue: layers, losses, metrics, learners and the rest."""
    found = shell.client.parts()
    if kind is not None:
        if kind not in found:
            raise misuse(f"there is no kind {kind!r}; there are {', '.join(found)}")
        found = {kind: found[kind]}
    shell.show(found, service_tables.parts)


@click.command()
@as_json
@pass_shell
def workers(shell: Shell) -> None:
    """List the workers that are alive, and what they train on."""
    shell.show(shell.client.workers(), service_tables.workers)
