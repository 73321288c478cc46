"""``cntk-jobs webhooks``: addresses that are told what happens."""

from __future__ import annotations

from typing import Any

import click

from client import service_tables
from client.command import completion
from client.command.shell import Shell, as_json, misuse, pass_shell, print_json


@click.group()
def webhooks() -> None:
    """List, add, edit, test and remove webhooks, and see what was delivered."""


@webhooks.command("list")
@as_json
@pass_shell
def list_webhooks(shell: Shell) -> None:
    """List webhooks."""
    shell.show(shell.client.webhooks.list(), service_tables.webhooks)


@webhooks.command()
@click.argument("url", metavar="URL")
@click.option(
    "--event", "events", multiple=True, metavar="TYPE", default=("*",), help="Which (default: all)."
)
@click.option("--job", help="Only of this job.", shell_complete=completion.jobs)
@click.option("--tag", help="Only of jobs with this tag.")
@click.option("--description", help="What it is for.")
@as_json
@pass_shell
def add(
    shell: Shell,
    url: str,
    events: tuple[str, ...],
    job: str | None,
    tag: str | None,
    description: str | None,
) -> None:
    """Have URL told of events; prints the webhook's id and its secret, which is told this once."""
    options: dict[str, Any] = {"job": job, "tag": tag, "description": description}
    made = shell.client.webhooks.add(
        url, events, **{option: value for option, value in options.items() if value is not None}
    )
    if shell.as_json:
        print_json(made)
    else:
        print(made["id"])
        print(made["secret"])


@webhooks.command()
@click.argument("webhook", metavar="WEBHOOK", shell_complete=completion.webhooks)
@click.option("--url", help="Where messages are posted to.")
@click.option("--event", "events", multiple=True, metavar="TYPE", help="Which, all of them (repeatable).")
@click.option("--description", help="What it is for.")
@click.option("--on/--off", "enabled", default=None, help="Switch it on again, or off.")
@as_json
@pass_shell
def edit(
    shell: Shell,
    webhook: str,
    url: str | None,
    events: tuple[str, ...],
    description: str | None,
    enabled: bool | None,
) -> None:
    """Change a webhook, switch it off or on again."""
    given = {"url": url, "events": list(events) or None, "description": description, "enabled": enabled}
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise misuse("nothing to change: --url, --event, --description, --on or --off is needed")
    shell.show([shell.client.webhooks.edit(webhook, **changes)], service_tables.webhooks)


@webhooks.command()
@click.argument("webhook", metavar="WEBHOOK", shell_complete=completion.webhooks)
@as_json
@pass_shell
def test(shell: Shell, webhook: str) -> None:
    """Have a message sent now, to see whether it arrives."""
    shell.show([shell.client.webhooks.test(webhook)], service_tables.deliveries)


@webhooks.command()
@click.argument("webhook", metavar="WEBHOOK", shell_complete=completion.webhooks)
@as_json
@pass_shell
def deliveries(shell: Shell, webhook: str) -> None:
    """List what was sent, newest first, and how it went."""
    shell.show(shell.client.webhooks.deliveries(webhook), service_tables.deliveries)


@webhooks.command()
@click.argument("webhook", metavar="WEBHOOK", shell_complete=completion.webhooks)
@click.argument("delivery", metavar="DELIVERY")
@as_json
@pass_shell
def redeliver(shell: Shell, webhook: str, delivery: str) -> None:
    """Send a message again."""
    shell.show([shell.client.webhooks.redeliver(webhook, delivery)], service_tables.deliveries)


@webhooks.command()
@click.argument("webhook", metavar="WEBHOOK", shell_complete=completion.webhooks)
@pass_shell
def rm(shell: Shell, webhook: str) -> None:
    """Delete a webhook."""
    shell.client.webhooks.remove(webhook)
