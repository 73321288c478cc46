"""Jobs submitted together: all of them or none."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.batch import submit_batch
from jobs.errors import Conflict, InvalidInput, Unavailable
from jobs.record import Record
from jobs.states import State
from jobs.store import Store
from tests.integration.test_submit import Desk, desk, spec
from tests.valkey_server import ValkeyServer
from trainer.layout import read_json

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


def test_without_redis_nothing_is_left(
    desk: Desk, spec: Spec, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It goes away after the first look at it.
    deletions = Store.deletions

    def then_away(store: Store, datasets: Any) -> Any:
        found = deletions(store, datasets)
        valkey.stop()
        return found

    monkeypatch.setattr(Store, "deletions", then_away)
    with pytest.raises(Unavailable):
        submitted(desk, spec, spec)
    assert not list(desk.volume.jobs.iterdir())
