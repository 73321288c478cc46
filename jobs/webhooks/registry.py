"""Webhooks: who wants to be told of which changes of state, and where.

The volume is the truth: ``VOLUME/webhooks/<id>/`` has webhook.json and, readable by the service alone,
the secret. ``cj:webhooks`` in Redis has the same without the secret, by id: while it is empty no change of
state is kept for anybody. What is to be sent, and how it went, is jobs/webhooks/deliveries.py's.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from jobs import ids
from jobs.connection import reaching_redis
from jobs.errors import Fault, InvalidInput, NotFound
from jobs.settings import Settings
from jobs.specs.part_models import Strict
from jobs.specs.structure import nearest, parse_as
from jobs.states import State
from jobs.store import Store
from jobs.webhooks.addresses import literal_address, reachable
from trainer.files import read_json, write_json
from trainer.layout import Volume

EVENTS = tuple(f"job.{state.value}" for state in State)
"""What can be told: a job has come into a state."""
TEST_EVENT = "webhook.test"
_ID = re.compile(r"wh_[0-9A-HJKMNP-TV-Z]{26}")
_SECRET_BYTES = 24
_KEY = "cj:webhooks"


class WebhookRequest(Strict):
    """A webhook as somebody asks for it."""

    url: str = Field(max_length=2000, description="where messages are posted to: an https URL")
    events: list[str] = Field(
        default=["*"],
        min_length=1,
        max_length=20,
        description=f"of {', '.join(EVENTS)}; or * for all of them",
    )
    job: str | None = Field(default=None, description="only of this job")
    tag: str | None = Field(default=None, max_length=64, description="only of jobs that have this tag")
    description: str = Field(default="", max_length=500)


class WebhookChange(Strict):
    """What of a webhook is to be changed; what is left out stays as it is."""

    url: str | None = Field(default=None, max_length=2000)
    events: list[str] | None = Field(default=None, min_length=1, max_length=20)
    job: str | None = None
    tag: str | None = Field(default=None, max_length=64)
    description: str | None = Field(default=None, max_length=500)
    enabled: bool | None = Field(default=None, description="true also forgets the failures so far")


class Webhook(BaseModel):
    """One webhook, without its secret."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    url: str
    events: list[str]
    job: str | None = None
    tag: str | None = None
    description: str = ""
    owner: str | None = None
    """Name of the token that it was made with."""
    enabled: bool = True
    disabled_because: str | None = None
    created_at: datetime

    def wants(self, event: str, job: str, tags: list[str]) -> bool:
        """Whether it is to be told of such an event of a job with these tags."""
        return (
            self.enabled
            and ("*" in self.events or event in self.events)
            and self.job in (None, job)
            and (self.tag is None or self.tag in tags)
        )


