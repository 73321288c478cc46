"""Which jobs: the filters that ``list`` and ``cancel`` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from client.command import completion
from client.command.shell import Shell

Command = TypeVar("Command", bound=Callable[..., Any])

STATUSES = ("queued", "running", "paused", "succeeded", "failed", "cancelled")

OPTIONS = [
    click.option(
        "--status", multiple=True, type=click.Choice(STATUSES), help="Jobs in this state (repeatable)."
    ),
    click.option("--kind", type=click.Choice(("training", "evaluation")), help="Jobs of this kind."),
    click.option("--tag", multiple=True, help="Jobs with this tag (repeatable: with all of them)."),
    click.option("--owner", help="Jobs that the token of this name submitted."),
    click.option("--recipe", help="Jobs of this recipe."),
    click.option(
        "--dataset",
        metavar="NAME_OR_ID",
        help="Jobs that train on this data set.",
        shell_complete=completion.datasets,
    ),
    click.option("--parent", metavar="JOB", help="Jobs that started from this one, or forked it."),
    click.option("--name", help="Jobs whose name contains this."),
    click.option("--created-after", metavar="TIME", help="Jobs submitted after this RFC 3339 time."),
    click.option("--created-before", metavar="TIME", help="Jobs submitted before this RFC 3339 time."),
    click.option(
        "--where",
        multiple=True,
        metavar="COMPARISON",
        help="Such as 'metrics.accuracy>0.9' (repeatable: all of them).",
    ),
]


def filter_options(command: Command) -> Command:
    """The options of ``OPTIONS``."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def given_filters(shell: Shell, options: dict[str, Any]) -> dict[str, Any]:
    """The filters that were given, as the client takes them."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        if value:
            found[name] = list(value) if isinstance(value, tuple) else value
    if "dataset" in found:
        found["dataset"] = shell.client.datasets.named(found["dataset"])["id"]
    return found
