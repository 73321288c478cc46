"""What people see of jobs, checkpoints and data sets."""

import io
from typing import Any

import pytest
from rich.console import Console

from client import tables
from client.comparing import compare
from client.documents import Job
from client.problems import JobsApiError
from client.progress import Board, duration, headline, share_done, state_line, watch

PROGRESS = {
    "epoch": 4,
    "epochs": 10,
    "minibatch": 12,
    "step": 81,
    "samples": 3000,
    "samples_per_second": 1500.0,
    "eta_s": 6.0,
}


def job(**changes: Any) -> Job:
    found: dict[str, Any] = {
        "id": "job_1",
        "name": "digits",
        "tags": ["mnist", "first"],
        "priority": 5,
        "owner": "ada",
        "status": "running",
        "reason": "training",
        "detail": "",
        "attempt": 1,
        "progress": PROGRESS,
        "losses": {"train": {"loss": 0.1874}, "valid": {"loss": 0.25}},
        "metrics": {"train": {"classification_error": 0.04}, "valid": {"classification_error": 0.0531}},
        "checkpoints": 2,
        "timings": {"queued_s": 0.012, "starting_s": 1.31, "training_s": 75.0},
        "resumed_from": None,
        "forked_from": None,
        "queue_position": None,
        "waiting_for": None,
        "dataset": "ds_1",
        "result": None,
        "created_at": "2026-01-31T09:30:00.250Z",
        "first_minibatch_at": None,
        "finished_at": None,
        "spec": None,
    }
    return found | changes  # type: ignore[return-value]  # built by hand, read as the service's


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {},
            "epoch 4/10  train loss 0.1874  valid classification_error 0.0531  1,500 samples/s  6 s left",
        ),
        (
            {"status": "queued", "reason": "submitted", "progress": {}, "losses": {}, "metrics": {}},
            "queued (submitted)",
        ),
        (
            {"attempt": 2, "reason": "starting", "losses": {}, "metrics": {}, "progress": {"epoch": 3}},
            "running (starting)  attempt 2  epoch 3",
        ),
        (
            {
                "status": "succeeded",
                "reason": "completed",
                "losses": {"train": {"loss": None}},
                "metrics": {},
            },
            "succeeded (completed)  epoch 4/10",
        ),
    ],
)
def test_the_state_of_a_job_in_one_line(changes: dict[str, Any], line: str) -> None:
    assert state_line(job(**changes)) == line


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({}, 0.25),
        ({"progress": {}}, 0.0),
        ({"progress": PROGRESS | {"eta_s": None}}, 0.0),
        ({"status": "succeeded", "progress": {}}, 1.0),
    ],
)
def test_the_share_that_is_done_follows_the_services_estimate(changes: dict[str, Any], share: float) -> None:
    assert share_done(job(**changes)) == share


def test_the_headline_is_the_first_value_there_is() -> None:
    values = {"valid": {"top_1": None}, "train": {"top_1": None, "top_5": 0.125}}
    assert headline(values, ("valid", "train")) == "train top_5 0.125"
    assert headline({}, ("valid", "train")) == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1:00"), (200, "3:20"), (7400, "2:03:20")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(999, "999 B"), (61_233, "61.2 kB"), (5_000_000, "5.0 MB"), (7.2e12, "7200.0 GB")]
)
def test_sizes(count: float, text: str) -> None:
    assert tables.size(count) == text


def test_without_a_terminal_every_change_of_state_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.progress.PLAIN_EVERY_S", 1e9)
    output = io.StringIO()
    looks = [
        job(status="queued", reason="submitted", progress={}, losses={}, metrics={}),
        job(progress=PROGRESS | {"epoch": 1}),
        job(progress=PROGRESS | {"epoch": 2}),
        job(progress=PROGRESS | {"epoch": 3}, attempt=2),
        job(status="succeeded", reason="completed", attempt=2),
    ]
    assert watch(looks, Console(file=output))["status"] == "succeeded"
    assert [line.split("  ")[1:3] for line in output.getvalue().splitlines()] == [
        ["queued (submitted)"],
        ["epoch 1/10", "train loss 0.1874"],
        ["attempt 2", "epoch 3/10"],
        ["succeeded (completed)", "attempt 2"],
    ]


def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.progress.PLAIN_EVERY_S", -1.0)
    output = io.StringIO()
    watch([job(), job(), job()], Console(file=output))
    assert len(output.getvalue().splitlines()) == 3


