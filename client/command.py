"""``cntk-jobs``: the service from a shell. docs/cli.md documents every command and exit status."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from client import tables
from client.addresses import default_url
from client.blocking.client import Client
from client.documents import Job
from client.problems import JobsApiError, UnreachableError
from client.progress import watch

OK = 0
JOB_DID_NOT_SUCCEED = 1
USAGE = 2
REFUSED = 3
NO_ANSWER = 4
INTERRUPTED = 130

SHORT_LIST = 20


class Shell:
    """One invocation: its arguments, its connection and where its output goes."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        try:
            self.client = Client(arguments.url)
        except httpx.InvalidURL as error:
            raise UsageError(f"{arguments.url or default_url()}: {error}") from None
        self.console = tables.wide_console()

    def show(self, answer: Any, table: Callable[[Any], Any]) -> None:
        """The answer as JSON where that was asked for, otherwise as a table."""
        if self.arguments.json:
            print(json.dumps(answer, indent=2))
        else:
            self.console.print(table(answer))

    def follow(self, job_id: str) -> int:
        """Watch a job to its end and show it; the exit status that its end gives."""
        # Progress is for people: where the answer goes to a program it stays off standard output.
        console = tables.wide_console(stderr=True) if self.arguments.json else self.console
        job = watch(self.client.jobs.snapshots(job_id), console)
        self.show(job, tables.job)
        return OK if job["status"] == "succeeded" else JOB_DID_NOT_SUCCEED


def up(shell: Shell) -> int:
    """Run the whole service here, until Ctrl-C."""
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    os.execve(sys.executable, [sys.executable, "-m", "service"], {**os.environ, "PYTHONPATH": path})


def submit(shell: Shell) -> int:
    """Submit a job."""
    return _submitted(shell, shell.client.jobs.submit(_spec(shell)).document, shell.arguments.follow)


def _submitted(shell: Shell, job: Job, follow: bool) -> int:
    """The id of a new job, and on request its course to the end."""
    if follow:
        if not shell.arguments.json:
            print(job["id"])
        return shell.follow(job["id"])
    if shell.arguments.json:
        print(json.dumps(job, indent=2))
    else:
        print(job["id"])
    return OK


def validate(shell: Shell) -> int:
    """Check a spec without creating a job; prints it with every default and what it would take."""
    print(json.dumps(shell.client.jobs.validate(_spec(shell)), indent=2))
    return OK


def evaluate(shell: Shell) -> int:
    """Run a checkpoint of a job on a data set, as a job of its own."""
    given = shell.arguments
    dataset = shell.client.datasets.named(given.dataset)["id"] if given.dataset else None
    checkpoint = _checkpoint(given.checkpoint)
    job = shell.client.jobs.evaluate(
        given.job, dataset=dataset, split=given.split, checkpoint=checkpoint, name=given.name
    )
    return _submitted(shell, job.document, given.wait)


def list_jobs(shell: Shell) -> int:
    """List jobs, newest first."""
    limit = None if shell.arguments.all else SHORT_LIST
    found = shell.client.jobs.list(limit, status=shell.arguments.status, kind=shell.arguments.kind)
    shell.show([job.document for job in found], tables.jobs)
    return OK


def show(shell: Shell) -> int:
    """Show one job."""
    shell.show(shell.client.jobs.get(shell.arguments.job).document, tables.job)
    return OK


def watch_job(shell: Shell) -> int:
    """Follow a job until it ends."""
    return shell.follow(shell.arguments.job)


def logs(shell: Shell) -> int:
    """Print the end of what a job's trainer wrote."""
    log = shell.client.jobs.logs(
        shell.arguments.job, stream=shell.arguments.stream, attempt=shell.arguments.attempt
    )
    for line in log["lines"]:
        print(line)
    return OK


def events(shell: Shell) -> int:
    """Print what happened to a job, one JSON object a line."""
    for event in shell.client.jobs.events(shell.arguments.job, shell.arguments.after):
        print(json.dumps(event))
    return OK


def cancel(shell: Shell) -> int:
    """End a job, at once or after a last checkpoint."""
    shell.show(shell.client.jobs.cancel(shell.arguments.job, save=shell.arguments.save).document, tables.job)
    return OK


def pause(shell: Shell) -> int:
    """Have a job save a checkpoint and free its worker."""
    shell.show(shell.client.jobs.pause(shell.arguments.job).document, tables.job)
    return OK


def resume(shell: Shell) -> int:
    """Let a paused job go on where it was."""
    shell.show(shell.client.jobs.resume(shell.arguments.job).document, tables.job)
    return OK


def retry(shell: Shell) -> int:
    """Make another attempt at a job that failed."""
    given = shell.arguments
    job = shell.client.jobs.retry(
        given.job, checkpoint=_checkpoint(given.checkpoint), learning_rate=given.learning_rate
    )
    return _submitted(shell, job.document, given.follow)


def _checkpoint(given: str) -> int | str:
    return int(given) if given.isdecimal() else given


