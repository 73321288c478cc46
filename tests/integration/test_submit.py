"""Submission with real specs: what starts from what, and that a refusal leaves nothing behind."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.checkpoints import verify
from jobs.errors import Conflict, InvalidInput, JobsError, NotFound, Unavailable
from jobs.settings import Settings
from jobs.states import State
from jobs.store import Store
from jobs.submission.submit import enqueue, prepare, submit
from jobs.volume import make_volume
from tests.practice_trainer import publish
from tests.trainer_runs import Workshop
from tests.valkey_server import ValkeyServer
from trainer.files import read_json

ROWS = 12
Spec = dict[str, Any]


class Desk:
    """Submits specs, and knows what lies about afterwards."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.volume = settings.volume
        self.store = Store.open(settings)
        make_volume(settings.volume, self.store)

    def submit(self, spec: Spec) -> str:
        return submit(spec, self.store, self.settings).id

    def with_checkpoints(self, spec: Spec) -> str:
        """A job with checkpoints at 10, 20 and 30 samples."""
        job_id = self.submit(spec)
        for step in (1, 2, 3):
            publish(self.volume.job(job_id), step, "chain")
        return job_id

    def refusal(self, spec: Spec) -> JobsError:
        """The error of a submission, after which everything is as it was."""
        before = self.everything()
        with pytest.raises(JobsError) as caught:
            self.submit(spec)
        assert self.everything() == before
        return caught.value

    def everything(self) -> tuple[list[Path], list[Any]]:
        # The folder of all jobs comes with the first submission.
        paths = sorted(path for path in self.volume.path.rglob("*") if path != self.volume.jobs)
        return paths, sorted(self.store.client.keys("*"))


@pytest.fixture
def desk(tmp_path: Path, valkey: ValkeyServer) -> Desk:
    return Desk(Settings(home=tmp_path, redis_url=valkey.url))


@pytest.fixture
def spec(desk: Desk) -> Spec:
    generator = np.random.default_rng(1)
    splits = {"train": np.arange(8), "valid": np.arange(8, ROWS)}
    columns = {
        "x": generator.random((ROWS, 4)),
        "wide": generator.random((ROWS, 6)),
        "y": np.arange(ROWS) % 3,
    }
    dataset = Workshop(desk.settings.home, {}).dataset("small", columns, splits)
    return {
        "name": "small",
        "dataset": dataset,
        "inputs": {"x": {"field": "x"}},
        "network": [
            {"name": "hidden", "type": "dense", "units": 5, "activation": "relu", "input": "x"},
            {"name": "scores", "type": "dense", "units": 3, "input": "hidden"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "y"}],
        "learner": {"type": "sgd", "learning_rate": 0.1},
        "training": {"epochs": 2},
    }


def test_a_job_is_queued_with_its_complete_spec(desk: Desk, spec: Spec) -> None:
    record = desk.store.get(desk.submit(spec))
    assert (record.state, record.name, record.dataset) == (State.QUEUED, "small", spec["dataset"])
    document = read_json(desk.volume.job(record.id).spec)
    assert document["fingerprint"] == record.fingerprint
    assert document["training"]["minibatch_size"] == 64
    assert desk.store.live_jobs(record.dataset) == [record.id]


def test_the_record_that_is_answered_is_the_one_in_redis(desk: Desk, spec: Spec) -> None:
    everything = {
        "tags": ["a", "b"],
        "priority": 7,
        "limits": {"max_queue_s": 60},
        "requires": {"gpu": ["no"]},
        "after": [desk.submit(spec)],
    }
    record = submit(spec | everything, desk.store, desk.settings, owner="someone")
    assert desk.store.get(record.id) == record
    assert record.created_at == record.updated_at == record.phase_at > 0
    assert len(desk.store.events_after(record.id, 0)) == record.seq == 1


def test_a_spec_with_faults(desk: Desk, spec: Spec) -> None:
    assert isinstance(desk.refusal(spec | {"network": [], "training": {"epochs": 0}}), InvalidInput)


def test_a_data_set_that_is_not_there(desk: Desk, spec: Spec) -> None:
    assert isinstance(desk.refusal(spec | {"dataset": "ds_none"}), NotFound)


def test_a_data_set_that_is_being_deleted(desk: Desk, spec: Spec) -> None:
    with desk.store.deleting_dataset(spec["dataset"]):
        assert isinstance(desk.refusal(spec), Conflict)


def test_a_data_set_that_was_deleted_and_came_back(desk: Desk, spec: Spec) -> None:
    """What a submission a moment ago was told of deletions is old then."""
    other = Store.open(desk.settings)
    told = desk.store.deletions([spec["dataset"]])
    with other.deleting_dataset(spec["dataset"]):
        pass
    assert other.deletions([spec["dataset"]]) != told
    first = desk.store.get(desk.submit(spec))
    desk.store.request_cancel(first.id)
    with other.deleting_dataset(spec["dataset"]):
        assert isinstance(desk.refusal(spec), Conflict)
    assert desk.store.get(desk.submit(spec)).state is State.QUEUED


