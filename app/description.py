"""The OpenAPI document: what FastAPI derives, and what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.problems import MEDIA_TYPE
from app.resources.problem import Problem
from ingest.options import Options
from jobs.edit import JobEdit
from jobs.evaluate import EvaluationRequest
from jobs.imports import ModelOfJob, ModelOptions
from jobs.retry import RetryRequest
from jobs.spec_models import JobSpec
from jobs.tokens import NewToken

BODIES = (JobSpec, JobEdit, Options, EvaluationRequest, RetryRequest, ModelOptions, ModelOfJob, NewToken)
"""What endpoints parse by themselves."""
SCHEMAS = "#/components/schemas/"


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {
        "model": Problem,
        "description": "No token, or one that is unknown, expired or revoked",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    },
    403: {
        "model": Problem,
        "description": "The token does not cover it, it is another's, or the quota of bytes is used up",
    },
    429: {
        "model": Problem,
        "description": "The token asks too often, or too many of the owner's jobs wait",
        "headers": {
            "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"},
            "RateLimit": {"schema": {"type": "string"}},
            "RateLimit-Policy": {"schema": {"type": "string"}},
        },
    },
}
"""What every endpoint may say to a caller of whatever it asks."""


def describe(app: FastAPI) -> None:
    """Make ``app.openapi()`` tell of problem documents, optional tokens, and the bodies we parse."""
    derived = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = derived()
            for path in document["paths"].values():
                for operation in path.values():
                    _errors_are_problems(operation)
                    if "security" in operation:
                        operation["security"].append({})
            for model in BODIES:
                _add_schema(document, model)
        return app.openapi_schema or document

    app.openapi = openapi  # type: ignore[method-assign]


def _errors_are_problems(operation: dict[str, Any]) -> None:
    for answer in operation["responses"].values():
        for found in answer.get("content", {}).get("application/json", {}).get("schema", {}).values():
            if found == f"{SCHEMAS}Problem":
                answer["content"] = {MEDIA_TYPE: answer["content"]["application/json"]}


def _add_schema(document: dict[str, Any], model: type[BaseModel]) -> None:
    """The model of a body that an endpoint reads by itself, with the models it is made of."""
    schema = model.model_json_schema(ref_template=SCHEMAS + "{model}", mode="validation")
    schemas = document["components"]["schemas"]
    for name, found in {**schema.pop("$defs", {}), model.__name__: schema}.items():
        if schemas.setdefault(name, found) != found:
            raise ValueError(f"two models are named {name!r}")
