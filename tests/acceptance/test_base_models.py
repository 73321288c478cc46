"""Base models over HTTP: from a file by the command, and from what a job has trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from client import Client
from client.command import OK, REFUSED, main
from client.problems import JobsApiError
from tests.base_models import ask_cntk
from tests.running_service import RunningService


@pytest.fixture(scope="module")
def trained(client: Client, digits_spec: dict[str, Any]) -> str:
    spec = digits_spec | {"inputs": {name: {**given} for name, given in digits_spec["inputs"].items()}}
    spec["training"] = {**spec["training"], "epochs": 2}
    job = client.jobs.submit(spec)["id"]
    assert client.jobs.wait(job)["status"] == "succeeded"
    return job


def test_what_a_job_has_trained(client: Client, service: RunningService, trained: str) -> None:
    spec = client.jobs.get(trained)["spec"]
    finished = client.models.wait(client.models.of_job(trained, name="digits")["id"])
    saved = client.models.wait(client.models.of_job(trained, checkpoint="latest")["id"])
    for model in (finished, saved):
        assert model["status"] == "ready", model["detail"]
        assert model["source"]["format"] == "job"
        assert model["source"]["job"] == trained
        assert model["preprocessing"] is None
        assert model["outputs"] == spec["outputs"]
        assert {layer["name"] for layer in spec["network"]} <= {node["name"] for node in model["nodes"]}
        # The loss and its target are not part of the model.
        assert [one["name"] for one in model["inputs"]] == [
            given["field"] for given in spec["inputs"].values()
        ]
    assert finished["name"] == "digits"
    assert saved["source"]["checkpoint"].startswith(f"{trained}@")
    assert {model["id"] for model in client.models.list()} >= {finished["id"], saved["id"]}
    with pytest.raises(JobsApiError) as refused:
        client.models.of_job(trained, checkpoint="17")
    assert refused.value.status == 404


def test_a_file_by_the_command(
    client: Client,
    service: RunningService,
    tmp_path: Path,
    chosen_environment: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ask_cntk(chosen_environment, {"do": "small", "path": str(tmp_path / "small.model")})
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "options.json").write_text(json.dumps({"preprocessing": {"shift": 127.5}}))

    def shell(*words: str, status: int = OK) -> str:
        assert main(["--url", client.url, "models", *words]) == status
        return capsys.readouterr().out

    given = ("--name", "small one", "--options", str(tmp_path / "options.json"))
    model = shell("add", str(tmp_path / "small.model"), *given).strip()
    assert client.models.get(model)["preprocessing"]["shift"] == 127.5
    assert model in shell("list")
    shown = shell("show", "small one")
    assert "GlobalAveragePooling" not in shown
    assert "BatchNormalization" in shown
    refused = shell("add", str(tmp_path / "text.onnx"), status=REFUSED).strip()
    shell("remove", refused)
    shell("remove", "small one")
    shell("remove", model, status=REFUSED)
