"""Sweeps through the service: real trainings, compared, pruned and ended; through kills as well."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from client import Client, JobsApiError
from tests.running_service import RunningService, until

ROWS = 400


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    service = RunningService(tmp_path_factory.mktemp("sweeps"), CNTK_JOBS_WORKERS="2").wait_ready()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def spec(service: RunningService) -> dict[str, Any]:
    """Two classes on either side of a line."""
    random = np.random.default_rng(3)
    x = random.normal(size=(ROWS, 6)).astype(np.float32)
    np.savez(service.home / "sides.npz", x=x, y=(x[:, 0] + x[:, 1] > 0).astype(np.int64))
    with service.client() as client:
        splits = {"fractions": {"valid": 0.25}, "seed": 1}
        dataset = client.datasets.add(service.home / "sides.npz", splits=splits)["id"]
    return {
        "name": "sides",
        "dataset": dataset,
        "inputs": {"x": "x"},
        "network": [
            {"name": "hidden", "type": "dense", "units": 4, "activation": "tanh", "input": "x"},
            {"name": "scores", "type": "dense", "units": 2, "input": "hidden"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "y"}],
        "metrics": [{"type": "classification_error", "output": "scores", "target": "y"}],
        "learner": {"type": "sgd", "learning_rate": 0.1},
        "training": {"epochs": 2, "minibatch_size": 50},
    }


RATES = {"type": "float", "low": 0.0001, "high": 1.0, "log": True}


def ended(client: Client, sweep_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = client.sweeps.get(sweep_id)
        return None if found["status"] == "running" else found

    return until(look, "the sweep to end", 240)


def test_a_grid_is_tried_and_the_best_kept(service: RunningService, spec: dict[str, Any]) -> None:
    rates, units = [0.0001, 0.5], [2, 8]
    space = {
        "/learner/learning_rate": {"type": "choice", "values": rates},
        "/network/0/units": {"type": "choice", "values": units},
    }
    with service.client() as client:
        asked = {"spec": spec, "space": space, "sampler": {"type": "grid"}, "concurrency": 2}
        posted = client.sweeps.create(asked)
        assert posted["status"] == "running"
        sweep = ended(client, posted["id"])
        assert (sweep["status"], sweep["reason"]) == ("completed", "trials")
        assert sweep["trials"] == {"going_on": 0, "succeeded": 4, "pruned": 0, "failed": 0}
        trials = list(client.sweeps.trials(posted["id"]))
        assert [tuple(trial["parameters"].values()) for trial in trials] == list(
            itertools.product(rates, units)
        )
        for trial in trials:
            job = client.jobs.get(trial["job"])
            assert (job["sweep"], job["name"]) == (posted["id"], f"sides #{trial['trial']}")
            rate = job["spec"]["learner"]["learning_rate"]["rate"]
            assert rate == trial["parameters"]["/learner/learning_rate"]
            assert job["spec"]["network"][0]["units"] == trial["parameters"]["/network/0/units"]
            assert trial["value"] == job["metrics"]["valid"]["classification_error"]
        best = min(trials, key=lambda trial: trial["value"])
        assert sweep["best"] == best
        assert sweep["goal"] == {"metric": "classification_error", "split": "valid", "better": "lower"}
        assert best["parameters"]["/learner/learning_rate"] == 0.5
        assert [found["pinned"] for found in client.jobs.checkpoints(best["job"])][-1:] == [True]


@pytest.mark.parametrize(
    ("pruner", "rates"),
    [
        ({"type": "median", "startup_trials": 1}, [0.05, 1e-7, 1e-6]),
        ({"type": "hyperband", "min_epochs": 4}, [0.05, 1e-7, 1e-6, 1e-8, 1e-9]),
    ],
    ids=["median", "hyperband"],
)
def test_what_does_worse_is_pruned_and_its_work_saved(
    service: RunningService, spec: dict[str, Any], pruner: dict[str, Any], rates: list[float]
) -> None:
    training = {"epochs": 400, "minibatch_size": 10}
    asked = {
        "spec": spec | {"training": training, "checkpoints": {"every_epochs": None}},
        "space": {"/learner/learning_rate": {"type": "choice", "values": rates}},
        "sampler": {"type": "grid"},
        "pruner": pruner,
        "goal": {"metric": "classification_error"},
    }
    with service.client() as client:
        sweep = ended(client, client.sweeps.create(asked)["id"])
        assert sweep["trials"]["succeeded"] >= 1
        assert sweep["trials"]["pruned"] >= 1
        assert sweep["best"]["trial"] == 0
        trials = list(client.sweeps.trials(sweep["id"]))
        jobs = {trial["trial"]: client.jobs.get(trial["job"]) for trial in trials}
        pruned = [jobs[trial["trial"]] for trial in trials if trial["status"] == "pruned"]
        assert {(job["status"], job["reason"]) for job in pruned} == {("cancelled", "pruned")}
        # Without a pruner each would have been trained for all epochs.
        trained = sum(job["progress"]["epoch"] for job in jobs.values())
        assert trained < training["epochs"] * len(rates)
        assert all(job["progress"]["epoch"] < training["epochs"] for job in pruned)


def test_the_same_seed_makes_the_same_trials_whatever_is_killed(
    service: RunningService, spec: dict[str, Any]
) -> None:
    asked = {
        "spec": spec,
        "space": {"/learner/learning_rate": RATES},
        "sampler": {"type": "tpe", "seed": 5, "startup_trials": 2},
        "trials": 5,
    }

    def values(client: Client, sweep_id: str) -> list[Any]:
        trials = client.sweeps.trials(sweep_id)
        return [(trial["parameters"], trial["value"], trial["status"]) for trial in trials]

    with service.client() as client:
        undisturbed = ended(client, client.sweeps.create(asked)["id"])
        assert undisturbed["trials"]["succeeded"] == 5
        disturbed = client.sweeps.create(asked)["id"]
        before = 0
        for victim in ("api", "server", "api"):
            service.kill(victim)
            before = until(partial(_grown, service, disturbed, before), "another trial")
    with service.client() as client:
        sweep = ended(client, disturbed)
        assert sweep["trials"] == undisturbed["trials"]
        assert values(client, disturbed) == values(client, undisturbed["id"])


def _grown(service: RunningService, sweep_id: str, before: int) -> int | None:
    """How many trials there are, once there are more, or the sweep has ended."""
    try:
        with service.client() as client:
            found = client.sweeps.get(sweep_id)
    except JobsApiError:
        return None
    trials = sum(found["trials"].values())
    return trials if trials > before or found["status"] != "running" else None


def test_a_cancelled_sweep_ends_its_trials(service: RunningService, spec: dict[str, Any]) -> None:
    long = spec | {"training": {"epochs": 100_000, "minibatch_size": 10}}
    asked = {"spec": long, "space": {"/learner/learning_rate": RATES}, "trials": 50, "concurrency": 3}
    with service.client() as client:
        sweep_id = client.sweeps.create(asked)["id"]
        until(lambda: client.sweeps.get(sweep_id)["trials"]["going_on"] == 3 or None, "three trials")
        for _ in range(2):
            assert client.sweeps.cancel(sweep_id)["status"] == "cancelled"
        until(lambda: client.sweeps.get(sweep_id)["trials"]["going_on"] == 0 or None, "their end")
        assert {client.jobs.get(trial["job"])["status"] for trial in client.sweeps.trials(sweep_id)} == {
            "cancelled"
        }


def test_every_fault_is_told_at_once(service: RunningService, spec: dict[str, Any]) -> None:
    space = {
        "/learner/learning_rates": {"type": "float", "low": 0.1, "high": 1.0},
        "/network/0/unit": {"type": "choice", "values": [4]},
        "/network/7/units": {"type": "choice", "values": [4]},
        "/nework/0/units": {"type": "choice", "values": [4]},
    }
    with service.client() as client:
        with pytest.raises(JobsApiError) as refused:
            client.sweeps.create({"spec": spec, "space": space})
        pointers = [fault["pointer"] for fault in refused.value.errors]
        assert pointers == ["/space/~1network~17~1units", "/space/~1nework~10~1units", "/trials"]
        assert "network" in refused.value.errors[1]["detail"]
        edges = {"/network/0/units": {"type": "int", "low": -1, "high": 4}, "/learner/learning_rate": RATES}
        with pytest.raises(JobsApiError) as refused:
            client.sweeps.create({"spec": spec, "space": edges, "trials": 3, "goal": {"metric": "eror"}})
        pointers = [fault["pointer"] for fault in refused.value.errors]
        assert sorted(pointers) == ["/goal/metric", "/spec/network/0/units"]
        told = {fault["pointer"]: fault["detail"] for fault in refused.value.errors}
        assert "(with /network/0/units = -1" in told["/spec/network/0/units"]
        assert "classification_error" in told["/goal/metric"]
