"""The kernels that set-up compiles beside CNTK's: they are used, and no bit is another."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer_runs import Sequences, Workshop, facts, losses
from worker.launch import ROOT, program_environment

SCRIPT = ROOT / "scripts" / "environments" / "in_trainer" / "kernels_test.py"


@pytest.fixture
def library(environment: dict[str, Any]) -> Path:
    if not environment["kernels"]["sha256"]:
        pytest.skip("set-up found no C compiler")
    return next(
        path
        for folder in environment["library_path"]
        if (path := Path(folder) / "libcntk_kernels.so").exists()
    )


def python(environment: dict[str, Any], threads: int, *words: str | Path, **variables: str) -> str:
    return subprocess.run(
        [environment["python"], "-W", "ignore", *words],
        env={"PATH": os.defpath, **program_environment(environment, threads), **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout


@pytest.mark.parametrize("threads", [1, 2])
def test_the_bits_are_those_of_cntk_alone(environment: dict[str, Any], library: Path, threads: int) -> None:
    alone, faster = (
        json.loads(python(environment, threads, SCRIPT, str(threads), *libraries).splitlines()[-1])
        for libraries in ([], [library])
    )
    assert len(set(alone.values())) == len(alone)
    assert faster == alone


@pytest.mark.parametrize(("switch", "used"), [({}, "True"), ({"CNTK_JOBS_KERNELS": "False"}, "False")])
def test_trainers_use_them_unless_told_not_to(
    environment: dict[str, Any], library: Path, switch: dict[str, str], used: str
) -> None:
    code = "from trainer.engine import C, KERNELS; print('kernels', C is not None and KERNELS)"
    assert f"kernels {used}" in python(environment, 1, "-c", code, **switch).splitlines()


def test_a_recurrent_job_goes_on_without_them_where_it_was_left_with_them(
    environment: dict[str, Any], library: Path, tmp_path: Path
) -> None:
    workshop = Workshop(tmp_path, environment)
    random = np.random.default_rng(4)
    lengths = random.integers(2, 12, 48)
    columns = {
        "x": Sequences(random.normal(size=(lengths.sum(), 7)).astype(np.float32), lengths),
        "kind": np.arange(48) % 3,
    }
    layers = [
        {"name": "forth", "type": "lstm", "units": 20, "input": "x"},
        {"name": "back", "type": "gru", "units": 11, "input": "x", "reverse": True},
        {"name": "both", "type": "splice", "inputs": ["forth", "back"]},
        {"name": "kept", "type": "dropout", "rate": 0.3, "input": "both"},
        {"name": "run", "type": "lstm", "units": 12, "input": "kept"},
        {"name": "end", "type": "last", "input": "run"},
        {"name": "scores", "type": "dense", "units": 3, "input": "end"},
    ]
    spec = {
        "name": "recurrent",
        "dataset": workshop.dataset("runs", columns, {"train": np.arange(40), "valid": np.arange(40, 48)}),
        "inputs": {"x": {"field": "x"}},
        "network": layers,
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "kind"}],
        "metrics": [{"type": "classification_error", "output": "scores", "target": "kind"}],
        "learner": {"type": "adam", "alpha": 0.01},
        "training": {"epochs": 4, "minibatch_size": 8, "seed": 2},
        "checkpoints": {"every_minibatches": 7, "keep_last": 9},
    }
    whole = workshop.job("with", spec)
    result = workshop.train(whole)
    for name, start in (("without", None), ("continued", whole)):
        workshop.variables = {"CNTK_JOBS_KERNELS": "False"}
        run = workshop.job(name, spec, start=start, samples=start and 7 * 8)
        found = workshop.train(run)
        assert found["parameters_sha256"] == result["parameters_sha256"]
        assert found["metrics"] == result["metrics"]
        assert np.array_equal(losses(run)[7:], losses(whole)[7:])


def convolution(name: str, source: str, filters: int, **more: Any) -> dict[str, Any]:
    shape = {"filters": filters, "filter_shape": [3, 3]}
    return {"name": name, "type": "convolution", "input": source, **shape, **more}


def test_a_job_of_pictures_goes_on_without_them_as_it_began(workshop: Workshop) -> None:
    pictures = np.random.default_rng(5).normal(size=(72, 1, 16, 16)).astype(np.float32)
    document = {
        "dataset": workshop.dataset("pictures", {"picture": pictures}, {"train": np.arange(72)}),
        "inputs": {"picture": {"field": "picture"}},
        "network": [
            convolution("wide", "picture", 16, activation="none", bias=False),
            {"name": "even", "type": "batch_normalization", "input": "wide"},
            {"name": "seen", "type": "activation", "function": "relu", "input": "even"},
            {"name": "half", "type": "max_pooling", "window": [2, 2], "input": "seen"},
            convolution("inner", "half", 32, activation="relu"),
            convolution("back", "inner", 16, activation="relu"),
            {"name": "whole", "type": "max_unpooling", "window": [2, 2], "inputs": ["back", "seen"]},
            convolution("rebuilt", "whole", 1, activation="none"),
        ],
        "objective": [{"type": "squared_error", "output": "rebuilt", "target": "picture"}],
        "learner": {"type": "adam", "alpha": 0.01},
        "training": {"epochs": 4, "minibatch_size": 16, "seed": 3},
        "checkpoints": {"every_epochs": 2, "keep_last": 9},
    }
    alone = {"CNTK_JOBS_KERNELS": "False"}
    whole = workshop.job("with_kernels", document)
    reference = workshop.train(whole)
    for name, start, variables in (
        ("alone", None, alone),
        ("on_alone", whole, alone),
        ("on_with_kernels", whole, {}),
    ):
        run = workshop.job(name, document, start=start, samples=144 if start else None)
        result = workshop.train(run, **variables)
        runtime = next(fact for fact in facts(run) if fact["type"] == "started")["runtime"]
        assert runtime["kernels"] is (not variables and bool(workshop.environment["kernels"]["sha256"]))
        assert result["parameters_sha256"] == reference["parameters_sha256"], name
        assert np.array_equal(losses(run)[10:], losses(whole)[10:]), name


def test_parts_of_objects_are_found_where_the_cxx_library_finds_them(
    environment: dict[str, Any], library: Path
) -> None:
    script = ROOT / "tests" / "in_trainer" / "casts.py"
    answers = json.loads(python(environment, 1, script, library).splitlines()[-1])
    assert all(first == again == theirs for theirs, first, again in answers)
    assert {theirs for theirs, _, _ in answers} == {None, 0}