def test_submissions_while_their_data_set_is_deleted_again_and_again(desk: Desk, spec: Spec) -> None:
    """Whatever they remember of deletions, no job begins to need a data set that is being deleted."""
    done = threading.Event()
    deleted = 0

    def submissions() -> None:
        try:
            for _ in range(60):
                with suppress(Conflict):
                    desk.store.request_cancel(desk.submit(spec))
        finally:
            done.set()

    elsewhere = Store.open(desk.settings)
    thread = threading.Thread(target=submissions)
    thread.start()
    try:
        while not done.is_set() or not deleted:
            with suppress(Conflict), elsewhere.deleting_dataset(spec["dataset"]):
                for _ in range(10):
                    assert elsewhere.live_jobs(spec["dataset"]) == []
                deleted += 1
    finally:
        thread.join()
    assert desk.store.get(desk.submit(spec)).state is State.QUEUED


def test_a_data_set_that_is_gone_since_others_asked(desk: Desk, spec: Spec) -> None:
    desk.submit(spec)
    prepared = prepare(spec, desk.store, desk.settings, None, None)
    for job in desk.store.live_jobs(spec["dataset"]):
        desk.store.request_cancel(job)
    with Store.open(desk.settings).deleting_dataset(spec["dataset"]):
        shutil.rmtree(desk.volume.dataset(spec["dataset"]).path)
    before = desk.everything()
    with pytest.raises(NotFound):
        enqueue(prepared, desk.store, desk.volume)
    assert desk.everything() == before


def test_redis_away(desk: Desk, spec: Spec, valkey: ValkeyServer) -> None:
    desk.submit(spec)
    before = sorted(desk.volume.path.rglob("*"))
    valkey.stop()
    with pytest.raises(Unavailable):
        desk.submit(spec)
    assert sorted(desk.volume.path.rglob("*")) == before


