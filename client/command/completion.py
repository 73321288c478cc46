"""What a shell completes: the ids that the service knows, and the script that makes it do so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
import httpx
from click.shell_completion import CompletionItem, get_completion_class

from client.blocking.client import Client
from client.problems import JobsApiError
from client.retrying import Retries

NEWEST = 100
SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_CNTK_JOBS_COMPLETE"

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(find: Callable[[Client], Iterable[tuple[str, str]]]) -> Completer:
    """A completer of what ``find`` finds: (word, what it is). A service that is away completes nothing."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        given = context.find_root().params
        try:
            with Client(
                given.get("url"), token=given.get("token"), timeout=2, retries=Retries(count=0)
            ) as client:
                return [
                    CompletionItem(word, help=what) for word, what in find(client) if word.startswith(begun)
                ]
        except (JobsApiError, httpx.InvalidURL):
            return []

    return complete


jobs = _completer(
    lambda client: ((job.id, f"{job['name']} ({job.status})".strip()) for job in client.jobs.list(NEWEST))
)
datasets = _completer(lambda client: _by_id_or_name(client.datasets.list(NEWEST)))
models = _completer(lambda client: _by_id_or_name(client.models.list(NEWEST)))
sweeps = _completer(
    lambda client: (
        (one["id"], f"{one['name']} ({one['status']})".strip()) for one in client.sweeps.list(NEWEST)
    )
)
webhooks = _completer(lambda client: ((one["id"], one["url"]) for one in client.webhooks.list()))
tokens = _completer(lambda client: ((one["id"], one["name"]) for one in client.tokens.list()))


def _by_id_or_name(found: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for one in found:
        yield one["id"], one["name"]
        # A word with a space in it would be two for a shell.
        if one["name"] and not re.search(r"\s", one["name"]):
            yield one["name"], one["id"]


@click.command("completion")
@click.argument("shell_name", metavar="SHELL", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell_name: str) -> None:
    """Print the script that has bash, zsh or fish complete commands, options and ids."""
    kind = get_completion_class(shell_name)
    assert kind is not None, "click knows the shells that we offer"
    print(kind(context.find_root().command, {}, "cntk-jobs", VARIABLE).source())
