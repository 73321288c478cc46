"""Every operation of the OpenAPI document, asked anything: no fault of ours, nothing that is not documented.

Schemathesis makes the requests, alone and one after the other along the document's links.
What it cannot make up, a spec that fits a data set and ids of what is there, is put into its requests.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from tests.api_calls import Run, epoch, submit
from tests.practice_trainer import publish
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    missing_required_header,
    ignored_auth,
]
TOKEN = {"authorization": "Bearer secret"}
SENDS = ["test_webhook", "redeliver", "create_webhook", "change_webhook"]
"""These would call addresses that Schemathesis makes up."""
EACH = int(os.environ.get("CNTK_JOBS_TEST_REQUESTS", "3"))
"""Requests to each operation, right ones and wrong ones: with three the whole takes less than a minute."""
SEQUENCES, STEPS = 3 * EACH, 6
SECONDS = 60.0
"""So long a request may take: an answer without end is a failure, not a test without end."""
CALM = settings(
    max_examples=EACH,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def settings_(tmp_path: Path, valkey: ValkeyServer) -> Settings:
    return Settings(home=tmp_path, redis_url=valkey.url, api_tokens=(SecretStr("secret"),))


@pytest.fixture
def api(settings_: Settings) -> Iterator[httpx.Client]:
    with running_api(settings_) as client:
        client.headers.update(TOKEN)
        yield client


@pytest.fixture
def known(api: httpx.Client, settings_: Settings, spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What there is, by its names in paths: a job that has ended and left something of every kind."""
    store = Store.open(settings_)
    run = Run(store, settings_, submit(api, {**spec, "tags": ["x"]})["id"])
    run.report(epoch(1, 0.5), losses={"train": {"total": 0.5}}, progress={"epoch": 1})
    for stream in (run.attempt.stdout, run.attempt.stderr):
        stream.write_bytes(b"a line\n")
    publish(run.directory, 1, "chain")
    run.directory.artifacts.mkdir()
    (run.directory.artifacts / "report.json").write_text("{}")
    run.end(State.FAILED, Reason.DIVERGED)
    [samples] = run.directory.published_checkpoints()
    checkpoint = api.get(f"/v1/checkpoints/{run.id}@{samples}").json()
    yield {
        "spec": spec,
        "job_id": run.id,
        "dataset_id": spec["dataset"],
        "checkpoint_id": checkpoint["id"],
        "samples": samples,
        "name": checkpoint["files"][0]["path"],
        "path": "report.json",
        "attempt": 1,
    }
    store.client.close()


@pytest.fixture
def schema(api: httpx.Client, known: dict[str, Any]) -> Any:
    """The service's own document, with requests that know what there is."""
    config = SchemathesisConfig.from_dict({"headers": TOKEN})
    schema = schemathesis.openapi.from_url(f"{api.base_url}/openapi.json", config=config)

    def with_what_there_is(_: Any, case: Any) -> Any:
        wrong = {place for place, made in case.meta.components.items() if made.mode.is_negative}
        right_path = ParameterLocation.PATH not in wrong
        if right_path and isinstance(case.path_parameters, dict) and _even(case.path_parameters):
            case.path_parameters |= {key: known[key] for key in case.path_parameters if key in known}
        name = case.operation.definition.raw["operationId"]
        right_body = ParameterLocation.BODY not in wrong
        if right_body and name == "create_job" and isinstance(case.body, dict) and _even(case.body):
            kept = {key: case.body[key] for key in ("name", "tags", "priority", "limits") if key in case.body}
            case.body = known["spec"] | kept
        if name == "read_job" and ParameterLocation.QUERY not in wrong and "wait" in (case.query or {}):
            # It would be waited for.
            case.query["wait"] = "0.01"
        return case

    schema.hook("map_case")(with_what_there_is)
    return schema.exclude(operation_id=SENDS)


def _even(value: Any) -> bool:
    """By the value itself: a request that is made again is the same."""
    return len(json.dumps(value, default=str)) % 2 == 0


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_operation(schema: Any, mode: GenerationMode) -> None:
    asked = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        if mode is GenerationMode.NEGATIVE and not can_be_wrong(operation.definition.raw):
            continue

        @CALM
        @given(case=operation.as_strategy(generation_mode=mode))
        def anything(case: Any) -> None:
            asked.add(case.operation.label)
            case.call_and_validate(headers=TOKEN, checks=CHECKS, timeout=SECONDS)

        anything()
    assert len(asked) > 45


def can_be_wrong(operation: dict[str, Any]) -> bool:
    """Whether a request can be anything that it may not be. Of those that cannot Schemathesis would look for
    one for seconds, and then fail."""
    schemas = [parameter["schema"] for parameter in operation.get("parameters", ())]
    return "requestBody" in operation or any(
        schema.get("type") != "string" or schema.keys() - {"type", "title"} for schema in schemas
    )


def test_other_methods_are_refused(api: httpx.Client) -> None:
    for path, operations in api.get("/openapi.json").json()["paths"].items():
        allowed = {method.upper() for method in operations}
        # HEAD goes with GET, and no document need say so.
        allowed |= {"HEAD"} if "GET" in allowed else set()
        # A place that stands for a job's id takes more than those in the document.
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - allowed:
            answer = api.request(method, path.replace("{attempt}", "1").replace("{stream}", "stderr"))
            if path.count("/") == 3 and answer.status_code in (404, 422):
                continue
            assert answer.status_code == 405, f"{method} {path}: {answer.text}"
            assert {*answer.headers["allow"].split(", ")} == allowed, f"{method} {path}"


def test_one_after_the_other(schema: Any) -> None:
    class Sequence(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": TOKEN, "timeout": SECONDS}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    Sequence.run(settings=settings(CALM, max_examples=SEQUENCES, stateful_step_count=STEPS))
