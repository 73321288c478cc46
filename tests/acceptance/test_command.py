"""``cntk-jobs`` against the running service."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from client.command import JOB_DID_NOT_SUCCEED, NOT_YET, OK, REFUSED, main
from client.documents import Dataset, Job
from tests.running_service import ROOT, RunningService

SPEC = str(ROOT / "examples" / "digits_joint.json")


class Shell:
    """Runs commands against one service; says what they printed."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self.capsys = capsys
        self.errors = ""

    def __call__(self, *words: str, status: int = OK) -> str:
        found = main(["--url", self.url, *words])
        output, self.errors = self.capsys.readouterr()
        assert found == status, output + self.errors
        return output

    def json(self, *words: str, status: int = OK) -> Any:
        return json.loads(self(*words, status=status))


@pytest.fixture
def shell(service: RunningService, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(service.url, capsys)


def test_from_upload_to_checkpoints(shell: Shell, digits_file: Path, tmp_path: Path) -> None:
    # Split otherwise than other tests' digits: equal content would keep the name that it came with first.
    document = json.loads((ROOT / "examples" / "options" / "digits.json").read_text())
    options = tmp_path / "options.json"
    options.write_text(json.dumps(document | {"splits": {"fractions": {"valid": 0.2}, "seed": 7}}))
    given = ("--options", str(options), "--name", "by hand")
    dataset = shell("datasets", "add", str(digits_file), *given).strip()
    assert dataset in shell("datasets", "list")

    job = shell.json("submit", SPEC, "--dataset", "by hand", "--name", "by-hand", "--follow", "--json")
    assert (job["name"], job["status"]) == ("by-hand", "succeeded")
    # Progress went to standard error: standard output was one JSON document.
    assert "epoch" in shell.errors
    assert "sha256" in shell("show", job["id"])
    assert job["id"] in {listed["id"] for listed in shell.json("list", "--json")}
    assert f"{job['id']}@" in shell("checkpoints", job["id"])
    assert "succeeded" in shell("watch", job["id"])
    events = [json.loads(line) for line in shell("events", job["id"], "--after", "1").splitlines()]
    assert events[0]["seq"] == 2
    shell("logs", job["id"], "--attempt", "1", "--stream", "stdout")


def test_validate_prints_the_whole_spec(shell: Shell, digits: Dataset) -> None:
    answer = shell.json("validate", SPEC, "--dataset", digits["id"])
    assert answer["spec"]["learner"]["momentum"] == 0.9


def test_what_the_service_refuses_is_shown_with_its_place(
    shell: Shell, digits: Dataset, tmp_path: Path
) -> None:
    spec = json.loads(Path(SPEC).read_text()) | {"dataset": digits["id"], "metrics": 3, "objective": []}
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))
    shell("submit", str(path), status=REFUSED)
    assert "  /metrics: " in shell.errors
    assert "  /objective: " in shell.errors
    assert "Traceback" not in shell.errors


def test_names_that_are_not_there_are_refused(shell: Shell) -> None:
    shell("submit", SPEC, "--dataset", "nobody's", status=REFUSED)
    assert shell.errors == 'cntk-jobs: there is no data set "nobody\'s"\n'
    shell("show", "job_00000000000000000000000000", status=REFUSED)


def test_a_job_that_fails_is_an_exit_status(shell: Shell, digits: Dataset, tmp_path: Path) -> None:
    spec = json.loads(Path(SPEC).read_text()) | {"learner": {"type": "sgd", "learning_rate": 1e30}}
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))
    output = shell("submit", str(path), "--dataset", digits["id"], "--follow", status=JOB_DID_NOT_SUCCEED)
    assert "diverged" in output


def test_a_job_is_cancelled(shell: Shell, digits: Dataset, tmp_path: Path) -> None:
    spec = json.loads(Path(SPEC).read_text())
    spec["training"]["epochs"] = 5000
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))
    job = shell("submit", str(path), "--dataset", digits["id"]).strip()
    shell("cancel", job)
    assert "cancelled" in shell("watch", job, status=JOB_DID_NOT_SUCCEED)


