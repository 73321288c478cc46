"""scripts/setup: make both environments, or say in one line why not."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from environments import modern, stamp, trainer
from environments.interpreters import SUPPORTED
from environments.steps import SetupError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/setup", description="Make .venv and the trainer's environment.")
    parser.add_argument("--trainer", choices=SUPPORTED, help="CPython for the trainer; default: the best one found")
    parser.add_argument(
        "--trainer-env", type=Path, default=Path(".venv-trainer"), help="folder of the trainer's environment"
    )
    parser.add_argument(
        "--trainer-only", action="store_true", help="leave .venv alone (a worker's image brings its own)"
    )
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    root = Path(__file__).resolve().parents[2]
    environment = root / arguments.trainer_env
    try:
        with stamp.one_at_a_time(root):
            if not arguments.trainer_only:
                modern.make(root)
            uv = shutil.which("uv") or shutil.which(root / ".venv" / "bin" / "uv")
            found = trainer.make(root, environment, uv=Path(uv) if uv else None, wanted=arguments.trainer)
    except SetupError as error:
        print(f"scripts/setup: {error}", file=sys.stderr)
        return 1
    print(f"trainer: {trainer.summary(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