def checkpoints(shell: Shell) -> int:
    """List a job's checkpoints."""
    shell.show(shell.client.jobs.checkpoints(shell.arguments.job), tables.checkpoints)
    return OK


def lineage(shell: Shell) -> int:
    """Show which checkpoints a job came from, back to the first job, and what each changed."""
    shell.show(shell.client.jobs.lineage(shell.arguments.job), tables.lineage)
    return OK


def list_datasets(shell: Shell) -> int:
    """List data sets, newest first."""
    shell.show(shell.client.datasets.list(), tables.datasets)
    return OK


def add_dataset(shell: Shell) -> int:
    """Upload files as one data set."""
    options = _read_json(shell.arguments.options) if shell.arguments.options else {}
    if shell.arguments.name:
        options["name"] = shell.arguments.name
    try:
        dataset = shell.client.datasets.add(*shell.arguments.files, **options)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    if shell.arguments.json:
        print(json.dumps(dataset, indent=2))
    else:
        print(dataset["id"])
    tables.remarks(dataset, tables.wide_console(stderr=True))
    return OK


def remove_dataset(shell: Shell) -> int:
    """Delete a data set that no live job uses."""
    shell.client.datasets.remove(shell.client.datasets.named(shell.arguments.dataset)["id"])
    return OK


def list_models(shell: Shell) -> int:
    """List base models, newest first."""
    shell.show(shell.client.models.list(), tables.models)
    return OK


def show_model(shell: Shell) -> int:
    """Show a base model and its nodes, which layers of type pretrained name."""
    found = shell.client.models.get(shell.client.models.named(shell.arguments.model)["id"])
    if shell.arguments.json:
        print(json.dumps(found, indent=2))
        return OK
    console = tables.wide_console()
    console.print(tables.models([found]))
    console.print(tables.nodes(found))
    return OK


def add_model(shell: Shell) -> int:
    """Bring a base model, a file or what a job has trained, and wait until it is imported."""
    given = shell.arguments
    options = _read_json(given.options) if given.options else {}
    if given.name:
        options["name"] = given.name
    if (given.file is None) == (given.job is None):
        raise UsageError("a FILE or --job is needed, and not both")
    try:
        if given.job is not None:
            found = shell.client.models.of_job(given.job, checkpoint=given.checkpoint, **options)
        else:
            found = shell.client.models.add(given.file, **options)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    found = shell.client.models.wait(found["id"])
    print(json.dumps(found, indent=2) if given.json else found["id"])
    if found["status"] == "refused":
        print(f"cntk-jobs: refused: {found['detail']}", file=sys.stderr)
        return REFUSED
    return OK


def remove_model(shell: Shell) -> int:
    """Delete a base model; jobs that were submitted with it keep what they need."""
    shell.client.models.remove(shell.client.models.named(shell.arguments.model)["id"])
    return OK


def parts(shell: Shell) -> int:
    """Print the catalogue of layers, losses, metrics, learners and the rest, as JSON."""
    print(json.dumps(shell.client.parts(), indent=2))
    return OK


def workers(shell: Shell) -> int:
    """Print the workers that are alive and what they train on, as JSON."""
    print(json.dumps(shell.client.workers(), indent=2))
    return OK


def rescan(shell: Shell) -> int:
    """Make records that Redis has lost anew from the volume."""
    shell.show(shell.client.rescan(), tables.rescan)
    return OK


class UsageError(Exception):
    """The command line names something that is not there or not readable, in one line."""


def _read_json(path: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        found = json.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path}: no JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: a JSON object is needed")
    return found


