"""The Python client against the running service, through what happens to services."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from client import AsyncClient, Client
from client.documents import Dataset
from tests.acceptance.conftest import example
from tests.running_service import RunningService


@pytest.fixture
def spec(digits: Dataset) -> dict[str, Any]:
    """About four seconds of training."""
    spec = example("digits_joint.json") | {"dataset": digits["id"]}
    spec["training"] |= {"epochs": 25}
    return spec


def test_following_outlives_the_api(service: RunningService, client: Client, spec: dict[str, Any]) -> None:
    job = client.jobs.submit(spec | {"name": "followed"})
    killed = False
    seen: list[int] = []
    for event in job.follow():
        if event.type not in ("progress", "end"):
            seen.append(event.data["seq"])
        if event.type == "epoch" and not killed:
            service.kill("api")
            killed = True
    assert killed
    assert event.type == "end"
    # Nothing was missed, and nothing came twice.
    assert seen == list(range(1, len(seen) + 1))
    assert job.status == "succeeded"
    assert seen == [found["seq"] for found in job.events()]


def test_many_are_waited_for_at_once(service: RunningService, spec: dict[str, Any], tmp_path: Path) -> None:
    spec["training"] |= {"epochs": 1}

    async def all_of_it() -> list[str]:
        async with AsyncClient(service.url) as client:
            jobs = [await client.jobs.submit(spec | {"name": f"seed-{seed}"}) for seed in (1, 2)]
            ended = await asyncio.gather(*(job.wait(timeout=120) for job in jobs))
            checkpoint = (await ended[0].checkpoints())[0]
            pinned = await client.checkpoints.pin(checkpoint["id"])
            assert pinned["pinned"]
            files = await client.checkpoints.download(checkpoint["id"], tmp_path)
            assert {file.name for file in files} == {file["path"] for file in checkpoint["files"]}
            return [job.status for job in ended]

    assert asyncio.run(all_of_it()) == ["succeeded", "succeeded"]


def test_a_forked_job_ends_where_the_same_job_ends(client: Client, spec: dict[str, Any]) -> None:
    spec["training"] |= {"epochs": 2}
    first = client.jobs.submit(spec | {"name": "first"}).wait()
    again = first.fork({"name": "again"}).wait()
    assert again["forked_from"]["job"] == first.id
    assert again["result"]["parameters_sha256"] == first["result"]["parameters_sha256"]


def test_what_a_job_in_hand_leaves(client: Client, spec: dict[str, Any], tmp_path: Path) -> None:
    spec["training"] |= {"epochs": 1}
    job = client.jobs.submit(spec | {"name": "in hand"}).wait()
    listed = {file["path"]: file for file in job.artifacts()}
    got = job.download("report.json", tmp_path / "report.json")
    assert got.read_bytes() == job.artifact("report.json")
    assert got.stat().st_size == listed["report.json"]["size"]
    assert [found["job"] for found in job.lineage()] == [job.id]
    assert (
        "".join(piece["text"] for piece in job.follow_logs(stream="stderr")).splitlines()
        == job.logs()["lines"]
    )
