"""Environments of what is compared with and no user needs: .venv-peers, with PyTorch and onnxruntime, for the
tests; .venv-ray, with Ray, for a benchmark.

They stand apart from the locks, which pin what the service runs on: PyTorch's wheels come in builds for
processors that one list of hashes does not cover. Where pip is led to its CPU build (a folder of wheels or
an index of them in pip's configuration), that is what it takes.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from environments import stamp
from environments.steps import announce, pip, run

RAY = ("ray[default]==2.60.0",)
REQUIREMENTS = (
    "torch==2.13.0",
    "numpy==2.4.6",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    "tensorboard==2.21.0",
    "mlflow==3.17.2",
)


def make(root: Path, name: str = ".venv-peers", requirements: tuple[str, ...] = REQUIREMENTS) -> Path:
    """Bring the environment ``root``/``name`` up to its requirements; the answer is its Python."""
    environment = root / name
    python = environment / "bin" / "python"
    wanted = stamp.digest(str(environment), os.path.realpath(sys.executable), *requirements, files=[])
    if python.exists() and stamp.recorded(environment).get("stamp") == wanted:
        return python
    announce(f"installing {' and '.join(requirements)} into {environment.name}")
    if environment.exists():
        shutil.rmtree(environment)
    run([sys.executable, "-m", "venv", environment], doing=f"make {environment}")
    run([*pip(python), "install", *requirements], doing=f"install {' and '.join(requirements)}")
    stamp.record(environment, stamp=wanted)
    return python
