"""The whole command line, and what its errors become."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

import click

from client import tables
from client.command import (
    completion,
    datasets,
    finding,
    machine,
    models,
    reading,
    steering,
    submitting,
    sweeps,
    tokens,
    watching,
    webhooks,
)
from client.command.shell import Shell
from client.command.statuses import INTERRUPTED, NO_ANSWER, OK, REFUSED, USAGE
from client.problems import JobsApiError, UnreachableError

SECTIONS: dict[str, list[click.Command]] = {
    "Jobs": [submitting.submit, submitting.validate, submitting.fork, submitting.evaluate, sweeps.sweep],
    "Look": [
        finding.list_jobs,
        finding.show,
        finding.lineage,
        finding.compare,
        watching.watch,
        watching.wait,
        reading.logs,
        reading.events,
        reading.metrics,
    ],
    "Steer": [
        steering.cancel,
        steering.pause,
        steering.resume,
        steering.retry,
        steering.edit,
    ],
    "Results": [
        reading.checkpoints,
        steering.pin,
        steering.unpin,
        reading.download,
    ],
    "Data and models": [datasets.datasets, models.models, reading.parts],
    "The service": [
        machine.up,
        machine.doctor,
        reading.workers,
        steering.rescan,
        tokens.token,
        webhooks.webhooks,
        completion.completion,
    ],
}


class _Sectioned(click.Group):
    """A group whose help shows the commands by subject."""

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(command.name or "", command.get_short_help_str(200)) for command in commands]
                )


@click.group(
    "cntk-jobs",
    cls=_Sectioned,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--url", metavar="URL", help="Where the service answers (default: CNTK_JOBS_URL).")
@click.option(
    "--token", metavar="TOKEN", help="Who asks (default: CNTK_JOBS_TOKEN, which no list of processes shows)."
)
@click.pass_obj
def cli(shell: Shell, url: str | None, token: str | None) -> None:
    """Training jobs for CNTK, over HTTP."""
    shell.url, shell.token = url, token


for _commands in SECTIONS.values():
    for _command in _commands:
        cli.add_command(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    shell = Shell()
    try:
        arguments = None if argv is None else list(argv)
        status = cli.main(arguments, "cntk-jobs", completion.VARIABLE, standalone_mode=False, obj=shell)
        sys.stdout.flush()
        # A command without a status of its own is done; so is --help.
        return OK if status is None else int(status)
    except SystemExit:
        # What click makes of a broken pipe, after it has taken the output away.
        return OK
    except BrokenPipeError:
        # Who reads our output has seen enough; the interpreter must not try to flush more of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        # A file to read or a folder to write to: what the command line names.
        print(f"cntk-jobs: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        return USAGE
    except click.ClickException as error:
        _complain(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("\ncntk-jobs: stopped; a job that was submitted goes on", file=sys.stderr)
        return INTERRUPTED
    except JobsApiError as error:
        if shell.as_json:
            print(json.dumps({"error": error.document}), file=sys.stderr)
        elif isinstance(error, UnreachableError):
            print(f"cntk-jobs: {error}; is it running? (cntk-jobs up)", file=sys.stderr)
        else:
            tables.problem(error, shell.aside)
        return NO_ANSWER if error.passing else REFUSED
    finally:
        shell.close()


def _complain(error: click.ClickException) -> None:
    """What is wrong with the command line, and where to read what would be right."""
    print(f"cntk-jobs: {error.format_message()}", file=sys.stderr)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        print(f"try: {error.ctx.command_path} --help", file=sys.stderr)
