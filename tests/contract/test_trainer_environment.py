"""What set-up promises of the trainer's environment, on every interpreter that the machine has."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jobs.settings import Settings

ROOT = Path(__file__).parents[2]
FIRST = Settings().trainer_env
SECOND = ROOT / ".venv-trainer-second"
RUNS_ON_3_6 = [*ROOT.glob("trainer/**/*.py"), *ROOT.glob("scripts/environments/in_trainer/*.py")]


def description(environment: Path) -> dict[str, Any]:
    if not (environment / "trainer.json").exists():
        pytest.skip(f"this machine has one interpreter for CNTK: there is no {environment.name}")
    return dict(json.loads((environment / "trainer.json").read_text()))


def in_trainer(found: dict[str, Any], code: str) -> subprocess.CompletedProcess[str]:
    inherited = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": os.pathsep.join(found["library_path"])}
    return subprocess.run(
        [found["python"], "-W", "ignore", "-c", code],
        env={**inherited, "PYTHONPATH": os.pathsep.join(found["python_path"])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("environment", [FIRST, SECOND], ids=["first", "second"])
def test_the_self_test_trained(environment: Path) -> None:
    found = description(environment)
    tested = found["self_test"]
    assert tested["steps"] == len(tested["losses"]) == 5
    assert tested["losses"] == sorted(tested["losses"], reverse=True)
    assert len(bytes.fromhex(tested["parameters_sha256"])) == 32
    assert found["cntk_version"] == "2.7"
    assert found["shim"] == (not found["python_version"].startswith("3.6."))


def test_both_interpreters_train_the_same_bits() -> None:
    first, second = description(FIRST)["self_test"], description(SECOND)["self_test"]
    assert first["losses"] == second["losses"]
    assert first["parameters_sha256"] == second["parameters_sha256"]


@pytest.mark.parametrize("environment", [FIRST, SECOND], ids=["first", "second"])
def test_a_distributed_learner_without_mpi_says_what_it_needs(environment: Path) -> None:
    found = description(environment)
    if found["mpi"] != "stub":
        pytest.skip(f"the machine has {found['mpi']}")
    finished = in_trainer(found, "import cntk; cntk.Communicator.num_workers(); print('went on')")
    assert finished.returncode == 69
    assert "Install Open MPI" in finished.stderr
    assert "went on" not in finished.stdout


@pytest.mark.parametrize("path", RUNS_ON_3_6, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_the_trainer_runs_is_3_6_syntax(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))


def test_what_the_trainer_runs_compiles_on_its_interpreter() -> None:
    found = description(FIRST)
    names = json.dumps([str(path) for path in RUNS_ON_3_6])
    code = f"[compile(open(name, encoding='utf-8').read(), name, 'exec') for name in {names}]"
    finished = in_trainer(found, code)
    assert finished.returncode == 0, finished.stderr
