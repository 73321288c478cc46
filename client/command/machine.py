"""The service itself, on this machine: up, doctor. Both run modules of the service as programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click

from client import service_tables
from client.command.shell import Shell, as_json, pass_shell
from client.command.statuses import JOB_DID_NOT_SUCCEED, OK
from client.problems import JobsApiError, UnreachableError

ROOT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """Where Python finds the service: beside this package."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


@click.command()
def up() -> None:
    """Run the whole service here, until Ctrl-C."""
    os.execve(sys.executable, [sys.executable, "-m", "service"], environment())


@click.command()
@as_json
@pass_shell
def doctor(shell: Shell) -> int:
    """Check what the service needs on this machine, and say how to cure what is missing."""
    done = subprocess.run(
        [sys.executable, "-m", "service.doctor"],
        env=environment(),
        stdout=subprocess.PIPE,
        check=False,
    )
    found = json.loads(done.stdout) if done.stdout else []
    if not found:
        found = [_finding("machine", "missing", "the service is not installed beside this command", "")]
    found += _service(shell)
    shell.show(found, service_tables.findings)
    return JOB_DID_NOT_SUCCEED if any(one["state"] == "missing" for one in found) else OK


def _service(shell: Shell) -> list[dict[str, str]]:
    """What a service that answers says of itself."""
    try:
        answer = shell.client.readiness()
    except UnreachableError:
        detail = f"nothing answers at {shell.client.url}"
        return [_finding("service", "warning", detail, "start it: cntk-jobs up")]
    except JobsApiError as error:
        return [_finding("service", "missing", f"{shell.client.url}: {error}", "is this the service?")]
    return [
        _finding(
            f"service: {check['name']}",
            "ok" if check["ok"] else "missing",
            check["detail"],
            "" if check["ok"] else "look at the logs under CNTK_JOBS_HOME",
        )
        for check in answer["checks"]
    ]


def _finding(name: str, state: str, detail: str, cure: str) -> dict[str, str]:
    return {"name": name, "state": state, "detail": detail, "cure": cure}
