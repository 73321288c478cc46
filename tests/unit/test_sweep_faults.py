"""What is wrong with a sweep is told at once: its own faults, those of its space and those of its spec."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jobs.errors import InvalidInput, JobsError, NotFound
from jobs.sweeps.registry import create, ids_of
from tests.trainer_runs import Workshop

Document = dict[str, Any]
SWEEP: Document = {
    "spec": {
        "dataset": "ds_points",
        "inputs": {"x": "x"},
        "network": [{"name": "scores", "type": "dense", "units": 2, "input": "x"}],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "kind"}],
        "learner": {"type": "adam", "alpha": 0.01},
        "training": {"epochs": 2},
    },
    "space": {"/learner/alpha": {"type": "float", "low": 0.001, "high": 0.1}},
    "trials": 3,
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    columns = {"x": np.random.default_rng(1).random((20, 4)), "kind": np.arange(20) % 2}
    workshop.dataset("points", columns, {"train": np.arange(20)})
    return workshop


def refused(shop: Workshop, change: Callable[[Document], object]) -> JobsError:
    document = copy.deepcopy(SWEEP)
    change(document)
    with pytest.raises(JobsError) as caught:
        create(document, shop.settings)
    assert ids_of(shop.volume) == []
    return caught.value


def test_a_sampler_and_the_spec_are_wrong(shop: Workshop) -> None:
    def change(sweep: Document) -> None:
        sweep["sampler"] = {"type": "tp"}
        sweep["spec"]["learner"] = {"type": "adm"}
        sweep["spec"]["network"][0]["units"] = "2"

    found = refused(shop, change)
    assert isinstance(found, InvalidInput)
    pointers = [fault.pointer for fault in found.faults]
    assert pointers == ["/sampler/type", "/spec/network/0/units", "/spec/learner/type"]


def test_what_is_varied_may_be_missing_from_the_spec(shop: Workshop) -> None:
    def change(sweep: Document) -> None:
        sweep["patience"] = 0
        sweep["space"] = {"/network/0/units": {"type": "int", "low": 2, "high": 4}}
        del sweep["spec"]["network"][0]["units"]

    assert [fault.pointer for fault in refused(shop, change).faults] == ["/patience"]


def test_a_range_is_told_in_its_own_words(shop: Workshop) -> None:
    found = refused(shop, lambda sweep: sweep["space"]["/learner/alpha"].update(low=1.0))
    told = [(fault.pointer, fault.detail) for fault in found.faults]
    assert told == [("/space/~1learner~1alpha", "low is 1, more than high, 0.1")]


def test_no_such_data_set(shop: Workshop) -> None:
    found = refused(shop, lambda sweep: sweep["spec"].update(dataset="ds_none"))
    assert isinstance(found, NotFound)
    assert [(fault.pointer, fault.code) for fault in found.faults] == [("/spec/dataset", "unknown_dataset")]
    both = {"dataset": "ds_none", "training": {"epochs": 0}}
    found = refused(shop, lambda sweep: sweep["spec"].update(both))
    assert isinstance(found, InvalidInput)
    assert {fault.pointer for fault in found.faults} == {"/spec/dataset", "/spec/training/epochs"}
