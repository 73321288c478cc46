"""What is chosen for a processor, and that a job keeps it. The canary really trains."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from trainer import machine
from trainer.files import write_json
from trainer.layout import RunDirectory
from worker import canary
from worker.fork_servers import Program
from worker.launch import program_environment

AMD = {"vendor": "AuthenticAMD", "model": "AMD EPYC 9R14", "avx2": True, "avx512": True}
INTEL = {"vendor": "GenuineIntel", "model": "Intel(R) Xeon(R) Processor", "avx2": True, "avx512": True}
DENSE: dict[str, Any] = {"network": [{"type": "dense"}], "training": {"threads": 1}}
CONVOLUTIONAL: dict[str, Any] = {
    "network": [{"type": "convolution"}, {"type": "lstm"}, {"type": "dense"}],
    "training": {"threads": 1},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A job's, on a machine of which nothing is known yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(machine.VARIABLE, raising=False)
    (tmp_path / "job").mkdir()
    return RunDirectory(tmp_path / "job")


def on(monkeypatch: pytest.MonkeyPatch, processor: dict[str, Any], **verdicts: bool) -> None:
    monkeypatch.setattr(machine, "processor", lambda: processor)
    write_json(machine.verdicts_file(processor, 1, "2.7"), verdicts)


def chosen(folder: RunDirectory, spec: dict[str, Any] = DENSE) -> str | None:
    found = machine.settle(folder, spec, "2.7")["mkl_cpu_type"]
    assert os.environ.get(machine.VARIABLE) == found
    return found


def test_a_processor_is_told_by_what_the_system_says(tmp_path: Path) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9R14\nflags\t\t: fpu avx2 avx512f\n\n")
    assert machine.processor(told) == AMD


def test_nothing_is_chosen_before_the_canary_has_come_back(
    folder: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "processor", lambda: AMD)
    assert chosen(folder) is None


@pytest.mark.parametrize(
    ("processor", "verdicts", "spec", "expected"),
    [
        (AMD, {"dense": True}, DENSE, "7"),
        (AMD, {"dense": False}, DENSE, None),
        (AMD, {"convolution": True, "recurrence": True}, CONVOLUTIONAL, "7"),
        (AMD, {"dense": True, "convolution": False, "recurrence": True}, CONVOLUTIONAL, None),
        (AMD, {"convolution": True}, CONVOLUTIONAL, None),
        (INTEL, {"dense": True}, DENSE, None),
        (dict(AMD, avx512=False), {"dense": True}, DENSE, None),
    ],
)
def test_the_code_is_chosen_by_processor_and_kinds_of_layers(
    folder: RunDirectory,
    monkeypatch: pytest.MonkeyPatch,
    processor: dict[str, Any],
    verdicts: dict[str, bool],
    spec: dict[str, Any],
    expected: str | None,
) -> None:
    on(monkeypatch, processor, **verdicts)
    assert chosen(folder, spec) == expected
    kept = json.loads(folder.machine.read_text())
    assert kept["cpu"] == processor["model"]
    assert kept["mkl_cpu_type"] == expected


@pytest.mark.parametrize(
    ("code", "processor", "kept", "taken"),
    [
        ("library", AMD, None, None),
        ("avx2", INTEL, "5", "5"),
        ("avx512", AMD, "7", "7"),
        ("avx512", dict(INTEL, avx512=False), "7", None),
        ("avx2", dict(INTEL, avx2=False), "5", None),
    ],
)
def test_a_spec_may_say_which_code_is_to_run(
    folder: RunDirectory,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    processor: dict[str, Any],
    kept: str | None,
    taken: str | None,
) -> None:
    # Whatever the canary said.
    on(monkeypatch, processor, dense=code == "library")
    spec = dict(DENSE, training={"threads": 1, "mkl_code": code})
    assert chosen(folder, spec) == taken
    assert json.loads(folder.machine.read_text())["mkl_cpu_type"] == kept


def test_what_was_chosen_is_kept_with_what_it_was_chosen_for(
    folder: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, INTEL)
    monkeypatch.setenv("KMP_BLOCKTIME", "3")
    assert machine.settle(folder, DENSE, "2.7") == {
        "cpu": INTEL["model"],
        "mkl_cpu_type": None,
        "blocktime_ms": 3,
    }
    assert json.loads(folder.machine.read_text()) == {
        "cpu": INTEL["model"],
        "cores": len(os.sched_getaffinity(0)),
        "threads": 1,
        "mkl_cpu_type": None,
        "blocktime_ms": 3,
    }


def test_a_job_keeps_what_its_first_attempt_chose(
    folder: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, INTEL)
    assert chosen(folder) is None
    on(monkeypatch, AMD, dense=True)
    assert chosen(folder) is None


def test_where_it_cannot_be_had_the_choice_stays_for_other_machines(
    folder: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, AMD, dense=True)
    assert chosen(folder) == "7"
    on(monkeypatch, INTEL)
    assert chosen(folder) is None
    on(monkeypatch, AMD, dense=True)
    assert chosen(folder) == "7"


def test_what_continues_a_job_does_as_that_did(folder: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, AMD, dense=True)
    folder.start.path.mkdir()
    write_json(folder.start.manifest, {"runtime": {"cntk": "2.7"}})
    assert chosen(folder) is None
    folder.machine.unlink()
    write_json(folder.start.manifest, {"runtime": {"mkl_cpu_type": "7"}})
    assert chosen(folder) == "7"


def test_the_canary_tries_every_kind_once_a_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen_environment: dict[str, Any]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    environment = {
        "PATH": os.defpath,
        "XDG_CACHE_HOME": str(tmp_path),
        **program_environment(chosen_environment, 1),
    }
    command = [chosen_environment["python"], "-m", "trainer.canary", "--threads", "1", "2", "--always"]
    known, path = (machine.verdicts_file(machine.processor(), threads, "2.7") for threads in (1, 2))
    write_json(known, {})
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)
    assert json.loads(known.read_text()) == {}
    verdicts = json.loads(path.read_text())
    assert set(verdicts) == {"dense", "convolution", "recurrence"}
    assert verdicts["dense"] is True


def test_the_worker_sends_the_canary_for_each_number_of_threads_where_there_is_a_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" > {said}\n')
    python.chmod(0o755)
    program = Program(str(python), {"PATH": os.defpath})
    monkeypatch.setattr(machine, "processor", lambda: INTEL)
    assert canary.send(program, [1, 2]) is None
    monkeypatch.setattr(machine, "processor", lambda: AMD)
    sent = canary.send(program, [1, 2])
    assert sent is not None
    assert sent.wait(timeout=60) == 0
    assert said.read_text() == "-m trainer.canary --threads 1 2\n"
