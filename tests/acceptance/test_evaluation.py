"""What is left after a training, and running it on other data, over HTTP and on real CNTK."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client import Client, JobsApiError
from client.command import OK, main
from client.documents import Dataset, Job
from tests.acceptance.conftest import example
from tests.running_service import RunningService, until

Predictions = list[dict[str, Any]]


@pytest.fixture(scope="module")
def trained(client: Client, digits: Dataset) -> Job:
    spec = example("digits_joint.json") | {"dataset": digits["id"], "name": "to be evaluated"}
    spec["training"] |= {"epochs": 6}
    return ended(client, client.jobs.submit(spec))


@pytest.fixture(scope="module")
def others(client: Client, digits_file: Path) -> Dataset:
    """The same digits, otherwise split."""
    options = example("options/digits.json") | {"name": "others"}
    options["splits"] = {"fractions": {"test": 0.4}, "seed": 5}
    return client.datasets.add(digits_file, **options)


def ended(client: Client, job: Job) -> Job:
    found = client.jobs.wait(job["id"], timeout=300)
    assert found["status"] == "succeeded", (found["reason"], found["detail"])
    return found


def predictions(client: Client, job: Job) -> Predictions:
    return [json.loads(line) for line in client.jobs.artifact(job["id"], "predictions.jsonl").splitlines()]


def report(client: Client, job: Job) -> dict[str, Any]:
    return dict(json.loads(client.jobs.artifact(job["id"], "report.json")))


def right(told: Predictions) -> float:
    return float(np.mean([row["scores"]["predicted"] == row["scores"]["true"] for row in told]))


def test_a_training_leaves_predictions_a_report_and_curves(
    client: Client, trained: Job, digits: Dataset
) -> None:
    assert trained["kind"] == "training"
    left = {entry["path"] for entry in client.items(f"/v1/jobs/{trained['id']}/artifacts")}
    [told] = {path for path in left if path.startswith("tensorboard/")}
    assert left - {told} == {
        *("predictions.jsonl", "report.json", "curves.png", "confusion.png"),
        *("model.dnn", "model.json", "preprocessing.json"),
    }
    told, found = predictions(client, trained), report(client, trained)
    # There is no test split here.
    assert (found["split"], found["rows"]) == ("valid", digits["splits"]["valid"]["rows"])
    assert len(told) == found["rows"]
    assert found["losses"] == trained["losses"]["valid"]
    assert found["heads"]["scores"]["accuracy"] == right(told)
    assert 1 - right(told) == pytest.approx(trained["metrics"]["valid"]["classification_error"], abs=1e-9)
    assert client.jobs.artifact(trained["id"], "curves.png").startswith(b"\x89PNG")


def test_the_same_rows_give_the_same_bits(client: Client, trained: Job) -> None:
    again = ended(client, client.jobs.evaluate(trained["id"]))
    assert again["kind"] == "evaluation"
    # The same data set may have been uploaded before, under another name.
    assert again["name"] == "to be evaluated on " + client.datasets.get(again["dataset"])["name"]
    assert again["losses"] == {"valid": trained["losses"]["valid"]}
    assert again["metrics"] == {"valid": trained["metrics"]["valid"]}
    assert predictions(client, again) == predictions(client, trained)
    assert report(client, again)["heads"] == report(client, trained)["heads"]


def test_the_best_checkpoint_on_another_data_set(client: Client, trained: Job, others: Dataset) -> None:
    best = next(one for one in client.jobs.checkpoints(trained["id"]) if one["best"])
    asked = {"dataset": others["id"], "checkpoint": "best", "name": "elsewhere"}
    job = ended(client, client.jobs.evaluate(trained["id"], **asked))
    assert job["resumed_from"] is not None
    assert job["resumed_from"]["checkpoint"] == best["id"]
    assert job["dataset"] == others["id"]
    told, found = predictions(client, job), report(client, job)
    assert (found["split"], found["checkpoint"]) == ("test", best["id"])
    assert len(told) == others["splits"]["test"]["rows"]
    assert right(told) == found["heads"]["scores"]["accuracy"] > 0.8
    assert job["metrics"]["test"]["classification_error"] == pytest.approx(1 - right(told), abs=1e-9)
    # Rows that both have are told alike, whatever the split and the minibatch they come in.
    last = ended(client, client.jobs.evaluate(trained["id"], dataset=others["id"], split="test"))
    before = {row["row"]: row["scores"]["predicted"] for row in predictions(client, trained)}
    shared = {row["row"]: row["scores"]["predicted"] for row in predictions(client, last)}
    assert before.keys() & shared.keys()
    assert all(before[row] == shared[row] for row in before.keys() & shared.keys())
    kinds = {kind: client.jobs.list(kind=kind) for kind in ("training", "evaluation")}
    assert job["id"] in {one["id"] for one in kinds["evaluation"]}
    assert trained["id"] in {one["id"] for one in kinds["training"]}
    assert {one["kind"] for one in kinds["evaluation"]} == {"evaluation"}
    lineage = client.jobs.lineage(job["id"])
    assert [one["job"] for one in lineage] == [job["id"], trained["id"]]
    assert {change["pointer"] for change in lineage[0]["changed"] or ()} == {"/dataset", "/evaluation"}


def test_an_evaluation_survives_kill_9(
    service: RunningService, client: Client, trained: Job, digits_file: Path, tmp_path: Path
) -> None:
    """Digits by the ten thousand, so that the worker can be killed in the middle of them."""
    content = np.load(digits_file)
    many = tmp_path / "many.npz"
    np.savez(many, **{name: np.concatenate([content[name]] * 30) for name in content.files})
    dataset = client.datasets.add(many, **example("options/digits.json") | {"splits": {}, "name": "many"})
    whole = ended(client, client.jobs.evaluate(trained["id"], dataset=dataset["id"]))
    torn = client.jobs.evaluate(trained["id"], dataset=dataset["id"])
    until(lambda: client.jobs.get(torn["id"])["progress"].get("samples"), "the first predictions")
    service.kill("worker-1")
    again = ended(client, torn)
    assert again["attempt"] == 2
    assert (again["losses"], again["metrics"]) == (whole["losses"], whole["metrics"])
    told = [client.jobs.artifact(job["id"], "predictions.jsonl") for job in (whole, again)]
    assert told[0] == told[1]
    assert len(io.BytesIO(told[0]).readlines()) == 30 * 1797


def test_a_data_set_that_does_not_fit(client: Client, trained: Job, tmp_path: Path) -> None:
    path = tmp_path / "small.npz"
    np.savez(path, pixels=np.zeros((4, 9), np.float32), digit=np.array([0, 1, 2, 1]))
    small = client.datasets.add(path, name="small")
    with pytest.raises(JobsApiError) as caught:
        client.jobs.evaluate(trained["id"], dataset=small["id"])
    assert caught.value.status == 409
    assert [found["pointer"] for found in caught.value.extra["differences"]] == [
        "/fields/pixels/shape",
        "/fields/digit/shape",
        "/fields/digit/classes",
    ]


def test_the_command(
    service: RunningService, trained: Job, others: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", trained["id"], "--dataset", "others", "--checkpoint", "best", "--split", "train"]
    assert main(["--url", service.url, *words, "--name", "by hand", "--wait", "--json"]) == OK
    job = json.loads(capsys.readouterr().out)
    assert (job["kind"], job["name"], job["status"]) == ("evaluation", "by hand", "succeeded")
    assert main(["--url", service.url, "list", "--kind", "evaluation", "--json"]) == OK
    assert job["id"] in {one["id"] for one in json.loads(capsys.readouterr().out)}
