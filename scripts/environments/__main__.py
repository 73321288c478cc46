"""scripts/setup: make both environments, or say in one line why not."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from environments import modern, peers, stamp, trainer
from environments.interpreters import SUPPORTED, choose, search
from environments.steps import SetupError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/setup", description="Make .venv and the trainer's environment."
    )
    parser.add_argument(
        "--trainer", choices=SUPPORTED, help="CPython of the trainer; default: the best found"
    )
    parser.add_argument("--trainer-env", type=Path, default=Path(".venv-trainer"), help="folder for it")
    parser.add_argument(
        "--trainer-only", action="store_true", help="leave .venv alone (a worker's image has its own)"
    )
    parser.add_argument(
        "--second-trainer",
        action="store_true",
        help="where the machine has another CPython that serves, make .venv-trainer-second, for the tests",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="make .venv-peers with PyTorch, for the tests that compare with it",
    )
    parser.add_argument("--ray", action="store_true", help="make .venv-ray with Ray, for benchmarks.start")
    return parser.parse_args()


def _set_up(root: Path, arguments: argparse.Namespace) -> None:
    if not arguments.trainer_only:
        modern.make(root)
    environment = root / arguments.trainer_env
    uv = shutil.which("uv") or shutil.which(root / ".venv" / "bin" / "uv")
    interpreter = choose(
        os.environ,
        uv=Path(uv) if uv else None,
        made_with=trainer.made_with(environment),
        wanted=arguments.trainer,
    )
    print(f"trainer: {trainer.make(root, environment, interpreter)['summary']}")
    if arguments.second_trainer:
        others = [series for series in SUPPORTED if series != interpreter.series]
        found = (search(series, os.environ, tried=[]) for series in others)
        if second := next(filter(None, found), None):
            made = trainer.make(root, root / ".venv-trainer-second", second)
            print(f"second trainer: {made['summary']}")
        else:
            print("second trainer: none, this machine has one interpreter for CNTK")
    if arguments.peers:
        print(f"peers: {', '.join(peers.REQUIREMENTS)} in {peers.make(root).parents[1].name}")
    if arguments.ray:
        print(f"peer: {', '.join(peers.RAY)} in {peers.make(root, '.venv-ray', peers.RAY).parents[1].name}")


def main() -> int:
    arguments = _arguments()
    root = Path(__file__).resolve().parents[2]
    try:
        with stamp.one_at_a_time(root):
            _set_up(root, arguments)
    except SetupError as error:
        print(f"scripts/setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
