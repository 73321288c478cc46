"""The OpenAPI document: complete, shown by examples that fit, and committed as it is."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from app import resources
from app.examples import files as files_examples
from app.examples import jobs as jobs_examples
from app.main import create_app
from ingest.options import parse_options
from jobs.dataset import DatasetSchema
from jobs.settings import Settings
from jobs.specs.models import check_with_recipe, parse

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"
DOCUMENT = create_app(Settings(home=Path("unused"))).openapi()
OPERATIONS = [
    pytest.param(operation, id=f"{method.upper()} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
MODELS = [
    model
    for module in pkgutil.iter_modules(resources.__path__, "app.resources.")
    for model in vars(importlib.import_module(module.name)).values()
    if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == module.name
]


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][name] if name else schema
    return found


def test_the_committed_document_is_the_present_one() -> None:
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == DOCUMENT, "run scripts/openapi"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_has_summary_and_examples(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    answers = {status: found for status, found in operation["responses"].items() if status.startswith("2")}
    assert answers
    shown = [answer["content"] for status, answer in answers.items() if status != "204"]
    if "requestBody" in operation:
        shown.append(operation["requestBody"]["content"])
    for content in shown:
        for kind, body in content.items():
            example = body.get("example") or body.get("examples") or resolve(body["schema"]).get("example")
            assert example, f"{kind} of {operation['operationId']} shows no example"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_errors_are_problem_documents(operation: dict[str, Any]) -> None:
    assert "default" not in operation["responses"]
    errors = {status: found for status, found in operation["responses"].items() if status[0] in "45"}
    assert "422" in errors
    for status, found in errors.items():
        if operation["operationId"] == "read_readiness" and status == "503":
            continue
        assert list(found["content"]) == ["application/problem+json"], status
        assert resolve(found["content"]["application/problem+json"]["schema"])["title"] == "Problem"


def test_links_lead_to_operations_by_their_parameters() -> None:
    operations = {
        operation["operationId"]: (path, operation)
        for path, methods in DOCUMENT["paths"].items()
        for operation in methods.values()
    }
    found = 0
    for _, operation in operations.values():
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                path, target = operations[link["operationId"]]
                known = {parameter["name"] for parameter in target["parameters"]}
                needed = set(re.findall(r"{(\w+)}", path))
                assert needed <= set(link["parameters"]) <= known
                found += 1
    assert found > 40


@pytest.mark.parametrize("operation", OPERATIONS)
def test_tokens_are_optional(operation: dict[str, Any]) -> None:
    if operation["tags"] != ["health"]:
        assert operation["security"] == [{"HTTPBearer": []}, {}]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_model_is_as_its_example_shows(model: type[BaseModel]) -> None:
    example = model.model_json_schema().get("example")
    if example is not None:
        model.model_validate(example)
        # An example never shows a key that the answer does not have.
        assert model.model_config.get("extra") == "allow" or set(example) <= set(model.model_fields)


def test_posted_examples_are_accepted() -> None:
    parse(jobs_examples.SPEC)
    parse(jobs_examples.RESUME_SPEC)
    check_with_recipe(jobs_examples.RECIPE_SPEC)
    parse_options(files_examples.OPTIONS)
    DatasetSchema.model_validate(files_examples.DATASET)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for reference in references(DOCUMENT):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_operations_have_names_of_their_own() -> None:
    paths = DOCUMENT["paths"].values()
    names = [operation["operationId"] for methods in paths for operation in methods.values()]
    assert len(set(names)) == len(names)


def test_every_operation_is_in_the_page_for_people() -> None:
    page = (COMMITTED.parent / "api.md").read_text(encoding="utf-8")
    # Of a row such as | `GET /v1/tokens`, `GET /v1/tokens/{id}` | … | what stands in its first column.
    rows = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    named = {
        (method, re.sub(r"{\w+}", "{}", path))
        for row in rows
        for method, path in re.findall(r"`([A-Z]+) (/[\w/{}.-]+)", row)
    }
    offered = {
        (method.upper(), re.sub(r"{\w+}", "{}", path))
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
    }
    assert named - offered == set(), "the page names what is not there"
    assert offered - named == set(), "the page lacks what is there"
