"""Webhooks, and what was sent to them."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from app.examples import webhooks as examples
from jobs.record import rfc3339
from jobs.webhooks.deliveries import Delivery as Sent
from jobs.webhooks.deliveries import Status
from jobs.webhooks.registry import Webhook


class NewWebhook(Webhook):
    """A webhook that was just made, with what its messages are signed with: it is not shown again."""

    model_config = ConfigDict(
        json_schema_extra={"example": examples.WEBHOOK | {"secret": "whsec_bm90IGEgcmVhbCBzZWNyZXQgYXQgYWxs"}}
    )

    secret: str


class WebhookPage(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"items": [examples.WEBHOOK], "next_page_token": None}}
    )

    items: list[Webhook]
    next_page_token: str | None


class Delivery(BaseModel):
    """One message to one webhook, and how it went."""

    model_config = ConfigDict(json_schema_extra={"example": examples.DELIVERY})

    id: str = Field(description="the message's id, the header webhook-id of every attempt")
    type: str
    job: str | None
    status: Status
    attempts: int = Field(description="so far; since it was last asked for, where it is sent again")
    created_at: str
    attempted_at: str | None
    next_at: str | None = Field(description="of the next attempt, while there is to be one")
    response_status: int | None = Field(description="of the last attempt; null where there was no answer")
    error: str | None = Field(description="why the last attempt failed")
    payload: str = Field(description="the body, as it is signed and sent")

    @classmethod
    def of(cls, sent: Sent) -> Self:
        times = {name: rfc3339(getattr(sent, name)) for name in ("created_at", "attempted_at", "next_at")}
        names = {"id", "type", "job", "status", "attempts", "response_status", "error", "payload"}
        return cls.model_validate(sent.model_dump(include=names) | times)


class DeliveryPage(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"items": [examples.DELIVERY], "next_page_token": None}}
    )

    items: list[Delivery]
    next_page_token: str | None