def test_redis_away_between_the_look_and_the_transaction(
    desk: Desk, spec: Spec, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = desk.store.deletions

    def look_and_lose(datasets: Collection[str], *, afresh: bool) -> dict[str, str | None]:
        found = look(datasets, afresh=afresh)
        valkey.stop()
        return found

    monkeypatch.setattr(desk.store, "deletions", look_and_lose)
    before = sorted(desk.volume.jobs.rglob("*"))
    with pytest.raises(Unavailable):
        desk.submit(spec)
    assert sorted(desk.volume.jobs.rglob("*")) == before


def start(job: str, checkpoint: str | int = "latest", mode: str = "exact") -> Spec:
    return {"start_from": {"job": job, "checkpoint": checkpoint, "mode": mode}}


def test_an_exact_continuation_may_change_the_budget(desk: Desk, spec: Spec) -> None:
    first = desk.with_checkpoints(spec)
    longer = spec | {"name": "longer", "training": {"epochs": 9}, "checkpoints": {"keep_last": 5}}
    second = desk.submit(longer | start(first, 20))
    run = desk.volume.job(second)
    assert verify(run.start) == []
    assert read_json(run.start.manifest)["samples"] == 20
    assert read_json(run.spec)["start_from"] == start(first, f"{first}@20")["start_from"]
    record = desk.store.get(second)
    assert record.public(0)["resumed_from"] == {
        "job": first,
        "checkpoint": f"{first}@20",
        "mode": "exact",
        "step": 2,
        "samples": 20,
        "epoch": 0,
    }


def test_an_exact_continuation_of_another_spec(desk: Desk, spec: Spec) -> None:
    first = desk.with_checkpoints(spec)
    error = desk.refusal(spec | {"training": {"epochs": 2, "seed": 7}} | start(first))
    assert isinstance(error, Conflict)
    assert error.extra["differences"] == [{"pointer": "/training/seed", "here": 7, "there": 1}]
    assert "/training/seed" in error.detail


def test_a_continuation_may_change_the_learning_rate(desk: Desk, spec: Spec) -> None:
    first = desk.with_checkpoints(spec)
    falling = {"type": "sgd", "learning_rate": {"type": "cosine", "rate": 0.05, "epochs": 9}}
    other = spec | {"learner": falling, "training": {"epochs": 9}}
    second = desk.store.get(desk.submit(other | start(first, 20, "continue")))
    assert second.resumed_from is not None
    assert (second.resumed_from.mode, second.resumed_from.step) == ("continue", 2)
    assert second.fingerprint != desk.store.get(first).fingerprint
    error = desk.refusal(other | start(first, 20))
    assert isinstance(error, Conflict)
    assert {found["pointer"].rpartition("/")[0] for found in error.extra["differences"]} == {
        "/learner/learning_rate"
    }
    assert "with mode 'continue'" in error.detail


@pytest.mark.parametrize(
    ("learner", "places"),
    [
        ({"type": "sgd", "learning_rate": 0.2, "l2": 0.1}, ["/learner/l2"]),
        (
            {"type": "momentum", "learning_rate": 0.2},
            [
                "/learner/learning_rate/rate",
                "/learner/momentum",
                "/learner/type",
                "/learner/unit_gain",
            ],
        ),
    ],
)
def test_a_continuation_may_change_nothing_else_of_the_learner(
    desk: Desk, spec: Spec, learner: Spec, places: list[str]
) -> None:
    first = desk.with_checkpoints(spec)
    error = desk.refusal(spec | {"learner": learner} | start(first, mode="continue"))
    assert isinstance(error, Conflict)
    assert [found["pointer"] for found in error.extra["differences"]] == places
    assert ", ".join(places) in error.detail


@pytest.mark.parametrize("mode", ["exact", "continue"])
@pytest.mark.parametrize(
    ("training", "pointer"),
    [
        ({"epochs": 1}, "/training/epochs"),
        ({"epochs": 2}, "/training/epochs"),
        ({"epochs": 3, "early_stopping": {"patience": 1}}, "/training/early_stopping/patience"),
        ({"epochs": 3, "early_stopping": {"patience": 2}}, None),
        ({"epochs": 3}, None),
    ],
)
def test_a_continuation_has_something_left_to_train(
    desk: Desk, spec: Spec, mode: str, training: Spec, pointer: str | None
) -> None:
    first = desk.submit(spec)
    publish(desk.volume.job(first), 4, "chain", epoch=2, stale=1)
    further = spec | {"training": training} | start(first, mode=mode)
    if pointer is None:
        desk.submit(further)
        return
    error = desk.refusal(further)
    assert isinstance(error, InvalidInput)
    assert [(fault.pointer, fault.code) for fault in error.faults] == [(pointer, "nothing_left")]
    assert f"nothing is left to train: {first}@40" in error.detail


def test_a_broken_checkpoint_is_refused_and_another_offered(desk: Desk, spec: Spec) -> None:
    first = desk.with_checkpoints(spec)
    desk.volume.job(first).checkpoint(30).loop.write_bytes(b"{}")
    error = desk.refusal(spec | start(first))
    assert isinstance(error, Conflict)
    assert error.extra == {"whole_checkpoint": f"{first}@20"}
    assert f"{first}/checkpoints/30/loop.json" in error.detail
    desk.submit(spec | start(first, error.extra["whole_checkpoint"]))


@pytest.mark.parametrize(
    ("job", "checkpoint", "pointer"),
    [
        ("job_none", "latest", "/start_from/job"),
        ("../jobs", "latest", "/start_from/job"),
        ("", "latest", "/start_from/job"),
        (None, 11, "/start_from/checkpoint"),
        (None, "job_none@10", "/start_from/checkpoint"),
    ],
)
def test_a_start_that_is_not_there(
    desk: Desk, spec: Spec, job: str | None, checkpoint: str | int, pointer: str
) -> None:
    first = desk.with_checkpoints(spec)
    error = desk.refusal(spec | start(first if job is None else job, checkpoint))
    assert isinstance(error, InvalidInput)
    assert [fault.pointer for fault in error.faults] == [pointer]


def test_weights_may_go_to_another_learner(desk: Desk, spec: Spec) -> None:
    first = desk.with_checkpoints(spec)
    desk.submit(spec | {"learner": {"type": "adam", "alpha": 0.01}} | start(first, mode="weights"))


@pytest.mark.parametrize(
    ("change", "misfits"),
    [
        ({"inputs": {"x": {"field": "wide"}}}, ["hidden.W"]),
        ({"network": [{"name": "scores", "type": "dense", "units": 3, "input": "x"}]}, ["scores.W"]),
        ({"network": [{"name": "other", "type": "dense", "units": 3, "input": "x"}]}, ["other.W", "other.b"]),
    ],
)
def test_weights_of_another_shape(desk: Desk, spec: Spec, change: Spec, misfits: list[str]) -> None:
    first = desk.with_checkpoints(spec)
    [*_, last] = change.get("network", spec["network"])
    objective = [{"type": "cross_entropy_with_softmax", "output": last["name"], "target": "y"}]
    error = desk.refusal(spec | change | {"objective": objective} | start(first, mode="weights"))
    assert isinstance(error, Conflict)
    assert [found["pointer"] for found in error.extra["differences"]] == [
        f"/network/{name}" for name in misfits
    ]


def test_weights_of_a_job_whose_data_set_is_gone(desk: Desk, spec: Spec) -> None:
    """Its shapes cannot be told any more: the trainer compares the parameters themselves."""
    first = desk.with_checkpoints(spec)
    document = read_json(desk.volume.job(first).spec)
    path = desk.volume.job(first).spec
    path.write_text(path.read_text().replace(document["dataset"], "ds_gone"))
    desk.submit(spec | start(first, mode="weights"))
