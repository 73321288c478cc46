"""``scripts/chaos``: a campaign against a service of its own, in a folder of its own."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaign import Plan, run
from tests.chaos.faults import KINDS


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description="Strike the service, then look.")
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=60, help="at least so many")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=0.8, help="mean seconds between faults")
    parser.add_argument("--epochs", type=int, default=12, help="of each job: about 0.3 s each")
    parser.add_argument("--backlog", type=int, default=4, help="jobs that wait or run at a time")
    parser.add_argument("--away", type=float, default=30.0, help="seconds without Redis in 'server away'")
    parser.add_argument(
        "--only", action="append", choices=[kind.name for kind in KINDS], help="these faults alone"
    )
    parser.add_argument(
        "--unlocked", action="store_true", help="without the lock: the campaign must find two trainers"
    )
    parser.add_argument("--home", type=Path, help="keep everything in this folder")
    asked = parser.parse_args()
    kinds = tuple(kind for kind in KINDS if not asked.only or kind.name in asked.only)
    plan = Plan(
        seed=asked.seed,
        faults=asked.faults,
        jobs=asked.jobs,
        workers=asked.workers,
        pace=asked.pace,
        epochs=asked.epochs,
        backlog=asked.backlog,
        away_s=asked.away,
        kinds=kinds,
        unlocked=asked.unlocked,
    )
    if asked.home:
        report = run(plan, asked.home.absolute(), print)
    else:
        with tempfile.TemporaryDirectory(prefix="cntk-jobs-chaos-") as folder:
            report = run(plan, Path(folder) / "home", print)
    print(report.text())
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
