"""What is to be sent to webhooks, and how it went.

The scripts that change a job's state add to ``cj:outbox``, a stream, where there are webhooks at all. From
there each entry becomes a delivery to every webhook that wants it, once: a hash,
``cj:webhook:<id>:delivery:<message>``, with ``cj:webhook:<id>:due`` which are to be sent and when, and
``cj:webhook:<id>:log`` the newest of all, sent or not. Whoever sends one takes it for as long as a lease: one
that is never settled is sent again. What has come to its end is noted on the volume too, so that nothing is
lost, and little repeated, where Redis loses its data.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from jobs.connection import reaching_redis
from jobs.errors import NotFound
from jobs.events import event_document
from jobs.record import Record, rfc3339
from jobs.scripts import pairs
from jobs.store import Store
from jobs.webhooks.registry import TEST_EVENT, Webhook, known
from trainer.files import append_line, complete_lines
from trainer.layout import Volume

DELAYS_S = (5, 30, 120, 600, 3600, 5 * 3600, 10 * 3600, 24 * 3600)
"""How long it takes to the next attempt, after each that failed; after one more the delivery has failed."""
HORIZON = timedelta(seconds=2 * sum(DELAYS_S))
"""Nothing is older than this and still to be sent."""
KEEP_NOTES = timedelta(days=30)
KEPT = 1000
"""Deliveries that the log of a webhook keeps."""
LEASE_S = 60.0
"""Longer than an attempt may take."""
_BATCH = 200

Status = Literal["pending", "delivered", "failed"]


class Delivery(BaseModel):
    """One message to one webhook. Times are Unix milliseconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    """That of the message: the same in every attempt."""
    webhook: str
    type: str
    job: str | None = None
    seq: int | None = None
    """Number of the job's event."""
    status: Status = "pending"
    attempts: int = 0
    created_at: int
    attempted_at: int | None = None
    next_at: int | None = None
    response_status: int | None = None
    """Of the last attempt; None where there was no answer."""
    error: str | None = None
    """Why the last attempt failed."""
    payload: str = Field(repr=False)
    holder: str | None = None
    place: str = ""

    def hash(self) -> dict[str, str]:
        """As it is first written."""
        names = {"id", "webhook", "type", "job", "seq", "created_at", "payload"}
        return {name: str(value) for name, value in self.model_dump(include=names, exclude_none=True).items()}


@dataclass(frozen=True)
class Answer:
    """How one attempt ended."""

    status: int | None
    """HTTP status; None without an answer."""
    error: str | None = None
    """None where the message was taken."""


def fan_out(store: Store) -> int:
    """Turn what the outbox has into deliveries; how many entries that were.

    Any number of processes may do this at a time: each entry is taken by one of them.
    """
    with reaching_redis():
        entries = cast(list[tuple[str, dict[str, str]]], store.client.xrange("cj:outbox", count=_BATCH))
    webhooks = known(store) if entries else []
    for entry, fields in entries:
        try:
            record = store.get(fields["job"])
        except NotFound:
            deliveries = []
        else:
            event = event_document(
                int(fields["seq"]), int(fields["time"]), int(fields["attempt"]), json.loads(fields["data"])
            )
            deliveries = [d for webhook in webhooks if (d := delivery_of(webhook, record, event))]
        _put(store, deliveries, entry)
    return len(entries)


def delivery_of(webhook: Webhook, record: Record, event: Mapping[str, Any]) -> Delivery | None:
    """The message that tells a webhook of a job's change of state; None where it does not want it."""
    kind = f"job.{event['type']}"
    if not webhook.wants(kind, record.id, record.tags):
        return None
    data = {
        "job": record.id,
        "name": record.name,
        "kind": record.kind.value,
        "owner": record.owner,
        "tags": record.tags,
        "status": event["type"],
        **{name: event[name] for name in ("reason", "detail", "attempt", "seq")},
    }
    return Delivery(
        id=f"msg_{record.id.removeprefix('job_')}_{event['seq']}",
        webhook=webhook.id,
        type=kind,
        job=record.id,
        seq=event["seq"],
        created_at=_ms(datetime.fromisoformat(event["time"])),
        payload=_payload(kind, event["time"], data),
    )


def send_test(webhook: Webhook, store: Store) -> Delivery:
    """A message that says nothing, to see whether messages arrive."""
    now = store.now_ms()
    told = _payload(TEST_EVENT, rfc3339(now), {"webhook": webhook.id})
    delivery = Delivery(
        id=f"msg_{webhook.id.removeprefix('wh_')}_{now}",
        webhook=webhook.id,
        type=TEST_EVENT,
        created_at=now,
        payload=told,
    )
    put(store, [delivery])
    return delivery


