from __future__ import annotations

from jobs.record import Record, StartedFrom, hash_fields, rfc3339
from jobs.states import Reason, State

QUEUED = Record(
    id="job_1", name="n", state=State.QUEUED, reason=Reason.SUBMITTED, dataset="ds_1", fingerprint="f"
)


def test_a_record_survives_its_hash() -> None:
    record = QUEUED.model_copy(
        update={
            "attempt": 2,
            "cancel_requested": True,
            "resumed_from": StartedFrom(job="job_0", checkpoint="job_0@10", mode="exact"),
            "losses": {"train": {"total": 0.1, "other": None}},
            "started_at": 5,
            "result": {"parameters_sha256": "ab"},
        }
    )
    assert Record.from_hash(record.to_hash()) == record
    assert all(isinstance(value, str) for value in record.to_hash().values())


def test_a_hash_leaves_out_what_is_at_its_default() -> None:
    assert set(QUEUED.to_hash()) == {"id", "name", "state", "reason", "dataset", "fingerprint"}


def test_floats_keep_every_digit() -> None:
    losses = {"train": {"total": 0.1 + 0.2}}
    assert Record.from_hash(QUEUED.to_hash() | hash_fields({"losses": losses})).losses == losses


def test_the_present_phase_counts_up_to_now() -> None:
    times = {"phase_at": 1000, "queued_ms": 500, "starting_ms": 20}
    waiting = QUEUED.model_copy(update=times)
    assert waiting.timings(3000) == {"queued_s": 2.5, "starting_s": 0.02, "training_s": 0.0}
    training = waiting.model_copy(update={"state": State.RUNNING, "reason": Reason.TRAINING})
    assert training.timings(3000) == {"queued_s": 0.5, "starting_s": 0.02, "training_s": 2.0}
    ended = waiting.model_copy(update={"state": State.FAILED, "reason": Reason.CRASHED})
    assert ended.timings(3000) == {"queued_s": 0.5, "starting_s": 0.02, "training_s": 0.0}


def test_what_the_api_shows() -> None:
    shown = QUEUED.model_copy(update={"created_at": 1_700_000_000_250}).public(0)
    assert shown["status"] == "queued"
    assert shown["created_at"] == "2023-11-14T22:13:20.250Z"
    assert shown["finished_at"] is None
    assert shown["resumed_from"] is None
    assert not {"crashes", "facts_offset", "seq"} & shown.keys()


def test_times_are_utc_with_milliseconds() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(None) is None
