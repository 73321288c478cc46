"""The links of the OpenAPI document: what an answer names, and where that can be used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ONE = {
    "Job": {"job_id": "$response.body#/id"},
    "DatasetSchema": {"dataset_id": "$response.body#/id"},
    "ModelRecord": {"model_id": "$response.body#/id"},
    "Checkpoint": {
        "checkpoint_id": "$response.body#/id",
        "job_id": "$request.path.job_id",
        "name": "$response.body#/files/0/path",
    },
}
"""Of the answer to a request that makes something, or of one thing: what its members are called in paths."""
MANY = {
    "JobPage": {"job_id": "$response.body#/items/0/id"},
    "DatasetPage": {"dataset_id": "$response.body#/items/0/id"},
    "ModelPage": {"model_id": "$response.body#/items/0/id"},
    "CheckpointList": {
        "checkpoint_id": "$response.body#/items/0/id",
        "name": "$response.body#/items/0/files/0/path",
    },
    "FileList": {"job_id": "$request.path.job_id", "path": "$response.body#/items/0/path"},
    "AttemptList": {
        "job_id": "$request.path.job_id",
        "attempt": "$response.body#/items/0/attempt",
        "stream": "stderr",
    },
}
"""Of a list."""
NEXT_PAGE = {"page_token": "$response.body#/next_page_token"}


def add_links(document: dict[str, Any]) -> None:
    """Say of each answer which operations take what it names."""
    targets = [
        (path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    for path, method, operation in targets:
        for status, answer in operation["responses"].items():
            named = _named(method, answer)
            made = "{" not in path or status == "202" or method == "get"
            if not status.startswith("2") or named is None or not made:
                continue
            links = {
                target["operationId"]: {"operationId": target["operationId"], "parameters": parameters}
                for place, _, target in targets
                if place != path and (parameters := _parameters(place, target, named))
            }
            if any(parameter["name"] == "page_token" for parameter in operation.get("parameters", [])):
                again = {**_own(path), **NEXT_PAGE}
                links["next_page"] = {"operationId": operation["operationId"], "parameters": again}
            if links:
                answer["links"] = links


def _named(method: str, answer: Mapping[str, Any]) -> Mapping[str, str] | None:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    return MANY.get(name) or (ONE.get(name) if method == "post" or name == "Checkpoint" else None)


def _parameters(path: str, operation: Mapping[str, Any], named: Mapping[str, str]) -> dict[str, str]:
    """The values of an operation's path; none where it takes another, or the answer names no part of it."""
    wanted = re.findall(r"{(\w+)}", path)
    # Of the lists that a request's own path leads to, what that path names is no news.
    news = [name for name in wanted if not named.get(name, "$request").startswith("$request")]
    return {name: named[name] for name in wanted} if news and set(wanted) <= set(named) else {}


def _own(path: str) -> dict[str, str]:
    return {name: f"$request.path.{name}" for name in re.findall(r"{(\w+)}", path)}
