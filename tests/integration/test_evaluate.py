"""Evaluation of what a job has trained: the request, what is refused, and real runs of it."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.checkpoints import verify
from jobs.errors import Conflict, InvalidInput, JobsError, NotFound
from jobs.queries.lineage import lineage
from jobs.queue import token_for
from jobs.record import Kind, Record
from jobs.states import Reason, State
from jobs.store import Store
from jobs.submission.evaluate import submit_evaluation
from jobs.submission.submit import submit
from jobs.volume import make_volume
from tests.integration.test_report import SPLITS, columns, predictions, spec
from tests.new_records import queued
from tests.trainer_runs import Workshop
from tests.valkey_server import ValkeyServer
from trainer.files import read_json, write_json
from trainer.layout import RunDirectory

TUNED = {"output": "said", "threshold": "tuned", "by": "micro_f1", "per_label": True}

CONVOLUTION = {
    "name": "maps",
    "type": "convolution",
    "filters": 4,
    "filter_shape": [3, 3],
    "input": "image",
}


class Laboratory:
    """A store over a workshop's volume, and a job that was submitted and trained."""

    def __init__(self, workshop: Workshop, redis_url: str) -> None:
        self.workshop = workshop
        self.settings = workshop.settings.model_copy(update={"redis_url": redis_url})
        self.store = Store.open(self.settings)
        make_volume(self.settings.volume, self.store)

    def trained(self, document: dict[str, Any]) -> str:
        job_id = submit(document, self.store, self.settings).id
        result = self.workshop.train(self.run(job_id))
        assert result["outcome"] == "succeeded", result
        return job_id

    def evaluate(self, job_id: str, **asked: Any) -> str:
        return submit_evaluation(job_id, asked, self.store, self.settings).id

    def evaluated(self, job_id: str, **asked: Any) -> RunDirectory:
        run = self.run(self.evaluate(job_id, **asked))
        assert self.workshop.train(run)["outcome"] == "succeeded", read_json(run.result)
        return run

    def refusal(self, job_id: str, **asked: Any) -> JobsError:
        """The error, after which everything is as it was."""
        before = self.everything()
        with pytest.raises(JobsError) as caught:
            self.evaluate(job_id, **asked)
        assert self.everything() == before
        return caught.value

    def everything(self) -> tuple[list[Path], list[Any]]:
        return sorted(self.workshop.volume.path.rglob("*")), sorted(self.store.client.keys("*"))

    def run(self, job_id: str) -> RunDirectory:
        return self.workshop.volume.job(job_id)


@pytest.fixture(scope="module")
def datasets(workshop: Workshop) -> dict[str, str]:
    """The one to train on and others to evaluate on."""
    whole = columns()
    valid = {"train": SPLITS["train"], "valid": SPLITS["valid"]}
    return {
        "own": workshop.dataset("own", whole, SPLITS),
        # The same rows, though another training split gives them other means and deviations.
        "moved": workshop.dataset("moved", whole, {"train": SPLITS["valid"], "test": SPLITS["test"]}),
        "inputs": workshop.dataset("inputs", {"x": whole["x"]}, {"train": SPLITS["test"]}),
        "partly": workshop.dataset("partly", {key: whole[key] for key in ("x", "kind")}, valid),
        "other": workshop.dataset(
            "other",
            {
                "x": whole["x"][:, :5],
                "kind": whole["kind"] // 2,
                "labels": whole["kind"],
                "numbers": whole["numbers"],
            },
            SPLITS,
        ),
    }


@pytest.fixture
def laboratory(workshop: Workshop, valkey: ValkeyServer) -> Laboratory:
    return Laboratory(workshop, valkey.url)


