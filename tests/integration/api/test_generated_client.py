"""A client that a standard generator makes of the OpenAPI document works with the service."""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.api_calls import ROWS

pytest.importorskip(
    "openapi_python_client", reason="openapi-python-client, which generates the client, is absent"
)

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"
NAME = "generated_jobs_client"

Room = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The generated package, importable, and what the generator said."""
    folder = tmp_path_factory.mktemp("generated")
    programs = Path(sys.executable).parent
    done = subprocess.run(
        [
            *(programs / "openapi-python-client", "generate", "--path", DOCUMENT),
            *("--meta", "none", "--output-path", folder / NAME),
        ],
        # It formats what it makes with ruff.
        env=os.environ | {"PATH": os.pathsep.join([str(programs), os.environ["PATH"]])},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder / NAME, done.stdout + done.stderr
    for name in [name for name in sys.modules if name.split(".")[0] == NAME]:
        del sys.modules[name]


@pytest.fixture
def room(generated: tuple[Path, str]) -> Room:
    """A module of the generated package by its place in it."""
    return lambda place: importlib.import_module(f"{NAME}.{place}")


def test_nothing_of_the_api_is_left_out(generated: tuple[Path, str]) -> None:
    folder, said = generated
    # Files are of any type, which the generator leaves to whoever calls; of all else it misses nothing.
    assert said.count("WARNING parsing") == said.count("Unsupported content_type */*")
    paths = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
    operations = {found["operationId"] for methods in paths.values() for found in methods.values()}
    made = {path.stem for path in folder.glob("api/*/*.py") if path.stem != "__init__"}
    assert made == operations


def test_from_an_upload_to_a_cancelled_job(room: Room, api: httpx.Client, spec: dict[str, Any]) -> None:
    with room("client").Client(base_url=str(api.base_url)) as client:
        file = room("types").File(payload=io.BytesIO(ROWS), file_name="rows.csv")
        options = json.dumps({"columns": ["a", "b", "label"], "name": "uploaded"})
        body = room("models").CreateDatasetBody(file=[file], options=options)
        dataset = room("api.datasets.create_dataset").sync(client=client, body=body)
        assert (dataset.name, dataset.rows) == ("uploaded", 40)

        validation = room("api.jobs.create_job").sync(client=client, body=spec, validate_only=True)
        assert validation.fingerprint
        job = room("api.jobs.create_job").sync(client=client, body=spec, idempotency_key="once")
        again = room("api.jobs.create_job").sync(client=client, body=spec, idempotency_key="once")
        assert job.id == again.id

        page = room("api.jobs.list_jobs").sync(client=client, status=[room("models").State.QUEUED])
        assert [listed.id for listed in page.items] == [job.id]
        events = room("api.events.read_events").sync(client=client, job_id=job.id)
        assert len(events.items) == 1
        cancelled = room("api.jobs.cancel_job").sync(client=client, job_id=job.id)
        assert cancelled.status == "cancelled"


def test_what_is_refused_is_a_problem(room: Room, api: httpx.Client) -> None:
    with room("client").Client(base_url=str(api.base_url)) as client:
        found = room("api.jobs.read_job").sync_detailed(client=client, job_id="job_" + "0" * 26)
        assert (found.status_code, found.parsed.status) == (404, 404)
        refused = room("api.jobs.create_job").sync(client=client, body={"metrics": 3})
        assert isinstance(refused, room("models").Problem)
        assert "/metrics" in {error.pointer for error in refused.errors}
