"""``cntk-jobs token``: who may. For those whose own token may administer, or who can write to the volume."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import click

from client import service_tables
from client.command import completion
from client.command.machine import environment
from client.command.shell import Shell, as_json, misuse, pass_shell, print_json
from client.command.statuses import REFUSED

here = click.option(
    "--here",
    is_flag=True,
    help="On the volume of CNTK_JOBS_HOME on this machine, without the service: for a first token.",
)


_SCOPE = click.Choice(("read", "submit", "admin"))


class _Refused(click.ClickException):
    exit_code = REFUSED


class _OrNone(click.IntRange):
    """A number, or ``none`` for no limit."""

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        return value if value == "none" else super().convert(value, param, context)


def _on_the_volume(*arguments: str) -> Any:
    """What ``service.tokens`` answers, which runs as a program: the client knows nothing of the service."""
    command = [sys.executable, "-m", "service.tokens", *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise _Refused(done.stderr.strip())
    return json.loads(done.stdout)


@click.group()
def token() -> None:
    """Create, list, change and revoke tokens."""


@token.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=_SCOPE,
    default=("submit",),
    show_default=True,
    help="What it may; each includes the ones before.",
)
@click.option("--expires-at", metavar="TIME", help="An RFC 3339 time (default: never).")
@click.option("--queued", type=click.IntRange(0), help="Jobs that may be queued at once.")
@click.option("--running", type=click.IntRange(1), help="Jobs that may run at once.")
@click.option(
    "--bytes", "bytes_", type=click.IntRange(0), help="Bytes that its data, models and jobs may take."
)
@click.option("--requests-per-minute", type=click.IntRange(1), help="A rate limit.")
@here
@as_json
@pass_shell
def create(
    shell: Shell,
    name: str,
    scopes: tuple[str, ...],
    expires_at: str | None,
    queued: int | None,
    running: int | None,
    bytes_: int | None,
    requests_per_minute: int | None,
    here: bool,
) -> None:
    """Make a token and print it: it is told this once."""
    given = {"queued": queued, "running": running, "bytes": bytes_}
    quotas = {quota: limit for quota, limit in given.items() if limit is not None}
    given_options: dict[str, Any] = {
        "expires_at": expires_at,
        "quotas": quotas or None,
        "requests_per_minute": requests_per_minute,
    }
    options = {option: value for option, value in given_options.items() if value is not None}
    if here:
        made = _on_the_volume("create", json.dumps({"name": name, "scopes": scopes, **options}))
    else:
        made = shell.client.tokens.create(name, scopes, **options)
    if shell.as_json:
        print_json(made)
    else:
        print(made["token"])


@token.command("list")
@here
@as_json
@pass_shell
def list_tokens(shell: Shell, here: bool) -> None:
    """List tokens, newest first: what each may, and until when."""
    found = _on_the_volume("list") if here else shell.client.tokens.list()
    shell.show(found, service_tables.tokens)


@token.command()
@click.argument("token_id", metavar="ID", shell_complete=completion.tokens)
@click.option("--name", help="Whose it is: what is made from now on is this owner's.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=_SCOPE,
    help="All that it may from now on.",
)
@click.option("--expires-at", metavar="TIME|never", help="An RFC 3339 time.")
@click.option("--queued", metavar="N|none", type=_OrNone(0), help="Jobs that may be queued at once.")
@click.option("--running", metavar="N|none", type=_OrNone(1), help="Jobs that may run at once.")
@click.option("--bytes", "bytes_", metavar="N|none", type=_OrNone(0), help="Bytes that it may take.")
@click.option("--requests-per-minute", "rate", metavar="N|none", type=_OrNone(1), help="A rate limit.")
@as_json
@pass_shell
def edit(
    shell: Shell,
    token_id: str,
    name: str | None,
    scopes: tuple[str, ...],
    expires_at: str | None,
    queued: int | str | None,
    running: int | str | None,
    bytes_: int | str | None,
    rate: int | str | None,
) -> None:
    """Change a token; what it reads stays. What is not named stays, too."""
    given: dict[str, Any] = {
        "name": name,
        "scopes": list(scopes) or None,
        "expires_at": expires_at,
        "requests_per_minute": rate,
    }
    quotas = {"queued": queued, "running": running, "bytes": bytes_}
    changes = {key: _value(value) for key, value in given.items() if value is not None}
    limits = {key: _value(value) for key, value in quotas.items() if value is not None}
    if limits:
        changes["quotas"] = limits
    if not changes:
        raise misuse("name what is to be changed")
    shell.show(shell.client.tokens.edit(token_id, **changes), lambda one: service_tables.tokens([one]))


def _value(given: Any) -> Any:
    return None if given in ("none", "never") else given


@token.command()
@as_json
@pass_shell
def me(shell: Shell) -> None:
    """Show whose token this command sends, what it may, its quotas and what of them is used."""
    shell.show(shell.client.tokens.me(), service_tables.me)


@token.command()
@click.argument("token_id", metavar="ID", shell_complete=completion.tokens)
@here
@pass_shell
def revoke(shell: Shell, token_id: str, here: bool) -> None:
    """End a token: it opens nothing any more."""
    if here:
        _on_the_volume("revoke", token_id)
    else:
        shell.client.tokens.revoke(token_id)
