"""Where a job came from, from records and run directories that come and go."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jobs.checkpoints import choose
from jobs.journal import journal
from jobs.queries.lineage import Descent, lineage
from jobs.states import Reason, State
from tests.practice_trainer import publish
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace
from trainer.files import read_json, write_json


class Family:
    """Three jobs, each started from a checkpoint of the one before."""

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self.first = place.submit().id
        publish(place.run(self.first), 2, "chain")
        self.second = place.submit(start=choose(place.run(self.first), 20), steps=8).id
        publish(place.run(self.second), 6, "chain", epoch=1)
        self.third = place.submit(start=choose(place.run(self.second), "latest"), steps=8).id

    def followed(self) -> list[Descent]:
        return lineage(self.third, self.place.store, self.place.volume)

    def forget(self, job_id: str) -> None:
        """The record goes, the run directory stays."""
        self.place.store.client.delete(f"cj:job:{job_id}")

    def remove(self, job_id: str) -> None:
        shutil.rmtree(self.place.run(job_id).path)


@pytest.fixture
def family(tmp_path: Path, valkey: ValkeyServer) -> Family:
    return Family(Workplace(tmp_path, valkey.url))


def test_from_the_job_back_to_the_first(family: Family) -> None:
    third, second, first = family.followed()
    assert (third.job, third.checkpoint, third.step, third.samples, third.mode) == (
        family.third,
        f"{family.second}@60",
        6,
        60,
        "exact",
    )
    assert third.changed == []
    assert (second.job, second.checkpoint, second.step) == (family.second, f"{family.first}@20", 2)
    assert second.changed == [{"pointer": "/practice/steps", "here": 8, "there": 4}]
    assert first == Descent(job=family.first, found="record", name="practice", status=State.QUEUED)


def test_an_ancestor_whose_record_is_gone(family: Family) -> None:
    store = family.place.store
    before = family.followed()
    store.transition(store.get(family.second), State.CANCELLED, Reason.CANCEL_REQUESTED)
    journal(store, family.place.run(family.second), family.second)
    family.forget(family.second)
    family.forget(family.first)
    third, second, first = family.followed()
    assert third == before[0]
    assert second == before[1].model_copy(update={"found": "volume", "status": State.CANCELLED})
    # No event of its end is on the volume.
    assert first == before[2].model_copy(update={"found": "volume", "status": None})


def test_an_ancestor_whose_run_directory_is_gone(family: Family) -> None:
    before = family.followed()
    family.remove(family.second)
    third, second, first = family.followed()
    assert third == before[0].model_copy(update={"changed": None})
    assert second == before[1].model_copy(update={"changed": None})
    assert first == before[2]


def test_an_ancestor_that_is_gone_altogether(family: Family) -> None:
    before = family.followed()
    family.forget(family.second)
    family.remove(family.second)
    third, second = family.followed()
    assert third == before[0].model_copy(update={"changed": None})
    assert second == Descent(job=family.second, found="nothing")


def test_a_volume_that_leads_in_a_circle(family: Family) -> None:
    spec = family.place.run(family.first).spec
    start = {"job": family.third, "checkpoint": f"{family.third}@0", "mode": "exact"}
    write_json(spec, read_json(spec) | {"start_from": start})
    assert [one.job for one in family.followed()] == [family.third, family.second, family.first]
