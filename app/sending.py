"""Sends what webhooks are to be told, from any number of API processes at once."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook as Signer

from app.outward import Postman
from jobs import ids
from jobs.errors import NotFound, Unavailable
from jobs.settings import Settings
from jobs.store import Store
from jobs.webhooks import deliveries, registry
from jobs.webhooks.deliveries import Answer, Delivery
from jobs.webhooks.registry import Webhook

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
AT_ONCE = 4
"""Messages to one webhook under way in this process: a slow one keeps none of the others waiting."""
GIVE_UP = timedelta(days=5)
"""A webhook that has failed for so long, and never worked meanwhile, is sent nothing more."""
GONE = 410


class Sender:
    """Takes deliveries that are due and sends them, until it is cancelled."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._holder = ids.new_id("sender")
        self._under_way: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Through every outage of Redis. What is under way when it is cancelled is sent again by another."""
        async with Postman(private=self._settings.webhooks_private) as postman:
            try:
                while True:
                    try:
                        await self._pass(postman)
                    except Unavailable:
                        pass  # the reconciler says so
                    except Exception:
                        log.exception("webhooks cannot be told; the next pass tries again")
                    await asyncio.sleep(LOOK_SECONDS)
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass(self, postman: Postman) -> None:
        for webhook, taken in await asyncio.to_thread(self._due):
            for delivery in taken:
                self._under_way[webhook.id] += 1
                task = asyncio.create_task(self._send(webhook, delivery, postman))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _due(self) -> list[tuple[Webhook, list[Delivery]]]:
        """What this process may send now."""
        while deliveries.fan_out(self._store):
            pass
        enabled = [webhook for webhook in registry.known(self._store) if webhook.enabled]
        free = {webhook.id: AT_ONCE - self._under_way[webhook.id] for webhook in enabled}
        return [
            (webhook, deliveries.take(webhook.id, self._store, self._holder, free[webhook.id]))
            for webhook in enabled
            if free[webhook.id] > 0
        ]

    async def _send(self, webhook: Webhook, delivery: Delivery, postman: Postman) -> None:
        try:
            secret = await asyncio.to_thread(registry.secret_of, webhook.id, self._settings.volume)
            answer = await postman.post(webhook.url, headers_of(delivery, secret), delivery.payload.encode())
            await asyncio.to_thread(self._settle, webhook, delivery, answer)
        except FileNotFoundError:
            await asyncio.to_thread(registry.forget, webhook.id, self._store)
        except Unavailable:
            log.warning("how %s went cannot be noted now: it is sent again", delivery.id)
        except Exception:
            log.exception("%s to %s failed", delivery.id, webhook.id)
        finally:
            self._under_way[webhook.id] -= 1

    def _settle(self, webhook: Webhook, delivery: Delivery, answer: Answer) -> None:
        failing = deliveries.settle(delivery, answer, self._store, self._settings.volume)
        because = None
        if answer.status == GONE:
            because = "the receiver answered with 410: gone for good"
        elif failing is not None and failing > GIVE_UP:
            because = f"nothing was taken for {GIVE_UP.days} days; at last: {answer.error}"
        if because:
            log.warning("webhook %s is disabled: %s", webhook.id, because)
            try:
                registry.disable(webhook.id, because, self._store, self._settings.volume)
            except NotFound:
                return


def headers_of(delivery: Delivery, secret: str) -> dict[str, str]:
    """By the Standard Webhooks specification; the signature is over id, this moment and the payload."""
    now = datetime.now(UTC)
    return {
        "Content-Type": "application/json",
        "User-Agent": "cntk-jobs",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(secret).sign(delivery.id, now, delivery.payload),
    }
