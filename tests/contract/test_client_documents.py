"""The client's documents have the fields that the API's have."""

from __future__ import annotations

from typing import Any

import pytest

from app.main import create_app
from client import documents
from jobs.settings import Settings

SCHEMAS = create_app(Settings()).openapi()["components"]["schemas"]


@pytest.mark.parametrize(
    ("document", "schema"),
    [
        (documents.Job, "Job"),
        (documents.Progress, "Progress"),
        (documents.ResumedFrom, "ResumedFrom"),
        (documents.ForkedFrom, "ForkedFrom"),
        (documents.Descent, "Descent"),
        (documents.Checkpoint, "Checkpoint"),
        (documents.File, "File"),
        (documents.Log, "Log"),
        (documents.ModelNode, "ModelNode"),
        (documents.Webhook, "Webhook"),
        (documents.NewWebhook, "NewWebhook"),
        (documents.Delivery, "Delivery"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_fields_are_the_same(document: Any, schema: str) -> None:
    assert set(document.__annotations__) == set(SCHEMAS[schema]["properties"])


@pytest.mark.parametrize(
    ("document", "schema"), [(documents.Dataset, "DatasetSchema"), (documents.Model, "ModelRecord")]
)
def test_there_is_no_field_that_the_service_does_not_tell(document: Any, schema: str) -> None:
    assert set(document.__annotations__) <= set(SCHEMAS[schema]["properties"])
