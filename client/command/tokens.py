"""``cntk-jobs token``: who may. For those whose own token may administer."""

from __future__ import annotations

from typing import Any

import click

from client import service_tables
from client.command.shell import Shell, as_json, pass_shell, print_json


@click.group()
def token() -> None:
    """Create, list and revoke tokens."""


@token.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(("read", "submit", "admin")),
    default=("read", "submit"),
    show_default=True,
    help="What it may (repeatable).",
)
@click.option("--expires-at", metavar="TIME", help="An RFC 3339 time (default: never).")
@click.option("--queued", type=click.IntRange(0), help="Jobs that may be queued at once.")
@click.option("--running", type=click.IntRange(0), help="Jobs that may run at once.")
@click.option(
    "--bytes", "bytes_", type=click.IntRange(0), help="Bytes that its data, models and jobs may take."
)
@click.option("--requests-per-minute", type=click.IntRange(1), help="A rate limit.")
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
) -> None:
    """Make a token and print it: it is told this once."""
    given = {"queued": queued, "running": running, "bytes": bytes_}
    quotas = {quota: limit for quota, limit in given.items() if limit is not None}
    options: dict[str, Any] = {
        "expires_at": expires_at,
        "quotas": quotas or None,
        "requests_per_minute": requests_per_minute,
    }
    made = shell.client.tokens.create(
        name, scopes, **{option: value for option, value in options.items() if value is not None}
    )
    if shell.as_json:
        print_json(made)
    else:
        print(made["token"])


@token.command("list")
@as_json
@pass_shell
def list_tokens(shell: Shell) -> None:
    """List tokens by name: what each may, and until when."""
    shell.show(shell.client.tokens.list(), service_tables.tokens)


@token.command()
@click.argument("name", metavar="NAME")
@pass_shell
def revoke(shell: Shell, name: str) -> None:
    """End a token: it opens nothing any more."""
    shell.client.tokens.revoke(name)
