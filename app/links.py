"""The links of the OpenAPI document: what an answer has made or names, and where that can be used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NAMED = {
    "Job": {"job_id": "$response.body#/id"},
    "DatasetSchema": {"dataset_id": "$response.body#/id"},
    "ModelRecord": {"model_id": "$response.body#/id"},
    "Checkpoint": {"checkpoint_id": "$response.body#/id", "name": "$response.body#/files/0/path"},
}
"""What the members of an answer are called in paths. A list may be empty, and then it names nothing."""


def add_links(document: dict[str, Any]) -> None:
    """Say of each answer that makes something which operations take it."""
    operations = [
        (path, operation) for path, methods in document["paths"].items() for operation in methods.values()
    ]
    for path, operation in operations:
        for status, answer in operation["responses"].items():
            # A request about one thing that answers with the same thing leads nowhere new.
            if not status.startswith("2") or ("{job_id}" in path and status == "200"):
                continue
            named = NAMED.get(_schema_of(answer), {})
            links = {
                target["operationId"]: {"operationId": target["operationId"], "parameters": parameters}
                for place, target in operations
                if place != path and (parameters := _parameters(place, named))
            }
            if links:
                answer["links"] = links


def _schema_of(answer: Mapping[str, Any]) -> str:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _parameters(path: str, named: Mapping[str, str]) -> dict[str, str]:
    """The values of a path; none where it needs something else."""
    wanted = re.findall(r"{(\w+)}", path)
    return {name: named[name] for name in wanted} if set(wanted) <= set(named) else {}
