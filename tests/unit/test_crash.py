"""What follows an attempt that ended without a result."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.record import Record
from jobs.recovery.crash import after_crash, backoff_s
from jobs.settings import Settings
from jobs.states import Reason, State
from trainer.files import is_volume_fault
from trainer.layout import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "job_1")
    run.checkpoint(20).path.mkdir(parents=True)
    return run


def record(**counts: int) -> Record:
    known = {"id": "job_1", "name": "", "dataset": "ds_1", "fingerprint": ""}
    return Record(**known, state=State.RUNNING, reason=Reason.TRAINING, **counts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "before", "after"),
    [
        (Reason.CRASHED, {"crash_samples": 10, "crashes": 2, "losses_in_a_row": 4}, (State.QUEUED, 0, 0, 0)),
        (Reason.CRASHED, {"crash_samples": 20}, (State.QUEUED, 1, 0, 0)),
        (Reason.CRASHED, {"crash_samples": 20, "crashes": 1}, (State.QUEUED, 2, 0, 1)),
        (Reason.CRASHED, {"crash_samples": 20, "crashes": 2}, (State.FAILED, 3, 0, 0)),
        # What was done to the job does not count as what it did.
        (Reason.WORKER_LOST, {"crash_samples": 20, "crashes": 2}, (State.QUEUED, 2, 1, 2)),
        (Reason.WORKER_LOST, {"crash_samples": 20, "losses_in_a_row": 4}, (State.FAILED, 0, 5, 0)),
        # A volume that is away does not end a job, however long.
        (Reason.VOLUME_UNUSABLE, {"crash_samples": 20, "losses_in_a_row": 99}, (State.QUEUED, 0, 100, 60)),
    ],
)
def test_the_cause_decides(
    run: RunDirectory, reason: Reason, before: dict[str, int], after: tuple[State, int, int, int]
) -> None:
    settings = Settings(home=run.path, crash_limit=3, lost_limit=5)
    found = after_crash(record(**before), run, reason, "why", settings)
    counts = (found.fields["crashes"], found.fields["losses_in_a_row"])
    assert (found.target, *counts, found.delay_s) == after
    assert found.fields["crash_samples"] == 20
    assert found.detail.endswith("why")
    assert found.reason is (reason if found.target is State.QUEUED else Reason.CRASHED)


def test_pauses_grow_to_a_minute() -> None:
    assert [backoff_s(times) for times in range(10)] == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff_s(10_000) == 60


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError(30, "Read-only file system"), True),
        (FileNotFoundError(2, "No such file or directory"), False),
        (RuntimeError("error writing to file 'model.dnn': No space left on device"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("No space left on device"), False),
        (None, False),
    ],
)
def test_faults_of_the_volume(error: BaseException | None, found: bool) -> None:
    assert is_volume_fault(error) is found