def put(store: Store, deliveries: Iterable[Delivery]) -> None:
    """Have deliveries sent; those that are there already are left alone."""
    _put(store, list(deliveries), None)


def _put(store: Store, deliveries: list[Delivery], entry: str | None) -> None:
    ask: dict[str, Any] = {
        "deliveries": [
            {
                "webhook": delivery.webhook,
                "id": delivery.id,
                "place": f"{delivery.created_at:015d}/{delivery.id}",
                "fields": delivery.hash(),
            }
            for delivery in deliveries
        ],
        "keep": KEPT,
    }
    with reaching_redis():
        store.run("outbox_take", ask | ({"entry": entry} if entry else {}))


def take(webhook_id: str, store: Store, holder: str, limit: int) -> list[Delivery]:
    """At most so many deliveries that are due, for the caller to send within ``LEASE_S``."""
    ask = {"webhook": webhook_id, "holder": holder, "limit": limit, "lease_ms": round(LEASE_S * 1000)}
    with reaching_redis():
        found = cast(list[list[str]], store.run("delivery_take", ask))
    return [_delivery(pairs(flat)) for flat in found if flat]


def settle(delivery: Delivery, answer: Answer, store: Store, volume: Volume) -> timedelta | None:
    """Note how an attempt ended, and plan the next one if there must be any.

    For how long the webhook has failed; None where it works, or another process has the delivery.
    """
    if answer.error is None:
        status: Status = "delivered"
    else:
        status = "pending" if delivery.attempts < len(DELAYS_S) else "failed"
    delay = DELAYS_S[delivery.attempts] * random.uniform(1.0, 1.1) if status == "pending" else 0
    if status != "pending":
        _note(delivery, status, volume)
    ask = {
        "webhook": delivery.webhook,
        "id": delivery.id,
        "holder": delivery.holder,
        "status": status,
        "delay_ms": round(delay * 1000),
        "fields": {"response_status": str(answer.status or ""), "error": answer.error or ""},
    }
    with reaching_redis():
        since = int(store.run("delivery_settle", ask))
    return timedelta(milliseconds=store.now_ms() - since) if since > 0 else None


def again(webhook_id: str, delivery_id: str, store: Store) -> Delivery:
    """Send a delivery of the log once more. NotFound where it is not there any more."""
    with reaching_redis():
        flat = store.run("delivery_again", {"webhook": webhook_id, "id": delivery_id})
    if not flat:
        raise NotFound(f"webhook {webhook_id} has no delivery {delivery_id!r} in its log")
    return _delivery(pairs(flat))


def log_of(webhook_id: str, store: Store, after: str | None, limit: int) -> tuple[list[Delivery], str | None]:
    """Deliveries of a webhook, newest first, and where the next page begins."""
    of = f"cj:webhook:{webhook_id}"
    with reaching_redis():
        top = f"({after}" if after else "+"
        found = store.client.zrevrangebylex(f"{of}:log", top, "-", start=0, num=limit + 1)
        places = cast(list[str], found)
        with store.client.pipeline(transaction=False) as pipe:
            for place in places[:limit]:
                pipe.hgetall(f"{of}:delivery:{place.partition('/')[2]}")
            items = [_delivery(fields) for fields in pipe.execute() if fields]
    return items, places[limit - 1] if len(places) > limit else None


def _delivery(fields: Mapping[str, str]) -> Delivery:
    """Of a hash, in which an empty text stands for nothing."""
    return Delivery.model_validate({name: text for name, text in fields.items() if text})


def _payload(kind: str, time: str | None, data: Mapping[str, Any]) -> str:
    return json.dumps({"type": kind, "timestamp": time, "data": data}, separators=(",", ":"))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


# What has come to its end, on the volume: one file a day.


def _note(delivery: Delivery, status: Status, volume: Volume) -> None:
    folder = volume.webhooks / delivery.webhook / "ended"
    today = datetime.now(UTC).date()
    path = folder / f"{today}.jsonl"
    try:
        if not path.exists():
            folder.mkdir(exist_ok=True)
            oldest = f"{today - KEEP_NOTES}.jsonl"
            for left in folder.glob("*.jsonl"):
                if left.name < oldest:
                    left.unlink(missing_ok=True)
        append_line(path, {"id": delivery.id, "status": status})
    except FileNotFoundError:
        return  # the webhook was deleted meanwhile


def ended(webhook_id: str, volume: Volume) -> set[str]:
    """The messages that came to their end within the horizon."""
    oldest = f"{datetime.now(UTC).date() - HORIZON}.jsonl"
    notes = sorted((volume.webhooks / webhook_id / "ended").glob("*.jsonl"))
    lines = (line.value() for path in notes if path.name >= oldest for line in complete_lines(path))
    return {found["id"] for found in lines if found}