def test_on_a_terminal_a_bar_is_kept_up_to_date() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=160)
    last = watch([job(), job(status="succeeded", reason="completed")], console)
    assert last["status"] == "succeeded"
    assert "succeeded (completed)" in output.getvalue()
    assert "100%" in output.getvalue()


def shown(table: object) -> str:
    output = io.StringIO()
    Console(file=output, width=200).print(table)
    return output.getvalue()


def test_a_job_shows_its_result_and_where_it_started_from() -> None:
    text = shown(
        tables.job(
            job(
                status="succeeded",
                reason="completed",
                result={"parameters_sha256": "ab" * 32},
                resumed_from={
                    "job": "job_0",
                    "checkpoint": "job_0@640",
                    "mode": "exact",
                    "step": 10,
                    "samples": 640,
                    "epoch": 0,
                },
            )
        )
    )
    assert "sha256 " + "ab" * 32 in text
    assert "job_0@640 (exact), step 10" in text
    assert "1:15" in text


def test_a_job_shows_what_was_changed_of_the_one_it_was_forked_from() -> None:
    diff = [{"pointer": "/learner/alpha", "from": 0.1, "to": 0.01}]
    text = shown(tables.job(job(forked_from={"job": "job_0", "patch": {}, "diff": diff})))
    assert "job_0" in text
    assert "/learner/alpha: 0.1 -> 0.01" in text
    assert "mnist, first" in text
    assert "ada" in text


def test_a_job_that_waits_says_for_what_and_where() -> None:
    waits = {"reason": "workers_busy", "detail": "all workers are busy"}
    text = shown(tables.job(job(status="queued", queue_position=3, waiting_for=waits)))
    assert "all workers are busy, place 3" in text


def test_jobs_stand_side_by_side_where_they_differ() -> None:
    spec: dict[str, Any] = {"name": "a", "learner": {"type": "adam"}, "network": [{"units": 3}], "x/y": 1}
    other = spec | {"name": "b", "network": [{"units": 3}, {"units": 5}], "x/y": 2}
    metrics = {"valid": {"error": 0.5}}
    found = compare([job(spec=spec), job(id="job_2", spec=other, metrics=metrics, losses={}, timings={})])
    assert found["differences"] == {"/x~1y": [1, 2], "/network/1/units": [None, 5]}
    assert found["metrics"]["valid error"] == [None, 0.5]
    assert found["losses"]["train loss"] == [0.1874, None]
    assert found["seconds"] == [75.0, None]
    text = shown(tables.comparison(found))
    assert "/network/1/units" in text
    assert "job_2" in text


def test_several_jobs_have_a_bar_each() -> None:
    output = io.StringIO()
    with Board(Console(file=output, force_terminal=True, width=160)) as board:
        board.show(job(id="job_1", name="one"))
        board.show(job(id="job_2", name="two"))
        board.show(job(id="job_1", name="one", status="succeeded", reason="completed"))
    last = output.getvalue()
    assert "100%" in last
    assert "two" in last[last.index("100%") :]


def test_a_lineage_shows_each_start_each_change_and_what_is_gone() -> None:
    start = {"checkpoint": "job_1@640", "step": 10, "samples": 640, "mode": "continue"}
    changed = [{"pointer": "/learner/alpha/rate", "here": 0.001, "there": 0.01}]
    nothing = dict.fromkeys(("name", "status", "checkpoint", "step", "samples", "mode", "changed"))
    found: Any = [
        {
            "job": "job_2",
            "found": "record",
            "name": "finer",
            "status": "running",
            "changed": changed,
            **start,
        },
        {**nothing, "job": "job_1", "found": "nothing"},
    ]
    text = shown(tables.lineage(found))
    assert "job_1@640 (continue)" in text
    assert "/learner/alpha/rate: 0.01 -> 0.001" in text
    assert "gone" in text.splitlines()[2]


def test_names_with_brackets_are_shown_as_they_are() -> None:
    assert "a [bold] name" in shown(tables.jobs([job(name="a [bold] name")]))


def test_a_problem_names_every_place_and_every_difference() -> None:
    output = io.StringIO()
    error = JobsApiError(
        "the specs differ",
        status=409,
        errors=[{"pointer": "/start_from", "code": "x", "detail": "not the same job [sic]"}],
        extra={"differences": [{"pointer": "/training/seed", "here": 1, "there": 2}]},
    )
    tables.problem(error, Console(file=output))
    assert output.getvalue().splitlines() == [
        "cntk-jobs: the specs differ",
        "  /start_from: not the same job [sic]",
        "  /training/seed: 1 here, 2 there",
    ]