@pytest.fixture(scope="module")
def pristine(workshop: Workshop, datasets: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a trained job."""
    document = spec(datasets["own"], name="mixed", decisions=[TUNED], checkpoints={"keep_last": 10})
    run = workshop.job("01K9Z6V3N8Q4T0R7XW2Y5B1CDE", document)
    assert workshop.train(run)["outcome"] == "succeeded"
    return Path(shutil.copytree(run.path, tmp_path_factory.mktemp("trained") / run.path.name))


@pytest.fixture
def job(laboratory: Laboratory, pristine: Path, datasets: dict[str, str]) -> str:
    """The trained job as it came out of its training, known to a store that is otherwise empty."""
    shutil.rmtree(laboratory.workshop.volume.jobs)
    run = laboratory.run(pristine.name)
    shutil.copytree(pristine, run.path)
    record = Record(
        id=pristine.name,
        name="mixed",
        state=State.QUEUED,
        reason=Reason.SUBMITTED,
        dataset=datasets["own"],
        fingerprint=read_json(run.spec)["fingerprint"],
    )
    return queued(laboratory.store, record, token=token_for(record.id).document()).id


def test_an_evaluation_is_a_job_of_its_own_kind(
    laboratory: Laboratory, job: str, datasets: dict[str, str]
) -> None:
    made = laboratory.evaluate(job, dataset=datasets["moved"], checkpoint="best", name="elsewhere")
    record = laboratory.store.get(made)
    assert (record.kind, record.state, record.name) == (Kind.EVALUATION, State.QUEUED, "elsewhere")
    assert record.dataset == datasets["moved"]
    assert laboratory.store.live_jobs(datasets["moved"]) == [made]
    assert record.resumed_from is not None
    assert (record.resumed_from.job, record.resumed_from.mode) == (job, "evaluate")
    run = laboratory.run(made)
    assert verify(run.start) == []
    assert read_json(run.schema)["id"] == datasets["own"]
    for kind, found in ((Kind.TRAINING, [job]), (Kind.EVALUATION, [made])):
        assert [one.id for one in laboratory.store.page(kind=kind).records] == found
        queued = laboratory.store.page(kind=kind, status=State.QUEUED).records
        assert [one.id for one in queued] == found
    laboratory.store.request_cancel(made)
    assert not laboratory.store.page(kind=Kind.EVALUATION, status=State.QUEUED).records
    cancelled = laboratory.store.page(kind=Kind.EVALUATION, status=State.CANCELLED).records
    assert [one.id for one in cancelled] == [made]
    [first, second] = lineage(made, laboratory.store, laboratory.workshop.volume)
    assert (first.mode, first.checkpoint, second.job) == ("evaluate", record.resumed_from.checkpoint, job)


def test_the_last_checkpoint_gives_the_training_s_own_figures_bit_for_bit(
    laboratory: Laboratory, job: str
) -> None:
    trained = laboratory.run(job)
    run = laboratory.evaluated(job)
    result, before = read_json(run.result), read_json(trained.result)
    assert result["parameters_sha256"] == before["parameters_sha256"]
    assert result["losses"] == {"test": before["losses"]["test"]}
    assert result["metrics"] == {"test": before["metrics"]["test"]}
    assert result["thresholds"] == before["thresholds"]
    assert (result["split"], result["rows"]) == ("test", 200)
    told = [(each.artifacts / "predictions.jsonl").read_bytes() for each in (run, trained)]
    assert told[0] == told[1]
    reports = [read_json(each.artifacts / "report.json") for each in (run, trained)]
    assert reports[0]["heads"] == reports[1]["heads"]
    assert reports[0]["heads"]["said"]["thresholds"] == "tuned"


def test_constants_come_from_the_training_whatever_the_data_set_says(
    laboratory: Laboratory, job: str, datasets: dict[str, str]
) -> None:
    run = laboratory.evaluated(job, dataset=datasets["moved"])
    assert predictions(run) == predictions(laboratory.run(job))
    assert read_json(run.result)["losses"]["test"] == read_json(laboratory.run(job).result)["losses"]["test"]


def test_an_earlier_checkpoint_on_another_split(laboratory: Laboratory, job: str) -> None:
    epochs = [
        read_json(laboratory.run(job).checkpoint(samples).manifest)
        for samples in laboratory.run(job).published_checkpoints()
    ]
    run = laboratory.evaluated(job, checkpoint=epochs[2]["samples"], split="valid")
    result = read_json(run.result)
    assert result["losses"]["valid"] == epochs[2]["losses"]["valid"]
    assert result["metrics"]["valid"] == epochs[2]["metrics"]["valid"]
    assert result["checkpoint"] == f"{job}@{epochs[2]['samples']}"


def test_inputs_are_enough_for_predictions(
    laboratory: Laboratory, job: str, datasets: dict[str, str]
) -> None:
    run = laboratory.evaluated(job, dataset=datasets["inputs"])
    result, report = read_json(run.result), read_json(run.artifacts / "report.json")
    assert (result["losses"], result["metrics"]) == ({}, {})
    assert result["detail"] == "the data set lacks kind, labels, numbers: predictions only"
    assert report["missing_fields"] == ["kind", "labels", "numbers"]
    assert all("predictions only" in head["detail"] for head in report["heads"].values())
    whole = predictions(laboratory.run(job))
    for found, expected in zip(predictions(run), whole, strict=True):
        for head in ("scores", "said", "guesses"):
            assert found[head] == {key: value for key, value in expected[head].items() if key != "true"}


def test_rows_that_lack_targets_have_predictions_only(
    laboratory: Laboratory, job: str, workshop: Workshop
) -> None:
    """What the columns hold of them does not matter: here a code that is no class."""
    told = columns()
    told["kind"][SPLITS["test"]] = -1
    splits = {"train": SPLITS["train"], "unlabelled": SPLITS["test"]}
    lacks = {"unlabelled": ["kind", "labels", "numbers"]}
    dataset = workshop.dataset("partly_unlabelled", told, splits, lacks)
    run = laboratory.evaluated(job, dataset=dataset, split="unlabelled")
    report = read_json(run.artifacts / "report.json")
    assert (report["split"], report["losses"]) == ("unlabelled", {})
    assert report["missing_fields"] == ["kind", "labels", "numbers"]
    whole = predictions(laboratory.run(job))
    for found, expected in zip(predictions(run), whole, strict=True):
        assert found["scores"] == {key: value for key, value in expected["scores"].items() if key != "true"}
    blind = workshop.dataset("blind_rows", columns(), splits, {"unlabelled": ["x"]})
    error = laboratory.refusal(job, dataset=blind, split="unlabelled")
    assert isinstance(error, Conflict)
    assert error.extra["differences"][0]["pointer"] == "/fields/x"


def test_a_target_that_is_there_gets_its_figures(
    laboratory: Laboratory, job: str, datasets: dict[str, str]
) -> None:
    report = read_json(laboratory.evaluated(job, dataset=datasets["partly"]).artifacts / "report.json")
    assert report["split"] == "valid"
    assert report["heads"]["scores"]["examples"] == 100
    assert "rmse" not in report["heads"]["guesses"]
    assert report["losses"] == {}


def test_every_difference_is_named_at_once(
    laboratory: Laboratory, job: str, datasets: dict[str, str]
) -> None:
    error = laboratory.refusal(job, dataset=datasets["other"])
    assert isinstance(error, Conflict)
    assert error.extra["differences"] == [
        {"pointer": "/fields/x/shape", "here": [5], "there": [6]},
        {"pointer": "/fields/kind/shape", "here": [2], "there": [4]},
        {"pointer": "/fields/kind/classes", "here": ["0", "1"], "there": ["0", "1", "2", "3"]},
        {"pointer": "/fields/labels/kind", "here": "categorical", "there": "dense"},
    ]
    assert "/fields/labels/kind" in error.detail


@pytest.mark.parametrize(
    ("asked", "pointers"),
    [
        ({"dataset": "ds_none", "checkpoint": 7}, ["/checkpoint", "/dataset"]),
        ({"split": "all"}, ["/split"]),
        ({"checkpoint": "job_none@1"}, ["/checkpoint"]),
        ({"checkpoints": "best"}, ["/checkpoints"]),
        ({"dataset": "own", "split": "best"}, ["/split"]),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    laboratory: Laboratory, job: str, asked: dict[str, Any], pointers: list[str]
) -> None:
    error = laboratory.refusal(job, **asked)
    assert isinstance(error, InvalidInput)
    assert [fault.pointer for fault in error.faults] == pointers


def test_a_split_that_is_not_there(laboratory: Laboratory, job: str, datasets: dict[str, str]) -> None:
    error = laboratory.refusal(job, dataset=datasets["moved"], split="valid")
    assert isinstance(error, InvalidInput)
    assert [fault.pointer for fault in error.faults] == ["/split"]
    assert "it has: train, test" in error.detail


def test_an_input_that_is_not_there(laboratory: Laboratory, job: str, workshop: Workshop) -> None:
    blind = workshop.dataset("blind", {"kind": columns()["kind"]}, SPLITS)
    error = laboratory.refusal(job, dataset=blind)
    assert isinstance(error, Conflict)
    [difference] = error.extra["differences"]
    assert (difference["pointer"], difference["here"]) == ("/fields/x", None)


def test_only_what_trains_can_be_evaluated(laboratory: Laboratory, job: str) -> None:
    assert isinstance(laboratory.refusal("job_none"), NotFound)
    made = laboratory.evaluate(job)
    error = laboratory.refusal(made)
    assert isinstance(error, Conflict)
    assert f"it evaluates {job}" in error.detail


def test_a_broken_checkpoint(laboratory: Laboratory, job: str) -> None:
    run = laboratory.run(job)
    newest = run.published_checkpoints()[-1]
    shutil.copy(run.checkpoint(newest).loop, run.checkpoint(newest).model)
    error = laboratory.refusal(job)
    assert isinstance(error, Conflict)
    assert f"{newest}/model.dnn" in error.detail


def test_a_job_that_failed_is_evaluated_at_a_checkpoint(laboratory: Laboratory, job: str) -> None:
    """It has no finished model to take tuned thresholds from: 0.5, and the report says so."""
    run = laboratory.run(job)
    record = laboratory.store.claim(job, worker="w", lease_seconds=60)
    assert record is not None
    laboratory.store.transition(record, State.FAILED, Reason.DIVERGED)
    write_json(run.result, {"outcome": "failed", "reason": "diverged", "detail": "", "thresholds": {}})
    report = read_json(laboratory.evaluated(job).artifacts / "report.json")
    assert report["heads"]["said"]["thresholds"] == "default"
    assert {entry["threshold"] for entry in report["heads"]["said"]["labels"]} == {0.5}


@pytest.fixture(scope="module")
def many(workshop: Workshop) -> str:
    """Rows enough that an evaluation can be caught in the middle of it."""
    whole = {key: np.tile(values, (60,) + (1,) * (values.ndim - 1)) for key, values in columns().items()}
    return workshop.dataset("many", whole, {"train": SPLITS["train"], "test": np.arange(42_000)})


@pytest.mark.parametrize(("with_signal", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 75)])
def test_an_evaluation_that_was_interrupted_comes_to_the_same_end(
    laboratory: Laboratory, job: str, many: str, with_signal: signal.Signals, status: int
) -> None:
    whole, torn = (laboratory.run(laboratory.evaluate(job, dataset=many)) for _ in range(2))
    laboratory.workshop.train(whole)
    assert laboratory.workshop.interrupt(torn, 1, with_signal, after="first_minibatch") == status
    assert not torn.result.exists()
    assert not (torn.artifacts / "predictions.jsonl").exists()
    laboratory.workshop.train(torn, attempt=2)
    results = [read_json(run.result) for run in (whole, torn)]
    for key in ("losses", "metrics", "thresholds", "rows"):
        assert results[0][key] == results[1][key]
    told = [(run.artifacts / "predictions.jsonl").read_bytes() for run in (whole, torn)]
    assert told[0] == told[1]
    assert sorted(path.name for path in torn.artifacts.iterdir()) == ["predictions.jsonl", "report.json"]


def test_a_convolution_is_evaluated_before_any_training(laboratory: Laboratory, workshop: Workshop) -> None:
    random = np.random.default_rng(1)
    kind = random.integers(0, 3, 60)
    image = random.normal(size=(60, 1, 8, 8)) + kind[:, None, None, None]
    dataset = workshop.dataset(
        "images", {"image": image, "kind": kind}, {"train": np.arange(40), "test": np.arange(40, 60)}
    )
    job = laboratory.trained(
        {
            "dataset": dataset,
            "inputs": {"image": {"field": "image"}},
            "network": [
                {
                    "name": "maps",
                    "type": "convolution",
                    "filters": 4,
                    "filter_shape": [3, 3],
                    "input": "image",
                },
                {"name": "even", "type": "batch_normalization", "input": "maps"},
                {"name": "scores", "type": "dense", "units": 3, "input": "even"},
            ],
            "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "kind"}],
            "learner": {"type": "adam"},
            "training": {"epochs": 2, "minibatch_size": 16, "seed": 1, "threads": 1},
        }
    )
    result = read_json(laboratory.evaluated(job).result)
    assert result["losses"]["test"] == read_json(laboratory.run(job).result)["losses"]["test"]
