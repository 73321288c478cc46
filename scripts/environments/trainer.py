"""The trainer's environment: CNTK, the libraries it wants, and a self-test that trained for real."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from environments import cntk_wheel, kernels, mpi, stamp
from environments.elf import shared_library
from environments.interpreters import SUPPORTED, Interpreter
from environments.steps import SetupError, announce, pip, run

_IN_TRAINER = Path(__file__).parent / "in_trainer"
_CNTK_LOCK = "requirements/cntk.txt"
_CPU_FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f")


def made_with(environment: Path) -> Path | None:
    """The interpreter that ``environment`` was made with, where it is complete."""
    path = stamp.recorded(environment).get("interpreter")
    return Path(path) if path else None


def make(root: Path, environment: Path, interpreter: Interpreter) -> dict[str, Any]:
    """Bring ``environment`` up to its locks and test it; the answer is its trainer.json."""
    found_mpi = mpi.find_open_mpi()
    lock = root / "requirements" / f"trainer-{interpreter.series}.txt"
    words = (str(environment), str(interpreter.path), interpreter.version, str(found_mpi))
    here = Path(__file__).parent
    others = ("modern.py", *(path.name for path in kernels.INPUTS))
    scripts = [path for path in sorted(here.rglob("*.py")) if path.name not in others]
    wanted_stamp = stamp.digest(*words, files=[lock, root / _CNTK_LOCK, *scripts])
    description = environment / "trainer.json"
    if stamp.recorded(environment).get("stamp") == wanted_stamp and description.exists():
        return _with_kernels(environment, dict(json.loads(description.read_text())))

    python = environment / "bin" / "python"
    _start_afresh(environment)
    announce(f"making the trainer's environment {environment.name} with CPython {interpreter.version}")
    run([interpreter.path, "-m", "venv", environment], doing=f"make {environment} with {interpreter.path}")
    run(
        [*pip(python), "install", "--no-deps", "--require-hashes", "-r", lock],
        doing=f"install the packages of {lock.parent.name}/{lock.name}",
    )
    site_packages = environment / "lib" / f"python{interpreter.series}" / "site-packages"
    cntk_wheel.install(python, site_packages, root / _CNTK_LOCK)
    native = environment / "native"
    native.mkdir()
    libraries = [site_packages / "_cntk_py.so", *sorted((site_packages / "cntk" / "libs").glob("*Cntk*.so"))]
    mpi_kind = mpi.provide(native, libraries, found_mpi, python)
    shim = interpreter.series != SUPPORTED[0]
    if shim or not interpreter.shared:
        # CNTK asks for 3.6's libpython; every name it takes from there the interpreter itself has.
        # A 3.6 that runs out of the real one must keep finding that.
        name = "libpython3.6m.so.1.0"
        (native / name).write_bytes(shared_library(name))
    if shim:
        shutil.copy(_IN_TRAINER / "cntk_on_newer_python.py", site_packages)
        (site_packages / "cntk_on_newer_python.pth").write_text("import cntk_on_newer_python\n")

    answer = {
        "python": str(python),
        "shim": shim,
        "mpi": mpi_kind,
        "library_path": [str(native)],
        "python_path": [],
        "cpu": _cpu(),
        "checked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **_self_test(python, native),
    }
    answer = _with_kernels(environment, answer)
    stamp.record(environment, stamp=wanted_stamp, interpreter=str(interpreter.path))
    return answer


def _with_kernels(environment: Path, found: dict[str, Any]) -> dict[str, Any]:
    """trainer.json, written anew where the kernels were not those of today's sources and compiler."""
    compiler = kernels.compiler()
    wanted = stamp.digest(str(compiler), files=kernels.INPUTS)
    if found.get("kernels", {}).get("stamp") == wanted:
        return found
    found["kernels"] = {"stamp": wanted, **kernels.provide(environment, compiler)}
    found["summary"] = _summary(found)
    (environment / "trainer.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return found


def _summary(found: dict[str, Any]) -> str:
    """What runs, in one line for people."""
    cpu = found["cpu"]
    best = next((flag for flag in reversed(_CPU_FLAGS) if flag in cpu["flags"]), "no vector extensions")
    parts = [
        f"CNTK {found['cntk_version']} on CPython {found['python_version']}" + " (with shim)" * found["shim"],
        "no MPI (one process a job)" if found["mpi"] == "stub" else found["mpi"],
        f"GPU {found['gpu']}" if found["gpu"] else "no GPU",
        f"{cpu['cores']} cores with {best}" + " and faster kernels" * bool(found["kernels"]["sha256"]),
        f"{found['self_test']['steps']} training steps tested",
    ]
    return ", ".join(parts)


def _start_afresh(environment: Path) -> None:
    """Remove an environment that no longer fits; SetupError where the folder is something else."""
    if not environment.exists():
        return
    if any(environment.iterdir()) and not (environment / "pyvenv.cfg").exists():
        raise SetupError(
            f"{environment} exists and is no environment of ours; name another with --trainer-env"
        )
    shutil.rmtree(environment)


def _self_test(python: Path, native: Path) -> dict[str, Any]:
    announce("training five steps to test it")
    output = run(
        [python, _IN_TRAINER / "self_test.py"],
        doing=f"train five steps with {python}",
        environment={"LD_LIBRARY_PATH": str(native), "OMP_NUM_THREADS": "1"},
    )
    return dict(json.loads(output))


def _cpu() -> dict[str, Any]:
    described: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        described.setdefault(name.strip(), value.strip())
    flags = described.get("flags", "").split()
    return {
        "model": described.get("model name", "unknown"),
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in _CPU_FLAGS if flag in flags],
    }
