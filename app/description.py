"""The OpenAPI document: what FastAPI derives, and what it cannot know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.admission.access import bearer
from app.links import add_links
from app.problems import MEDIA_TYPE
from app.routes.bulk import CancelRequest
from app.routes.checkpoints import CheckpointEdit
from app.routes.forks import MergePatch
from ingest.options import Options
from jobs.access.token_models import NewToken, TokenEdit
from jobs.base_models.imports import ModelOfJob, ModelOptions
from jobs.edit import JobEdit
from jobs.retry import RetryRequest
from jobs.specs.models import JobSpec
from jobs.submission.batch import Batch
from jobs.submission.evaluate import EvaluationRequest
from jobs.sweeps.models import SweepSpec
from jobs.webhooks.registry import WebhookChange, WebhookRequest

BODIES = (
    JobSpec,
    Batch,
    JobEdit,
    CancelRequest,
    MergePatch,
    RetryRequest,
    EvaluationRequest,
    CheckpointEdit,
    Options,
    ModelOptions,
    ModelOfJob,
    NewToken,
    TokenEdit,
    SweepSpec,
    WebhookRequest,
    WebhookChange,
)
"""What endpoints parse by themselves."""
SCHEMAS = "#/components/schemas/"
ERRORS = {
    "401": "No token, or one that is unknown, expired or revoked",
    "403": "The token does not cover it, it is another owner's, or the quota of bytes is used up",
    "404": "There is no such thing",
    "406": "Accept names nothing that this can be shown as",
    "408": "The body stopped before its end",
    "409": "Right in itself, but not now",
    "412": "It is not any more as If-Match says",
    "413": "The body is larger than it may be",
    "415": "The body is of a kind that is not read here",
    "416": "The file has nothing where Range asks",
    "422": "Every fault of the input",
    "429": "The token asks too often, or too many of its owner's jobs wait; Retry-After says until when",
    "503": "Redis or the volume cannot be used now; Retry-After says when to ask again",
}
_TEXT, _SECONDS = {"schema": {"type": "string"}}, {"schema": {"type": "integer"}, "description": "seconds"}
TOLD_WITH: dict[str, dict[str, Any]] = {
    "401": {"WWW-Authenticate": _TEXT},
    "429": {"Retry-After": _SECONDS, "RateLimit": _TEXT, "RateLimit-Policy": _TEXT},
    "503": {"Retry-After": _SECONDS},
}
TAG = {"schema": {"type": "string"}, "description": "for If-None-Match"}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "an ETag, or several: 304 while it still has one of them",
}


PLACES = {
    "job_id": r"^job_[0-7][0-9A-HJKMNP-TV-Z]{25}$",
    "dataset_id": r"^ds_[0-9a-f]{24}$",
    "model_id": r"^mdl_[0-9a-f]{24}$",
    "checkpoint_id": r"^job_[0-7][0-9A-HJKMNP-TV-Z]{25}@[0-9]+$",
    "sweep_id": r"^swp_[0-7][0-9A-HJKMNP-TV-Z]{25}$",
    "token_id": r"^tok_[0-7][0-9A-HJKMNP-TV-Z]{25}$",
    "webhook_id": r"^wh_[0-7][0-9A-HJKMNP-TV-Z]{25}$",
    "delivery_id": r"^msg_[0-9A-Z]+(_[0-9]+)?$",
}
"""How ids in paths read. Another text is an id that nothing has: 404."""


def describe(app: FastAPI) -> None:
    """Make ``app.openapi()`` tell of problem documents, optional tokens, tags, and the bodies we parse."""
    derived = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = derived()
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    for parameter in operation.get("parameters", ()):
                        _as_it_is_sent(parameter)
                    if method == "get":
                        _reads_are_conditional(operation)
                    _errors_are_problems(path, method, operation)
                    if path.startswith("/v1/"):
                        operation["security"] = [{bearer.scheme_name: []}]
                    if "security" in operation:
                        operation["security"].append({})
            for model in BODIES:
                _add_schema(document, model)
            add_links(document)
        return app.openapi_schema or document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it


def _as_it_is_sent(parameter: dict[str, Any]) -> None:
    """A parameter is text or absent, never null; and an id reads as ids do."""
    schema = parameter["schema"]
    kinds = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema |= kinds[0]
    elif kinds:
        schema["anyOf"] = kinds
    if parameter["in"] == "path" and parameter["name"] in PLACES:
        schema["pattern"] = PLACES[parameter["name"]]


def _reads_are_conditional(operation: dict[str, Any]) -> None:
    operation.setdefault("parameters", []).append(IF_NONE_MATCH)
    operation["responses"]["200"].setdefault("headers", {}).setdefault("ETag", TAG)
    operation["responses"]["304"] = {"description": "It has not changed"}


def _errors_are_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    """Each status that the operation may answer with, instead of a word for all of them."""
    responses = operation["responses"]
    problem = responses.pop("default")["content"]["application/json"]
    for status in _errors_of(path, method, operation):
        found = responses.setdefault(status, {"description": ERRORS[status]})
        if status in TOLD_WITH:
            found["headers"] = TOLD_WITH[status]
        found.setdefault("content", {MEDIA_TYPE: problem})


def _errors_of(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield from (status for status in operation["responses"] if status in ERRORS)
    yield "422"
    if path.startswith("/v1"):
        yield from ("401", "403", "406", "429", "503")
    if "{" in path or "requestBody" in operation:
        yield "404"
    if method in ("post", "delete"):
        yield "409"
    if "requestBody" in operation:
        yield from ("408", "413", "415")
    if any(parameter["name"] == "if-match" for parameter in operation.get("parameters", [])):
        yield "412"


def _add_schema(document: dict[str, Any], model: type[BaseModel]) -> None:
    """The model of a body that an endpoint reads by itself, with the models it is made of."""
    schema = model.model_json_schema(ref_template=SCHEMAS + "{model}", mode="validation")
    schemas = document["components"]["schemas"]
    for name, found in {**schema.pop("$defs", {}), model.__name__: schema}.items():
        if schemas.setdefault(name, found) != found:
            raise ValueError(f"two models are named {name!r}")
