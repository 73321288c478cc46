"""What a shell completes: the ids that the service knows, and the script that makes it do so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
import httpx
from click.shell_completion import (
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
)

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
                    CompletionItem(word, help=" ".join(what.split()))
                    for word, what in find(client)
                    if word.startswith(begun)
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
        # What a shell would take apart is not offered: bash puts completions on the line as they are.
        if re.fullmatch(r"[\w.,+@%/-]+", one["name"] or ""):
            yield one["name"], one["id"]


class _Zsh(ZshComplete):
    """Works in a .zshrc that has not begun completion, too."""

    source_template = (
        "#compdef %(prog_name)s\n"
        "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }\n"
        + ZshComplete.source_template
    )


class _Fish(FishComplete):
    """Keeps the order, which is the newest first, and commas in what is said of a word."""

    source_template = """\
function %(complete_func)s
    set -l response (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) \
COMP_CWORD=(commandline -t) %(prog_name)s)
    for completion in $response
        set -l found (string split --max 1 "," $completion)
        switch $found[1]
            case dir
                __fish_complete_directories $found[2]
            case file
                __fish_complete_path $found[2]
            case plain
                echo $found[2]
        end
    end
end
complete --no-files --keep-order --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


add_completion_class(_Zsh)
add_completion_class(_Fish)


@click.command("completion")
@click.argument("shell_name", metavar="SHELL", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell_name: str) -> None:
    """Print the script that has bash, zsh or fish complete commands, options and ids."""
    kind = get_completion_class(shell_name)
    assert kind is not None, "click knows the shells that we offer"
    print(kind(context.find_root().command, {}, "cntk-jobs", VARIABLE).source())
