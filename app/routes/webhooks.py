"""``/v1/webhooks``: who is told of changes of state, and what became of each message."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from starlette.concurrency import run_in_threadpool

from app.admission.access import CallerDep
from app.body import Document
from app.examples import webhooks as examples
from app.paging import PageSize, Place, page_of
from app.resources.webhooks import Delivery, DeliveryPage, NewWebhook, WebhookPage
from app.state import SettingsDep, StoreDep, VolumeDep
from jobs.webhooks import deliveries, registry
from jobs.webhooks.registry import Webhook

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

EXAMPLE = {"content": {"application/json": {"example": examples.WEBHOOK}}}


def body(model: str, example: object) -> dict[str, object]:
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{model}"},
                    "example": example,
                }
            },
        }
    }


@router.post(
    "",
    summary="Have changes of state told to a URL",
    status_code=status.HTTP_201_CREATED,
    responses={201: {"headers": {"Location": {"schema": {"type": "string"}}}}},
    openapi_extra=body("WebhookRequest", examples.WEBHOOK_REQUEST),
)
async def create_webhook(
    document: Document, response: Response, store: StoreDep, settings: SettingsDep, caller: CallerDep
) -> NewWebhook:
    webhook, secret = await run_in_threadpool(registry.create, document, store, settings, caller.name)
    response.headers["Location"] = f"/v1/webhooks/{webhook.id}"
    return NewWebhook(**webhook.model_dump(), secret=secret)


@router.get("", summary="Webhooks, newest first")
def list_webhooks(volume: VolumeDep, page_size: PageSize = 50, page_token: Place = None) -> WebhookPage:
    items, following = page_of(registry.all_of(volume), page_size, page_token)
    return WebhookPage(items=items, next_page_token=following)


@router.get("/{webhook_id}", summary="One webhook", responses={200: EXAMPLE})
def read_webhook(webhook_id: str, volume: VolumeDep) -> Webhook:
    return registry.get(webhook_id, volume)


@router.patch(
    "/{webhook_id}",
    summary="Change a webhook, switch it off or on again",
    responses={200: EXAMPLE},
    openapi_extra=body("WebhookChange", {"enabled": True}),
)
async def change_webhook(
    webhook_id: str, document: Document, store: StoreDep, settings: SettingsDep
) -> Webhook:
    return await run_in_threadpool(registry.change, webhook_id, document, store, settings)


@router.delete(
    "/{webhook_id}",
    summary="Delete a webhook; what was still to be sent is not",
    status_code=status.HTTP_204_NO_CONTENT,
)
def delete_webhook(webhook_id: str, store: StoreDep, volume: VolumeDep) -> None:
    registry.remove(webhook_id, store, volume)


@router.post(
    "/{webhook_id}/test",
    summary="Send a message that says nothing, to see whether it arrives",
    status_code=status.HTTP_202_ACCEPTED,
)
def test_webhook(webhook_id: str, store: StoreDep, volume: VolumeDep) -> Delivery:
    return Delivery.of(deliveries.send_test(registry.get(webhook_id, volume), store))


@router.get("/{webhook_id}/deliveries", summary="The newest 1,000 messages to a webhook, newest first")
def list_deliveries(
    webhook_id: str,
    store: StoreDep,
    volume: VolumeDep,
    page_size: PageSize = 50,
    page_token: Place = None,
) -> DeliveryPage:
    webhook = registry.get(webhook_id, volume)
    items, following = deliveries.log_of(webhook.id, store, page_token, page_size)
    return DeliveryPage(items=[Delivery.of(sent) for sent in items], next_page_token=following)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/redeliver",
    summary="Send a message once more, whatever became of it",
    status_code=status.HTTP_202_ACCEPTED,
)
def redeliver(webhook_id: str, delivery_id: str, store: StoreDep, volume: VolumeDep) -> Delivery:
    webhook = registry.get(webhook_id, volume)
    return Delivery.of(deliveries.again(webhook.id, delivery_id, store))
