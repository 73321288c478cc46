"""Jobs submitted together: all of them or none."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from jobs.errors import Conflict, InvalidInput, Unavailable
from jobs.queue import TokenQueue
from jobs.record import Record
from jobs.recovery.rescan import rescan
from jobs.states import State
from jobs.store import Store
from jobs.submission import submit
from jobs.submission.batch import submit_batch
from tests.integration.test_submit import Desk, desk, spec
from tests.valkey_server import ValkeyServer
from trainer.files import read_json

__all__ = ["desk", "spec"]

Spec = dict[str, Any]


def submitted(desk: Desk, *specs: Spec) -> list[Record]:
    return submit_batch({"jobs": list(specs)}, desk.store, desk.settings, owner="someone")


def test_jobs_are_queued_in_order(desk: Desk, spec: Spec) -> None:
    names = ["first", "second", "third"]
    records = submitted(desk, *(spec | {"name": name} for name in names))
    assert [record.name for record in records] == names
    assert desk.store.ready(None) == [record.id for record in records]
    assert desk.store.client.llen("rq:queue:cntk-jobs") == 3
    for record in records:
        assert (record.state, record.seq, record.owner) == (State.QUEUED, 1, "someone")
        assert desk.store.get(record.id) == record
        assert read_json(desk.volume.job(record.id).spec)["name"] == record.name
        assert len(desk.store.events_after(record.id, 0)) == 1


def test_one_that_is_wrong_keeps_all_away_and_every_fault_is_told(desk: Desk, spec: Spec) -> None:
    before = desk.everything()
    wrong = spec | {"training": {"epochs": 0, "minibatch_size": -1}}
    elsewhere = spec | {"dataset": "ds_nowhere"}
    with pytest.raises(InvalidInput) as refused:
        submitted(desk, spec, wrong, spec, elsewhere)
    assert [fault.pointer for fault in refused.value.faults] == [
        "/jobs/1/training/epochs", "/jobs/1/training/minibatch_size", "/jobs/3/dataset"
    ]  # fmt: skip
    assert "ds_nowhere" in refused.value.faults[2].detail
    assert desk.everything() == before


@pytest.mark.parametrize("jobs", [[], [{}] * 201, "all"])
def test_how_many_there_may_be(desk: Desk, jobs: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        submit_batch({"jobs": jobs}, desk.store, desk.settings)
    assert refused.value.faults[0].pointer == "/jobs"


def test_a_data_set_that_is_being_deleted_keeps_all_away(desk: Desk, spec: Spec) -> None:
    with desk.store.deleting_dataset(spec["dataset"]):
        before = desk.everything()
        with pytest.raises(Conflict, match="is being deleted"):
            submitted(desk, spec, spec)
        assert desk.everything() == before


def test_a_data_set_that_was_deleted_and_came_back(desk: Desk, spec: Spec) -> None:
    desk.store.deletions([spec["dataset"]])
    with Store.open(desk.settings).deleting_dataset(spec["dataset"]):
        pass
    assert len(submitted(desk, spec, spec)) == 2


def test_without_redis_nothing_is_left(
    desk: Desk, spec: Spec, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It goes away after the first look at it.
    deletions = Store.deletions

    def then_away(store: Store, datasets: Any, *, afresh: bool) -> Any:
        found = deletions(store, datasets, afresh=afresh)
        valkey.stop()
        return found

    monkeypatch.setattr(Store, "deletions", then_away)
    with pytest.raises(Unavailable):
        submitted(desk, spec, spec)
    assert not list(desk.volume.jobs.iterdir())


@pytest.mark.parametrize(
    ("step", "calls", "queued"),
    [
        ("write", 1, 0),
        ("write", 3, 0),
        ("create_together", 1, 0),
        ("note_accepted", 1, 3),
        ("note_accepted", 3, 3),
    ],
    ids=["at the first folder", "at the last", "before Redis", "after Redis", "before the last note"],
)
def test_a_kill_in_the_middle_leaves_all_or_none(
    desk: Desk, spec: Spec, step: str, calls: int, queued: int
) -> None:
    """The submitting process is killed as it begins a step for the ``calls``-th time."""
    child = os.fork()
    if child == 0:
        owner = Store if step == "create_together" else submit
        real, left = getattr(owner, step), [calls]

        def killed(*given: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given)

        setattr(owner, step, killed)
        try:
            submitted(desk, spec, spec, spec)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert len(desk.store.ready(None)) == queued
    assert desk.store.client.llen("rq:queue:cntk-jobs") == queued
    # What the volume has of jobs that were never queued does not become any.
    rescan(desk.store, TokenQueue(desk.store.client), desk.settings)
    assert len(desk.store.page().records) == queued