def test_a_data_set_is_removed(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("x,y\n1,2\n3,4\n")
    dataset = shell("datasets", "add", str(path)).strip()
    shell("datasets", "rm", dataset)
    shell("datasets", "rm", dataset, status=REFUSED)


def test_parts_and_workers(shell: Shell) -> None:
    assert "dense" in {part["type"] for part in shell.json("parts", "layers", "--json")["layers"]}
    assert "cross_entropy_with_softmax" in shell("parts", "losses")
    assert shell.json("workers", "--json")[0]["trainer"]["cntk_version"] == "2.7"
    assert "CNTK 2.7" in shell("workers")


@pytest.fixture(scope="module")
def trained(service: RunningService, digits: Dataset) -> Job:
    """A short job that has succeeded."""
    spec = json.loads(Path(SPEC).read_text()) | {"dataset": digits["id"], "name": "short"}
    spec["training"]["epochs"] = 2
    with service.client() as client:
        return client.jobs.submit(spec).wait().document


def test_results_are_fetched(shell: Shell, trained: Job, tmp_path: Path) -> None:
    to = tmp_path / "results"
    fetched = shell("download", trained["id"], "report.json", "--to", str(to)).split()
    assert fetched == [str(to / "report.json")]
    assert json.loads((to / "report.json").read_text())
    everything = shell.json("download", trained["id"], "--to", str(to), "--json")
    assert str(to / "model.dnn") in everything
    shell("download", trained["id"], "nothing.txt", "--to", str(to), status=REFUSED)
    assert "it has " in shell.errors

    newest = shell.json("checkpoints", trained["id"], "--json")[0]
    files = shell.json("download", trained["id"], "--checkpoint", "latest", "--to", str(to / "c"), "--json")
    assert sorted(Path(path).name for path in files) == sorted(file["path"] for file in newest["files"])


def test_the_course_of_a_job(shell: Shell, trained: Job) -> None:
    course = shell("metrics", trained["id"]).splitlines()
    assert "epoch" in "".join(course)
    assert [line.split()[0] for line in course[-2:]] == ["1", "2"]
    assert shell.json("metrics", trained["id"], "--json", "--points", "5")["minibatches"]["steps"] > 0
    lines = [json.loads(line) for line in shell("events", trained["id"], "-f").splitlines()]
    assert [line["type"] for line in lines][-1] == "end"
    assert [line["seq"] for line in lines[:-1]] == list(range(1, len(lines)))


def test_jobs_are_watched_and_compared(shell: Shell, trained: Job, tmp_path: Path) -> None:
    spec = json.loads(Path(SPEC).read_text()) | {"dataset": trained["dataset"]}
    spec["training"] |= {"epochs": 1, "seed": 5}
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))
    jobs = [shell("submit", str(path), "--name", name).strip() for name in ("one", "two")]
    ended = shell.json("watch", *jobs, "--json")
    assert [(job["name"], job["status"]) for job in ended] == [("one", "succeeded"), ("two", "succeeded")]
    shell("wait", *jobs)
    found = shell.json("compare", trained["id"], jobs[0], "--json")
    assert found["differences"]["/training/epochs"] == [2, 1]
    assert "/training/seed" in shell("compare", trained["id"], jobs[0])
    assert found["metrics"]["train classification_error"][0] is not None


def test_a_log_is_followed_to_its_end(shell: Shell, trained: Job) -> None:
    whole = shell("logs", trained["id"], "--stream", "stderr")
    assert shell("logs", trained["id"], "-f", "--stream", "stderr") == whole
    pieces = [json.loads(line) for line in shell("logs", trained["id"], "-f", "--json").splitlines()]
    assert "".join(piece["text"] for piece in pieces) == whole


def test_waiting_has_an_end(shell: Shell, digits: Dataset, tmp_path: Path) -> None:
    spec = json.loads(Path(SPEC).read_text())
    spec["training"]["epochs"] = 5000
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))
    job = shell("submit", str(path), "--dataset", digits["id"]).strip()
    shell("wait", job, "--timeout", "0.2", status=NOT_YET)
    assert "not all of them have ended" in shell.errors
    shell("cancel", job)


def test_the_doctor_finds_everything_well(shell: Shell, service: RunningService) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNTK_JOBS_HOME", str(service.home))
        done = subprocess.run(
            [sys.executable, "-m", "client.command", "--url", service.url, "doctor", "--json"],
            capture_output=True,
            check=True,
        )
    found = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert {finding["state"] for finding in found.values()} <= {"ok", "warning"}
    assert found["cntk"]["detail"] == "CNTK 2.7"
    assert service.url in found["port"]["detail"]
    assert found["service: workers"]["state"] == "ok"
    assert "runs" in found["redis"]["detail"]