def create(
    document: Mapping[str, Any], store: Store, settings: Settings, owner: str | None = None
) -> tuple[Webhook, str]:
    """A new webhook and its secret, which is shown this once. InvalidInput with every fault."""
    request = parse_as(WebhookRequest, document)
    _check(request.model_dump(), store, settings)
    webhook = Webhook(id=ids.new_id("wh"), owner=owner, created_at=datetime.now(UTC), **request.model_dump())
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    folder = settings.volume.webhooks / webhook.id
    folder.mkdir(parents=True, mode=0o700)
    descriptor = os.open(folder / "secret", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
        os.fsync(file.fileno())
    _save(webhook, store, settings.volume)
    return webhook, secret


def get(webhook_id: str, volume: Volume) -> Webhook:
    """NotFound where there is none."""
    if not _ID.fullmatch(webhook_id):
        raise NotFound(f"there is no webhook {webhook_id!r}")
    try:
        return Webhook.model_validate(read_json(volume.webhooks / webhook_id / "webhook.json"))
    except FileNotFoundError:
        raise NotFound(f"there is no webhook {webhook_id!r}") from None


def secret_of(webhook_id: str, volume: Volume) -> str:
    """What its messages are signed with. FileNotFoundError where the webhook was deleted."""
    return (volume.webhooks / webhook_id / "secret").read_text()


def all_of(volume: Volume) -> list[Webhook]:
    """Every webhook, newest first."""
    folders = volume.webhooks.iterdir() if volume.webhooks.is_dir() else ()
    found = []
    for name in sorted((folder.name for folder in folders), reverse=True):
        try:
            found.append(get(name, volume))
        except NotFound:
            continue  # deleted, or on its way to be made
    return found


def change(webhook_id: str, document: Mapping[str, Any], store: Store, settings: Settings) -> Webhook:
    """The webhook with some of its fields changed. InvalidInput with every fault, NotFound."""
    request = parse_as(WebhookChange, document)
    given = request.model_dump(include=request.model_fields_set)
    missing = [name for name in ("url", "events", "description", "enabled") if given.get(name, "") is None]
    if missing:
        raise InvalidInput.of([Fault(f"/{name}", "null", "this cannot be taken away") for name in missing])
    _check(given, store, settings)
    if given.get("enabled"):
        given["disabled_because"] = None
        forget_failures(webhook_id, store)
    elif given.get("enabled") is False:
        given["disabled_because"] = "switched off by hand"
    return _change(webhook_id, given, store, settings.volume)


def disable(webhook_id: str, because: str, store: Store, volume: Volume) -> None:
    """Send nothing any more until somebody enables it."""
    _change(webhook_id, {"enabled": False, "disabled_because": because}, store, volume)


def remove(webhook_id: str, store: Store, volume: Volume) -> None:
    """Delete it, with all that was to be sent. NotFound where there is none."""
    get(webhook_id, volume)
    folder = volume.webhooks / webhook_id
    aside = folder.with_name(f".retired-{webhook_id}")
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
    forget(webhook_id, store)


def forget(webhook_id: str, store: Store) -> None:
    """Remove a webhook that is not on the volume from Redis."""
    with reaching_redis():
        store.client.hdel(_KEY, webhook_id)
        keys = store.client.scan_iter(f"cj:webhook:{webhook_id}:*", count=1000)
        for key in keys:
            store.client.delete(key)
    forget_failures(webhook_id, store)


def forget_failures(webhook_id: str, store: Store) -> None:
    with reaching_redis():
        store.client.hdel("cj:webhooks:failing", webhook_id)


def known(store: Store) -> list[Webhook]:
    """Every webhook as Redis knows it: for whoever looks often."""
    with reaching_redis():
        found = cast(dict[str, str], store.client.hgetall(_KEY))
    return [Webhook.model_validate_json(text) for text in found.values()]


def restore(store: Store, volume: Volume) -> list[Webhook]:
    """Bring those that Redis lacks back from the volume; all of them."""
    found = all_of(volume)
    with reaching_redis():
        for webhook in found:
            store.client.hsetnx(_KEY, webhook.id, webhook.model_dump_json())
    return found


def _change(webhook_id: str, fields: Mapping[str, Any], store: Store, volume: Volume) -> Webhook:
    with _locked(webhook_id, volume):
        webhook = get(webhook_id, volume).model_copy(update=dict(fields))
        _save(webhook, store, volume)
    return webhook


def _save(webhook: Webhook, store: Store, volume: Volume) -> None:
    """The volume first: what Redis lacks can be brought back."""
    write_json(volume.webhooks / webhook.id / "webhook.json", webhook.model_dump(mode="json"))
    with reaching_redis():
        store.client.hset(_KEY, webhook.id, webhook.model_dump_json())


@contextmanager
def _locked(webhook_id: str, volume: Volume) -> Iterator[None]:
    get(webhook_id, volume)
    with Path(volume.webhooks / webhook_id / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _check(given: Mapping[str, Any], store: Store, settings: Settings) -> None:
    """InvalidInput with everything that is wrong with the values of a request."""
    faults = []
    if "url" in given and (wrong := _wrong_with(given["url"], settings)):
        faults.append(Fault("/url", "url", f"{wrong}, not {given['url']!r}"))
    for position, event in enumerate(given.get("events") or ()):
        if event not in (*EVENTS, "*"):
            detail = f"there is no event {event!r}; {nearest(event, [*EVENTS, '*'])}"
            faults.append(Fault(f"/events/{position}", "unknown_event", detail))
    if given.get("job") is not None:
        try:
            store.get(given["job"])
        except NotFound as error:
            faults.append(Fault("/job", "unknown_job", error.detail))
    if faults:
        raise InvalidInput.of(faults)


def _wrong_with(url: str, settings: Settings) -> str | None:
    """Why nothing can be posted to a URL, or None. A name's address is looked at when a message is sent."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"a URL is needed ({error})"
    private = settings.webhooks_private
    if parts.scheme not in (("https", "http") if private else ("https",)) or not host:
        return "an https URL is needed (http only with CNTK_JOBS_WEBHOOKS_PRIVATE=1)"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "a URL has neither spaces nor characters outside of ASCII; encode them"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "a URL without user, password and fragment is needed"
    address = literal_address(host)
    if not private and address is not None and not reachable(address):
        return "a public address is needed (private ones only with CNTK_JOBS_WEBHOOKS_PRIVATE=1)"
    return None
