"""Small programs that run inside the trainer's interpreter: JSON in, JSON out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.specs.part_models import Strict, part_model
from trainer.parts import registries
from worker.launch import thread_limits

ROOT = Path(__file__).resolve().parents[1]


def in_trainer(environment: Mapping[str, Any], script: str, rows: Any) -> Any:
    """What tests/in_trainer/``script``.py makes of ``rows`` with the interpreter of a trainer.json."""
    finished = subprocess.run(
        [environment["python"], str(ROOT / "tests" / "in_trainer" / f"{script}.py")],
        input=json.dumps(rows).encode(),
        capture_output=True,
        timeout=300,
        check=False,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *environment["python_path"]]),
            "LD_LIBRARY_PATH": os.pathsep.join(environment["library_path"]),
            **thread_limits(1),
        },
    )
    assert finished.returncode == 0, finished.stderr.decode()[-3000:]
    return json.loads(finished.stdout)


def complete(kind: str, document: Mapping[str, Any] | str) -> dict[str, Any]:
    """A part's document with every default filled in, as a normalised spec holds it."""
    given = {"type": document} if isinstance(document, str) else dict(document)
    return part_model(registries[kind][given["type"]], Strict).model_validate(given).model_dump()