def _spec(shell: Shell) -> Mapping[str, Any]:
    """The spec file, with the data set and the name that the command line gives."""
    spec = _read_json(shell.arguments.spec)
    if shell.arguments.dataset:
        spec["dataset"] = shell.client.datasets.named(shell.arguments.dataset)["id"]
    if shell.arguments.name:
        spec["name"] = shell.arguments.name
    return spec


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="cntk-jobs", description="Training jobs for CNTK, over HTTP.")
    top.add_argument("--url", help=f"where the service answers (default: {default_url()})")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        under: argparse._SubParsersAction[argparse.ArgumentParser],
        name: str,
        run: Callable[[Shell], int],
        *,
        as_json: bool = True,
    ) -> argparse.ArgumentParser:
        added = under.add_parser(name, help=run.__doc__, description=run.__doc__)
        added.set_defaults(run=run, json=False)
        if as_json:
            added.add_argument("--json", action="store_true", help="print the service's answer as JSON")
        return added

    def takes_spec(added: argparse.ArgumentParser) -> None:
        added.add_argument("spec", metavar="SPEC.json", help="the spec; - reads standard input")
        added.add_argument(
            "--dataset", metavar="NAME_OR_ID", help="the data set to use, whatever the spec says"
        )
        added.add_argument("--name", help="the job's name, whatever the spec says")

    command(commands, "up", up, as_json=False)
    submitting = command(commands, "submit", submit)
    takes_spec(submitting)
    submitting.add_argument("--follow", action="store_true", help="stay until the job has ended")
    takes_spec(command(commands, "validate", validate, as_json=False))
    listing = command(commands, "list", list_jobs)
    listing.add_argument("--status", help="only jobs in this state")
    listing.add_argument("--kind", choices=("training", "evaluation"), help="only jobs of this kind")
    listing.add_argument("--all", action="store_true", help=f"not only the newest {SHORT_LIST}")
    evaluating = command(commands, "evaluate", evaluate)
    evaluating.add_argument("job", metavar="JOB", help="the id of the job that has trained")
    evaluating.add_argument("--dataset", metavar="NAME_OR_ID", help="what to run it on (default: its own)")
    evaluating.add_argument(
        "--checkpoint", default="latest", help="latest, best, a number of samples or an id"
    )
    evaluating.add_argument(
        "--split", choices=("test", "valid", "train", "unlabelled"), help="default: the first there is"
    )
    evaluating.add_argument("--name", default="", help="the evaluation's name")
    evaluating.add_argument("--wait", action="store_true", help="stay until it has ended")
    on_a_job = {
        "show": show,
        "watch": watch_job,
        "pause": pause,
        "resume": resume,
        "checkpoints": checkpoints,
        "lineage": lineage,
    }
    for name, run in on_a_job.items():
        command(commands, name, run).add_argument("job", metavar="JOB", help="the job's id")
    cancelling = command(commands, "cancel", cancel)
    cancelling.add_argument("job", metavar="JOB", help="the job's id")
    cancelling.add_argument("--save", action="store_true", help="save a checkpoint first")
    retrying = command(commands, "retry", retry)
    retrying.add_argument("job", metavar="JOB", help="the job's id")
    retrying.add_argument(
        "--checkpoint",
        default="latest",
        help="latest, best, start, a number of samples or an id; newer ones are deleted",
    )
    retrying.add_argument("--learning-rate", type=float, help="instead of the spec's")
    retrying.add_argument("--follow", action="store_true", help="stay until the job has ended")
    writing = command(commands, "logs", logs, as_json=False)
    writing.add_argument("job", metavar="JOB", help="the job's id")
    writing.add_argument("--stream", choices=("stdout", "stderr"), default="stderr")
    writing.add_argument("--attempt", type=int, help="which attempt's (default: the last one's)")
    history = command(commands, "events", events, as_json=False)
    history.add_argument("job", metavar="JOB", help="the job's id")
    history.add_argument("--after", type=int, default=0, metavar="SEQ", help="only what came after this one")

    datasets = commands.add_parser("datasets", help="List, add and remove data sets.")
    on_datasets = datasets.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command(on_datasets, "list", list_datasets)
    adding = command(on_datasets, "add", add_dataset)
    adding.add_argument("files", nargs="+", metavar="FILE", help="CSV, NPZ or CNTK text format")
    adding.add_argument("--name", help="the data set's name (default: the first file's)")
    adding.add_argument(
        "--options", metavar="OPTIONS.json", help="how to read the files; - reads standard input"
    )
    removing = command(on_datasets, "rm", remove_dataset, as_json=False)
    removing.add_argument("dataset", metavar="NAME_OR_ID")

    models = commands.add_parser("models", help="List, add, show and remove base models.")
    on_models = models.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command(on_models, "list", list_models)
    bringing = command(on_models, "add", add_model)
    bringing.add_argument(
        "file", nargs="?", metavar="FILE", help="a CNTK (.model, .dnn) or ONNX (.onnx) file"
    )
    bringing.add_argument("--job", metavar="JOB", help="instead of a file: what this job has trained")
    bringing.add_argument(
        "--checkpoint", help="of the job: latest, best, samples or an id (default: its finished model)"
    )
    bringing.add_argument("--name", help="the model's name (default: the file's or the job's)")
    bringing.add_argument(
        "--options", metavar="OPTIONS.json", help="preprocessing and format; - reads standard input"
    )
    command(on_models, "show", show_model).add_argument("model", metavar="NAME_OR_ID")
    command(on_models, "remove", remove_model, as_json=False).add_argument("model", metavar="NAME_OR_ID")

    command(commands, "parts", parts, as_json=False)
    command(commands, "workers", workers, as_json=False)
    command(commands, "rescan", rescan)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = parser().parse_args(argv)
    try:
        shell = Shell(arguments)
        with shell.client:
            status: int = arguments.run(shell)
            sys.stdout.flush()
            return status
    except BrokenPipeError:
        # Who reads our output has seen enough; the interpreter must not try to flush more of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except UsageError as error:
        print(f"cntk-jobs: {error}", file=sys.stderr)
        return USAGE
    except UnreachableError as error:
        print(f"cntk-jobs: {error}; is it running? (cntk-jobs up)", file=sys.stderr)
        return NO_ANSWER
    except JobsApiError as error:
        tables.problem(error, tables.wide_console(stderr=True))
        return NO_ANSWER if error.passing else REFUSED
    except KeyboardInterrupt:
        print("\ncntk-jobs: stopped watching; a job that was submitted goes on", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
