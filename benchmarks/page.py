"""How soon the dashboard is there, with 1,000 jobs and with none.

``python -m benchmarks.page [--jobs N] [--rounds R]`` starts two services of its own, one of N jobs and an
empty one, and opens both in turns in Chromium, each time as somebody who was never there before. Printed are
the medians from asking for the address to the first paint, and to the list. The noise is the ratio of the
medians of every other round on one and the same service.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.asked import parser
from benchmarks.records import finish_jobs
from benchmarks.stores import own_server
from jobs.store import Store
from tests.chromium import chromium

# The page's policy lets nothing but its own files run: what waits must do so within one call.
FIRST_PAINT = """() => new Promise((resolve) => {
    const look = () => {
        const [paint] = performance.getEntriesByName("first-contentful-paint");
        return paint ? resolve(paint.startTime) : setTimeout(look, 5);
    };
    look();
})"""
LIST_SHOWN = """() => new Promise((resolve) => {
    const look = () => document.querySelector(".jobs tbody tr, .empty")
        ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now())))
        : setTimeout(look, 5);
    look();
})"""


@contextmanager
def service(home: Path, **environment: str) -> Iterator[tuple[str, Store]]:
    """The address of an API without jobs, and its store."""
    with own_server(home) as settings, running_api(home, **environment) as url:
        yield url, Store.open(settings)


@contextmanager
def running_api(home: Path, **environment: str) -> Iterator[str]:
    """``python -m app`` on ``home``, on a free port."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("CNTK_JOBS_")}
    environment = {**others, "CNTK_JOBS_HOME": str(home), "CNTK_JOBS_PORT": "0", **environment}
    api = subprocess.Popen([sys.executable, "-m", "app"], env=environment, stderr=subprocess.PIPE, text=True)
    assert api.stderr is not None
    try:
        found = next(
            (said for line in api.stderr if (said := re.search(r"listening on (http://\S+)", line))), None
        )
        assert found is not None, "the API did not start"
        yield found[1]
    finally:
        api.terminate()
        api.wait()


def visit(browser: Browser, url: str) -> tuple[float, float]:
    """Milliseconds to the first paint and to the list, with nothing kept from before."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(url, wait_until="commit")
        shown = float(page.evaluate(LIST_SHOWN))
        return float(page.evaluate(FIRST_PAINT)), shown


def main() -> None:
    asking = parser(__doc__)
    asking.add_argument("--jobs", type=int, default=1000)
    asking.add_argument("--rounds", type=int, default=20)
    asked = asking.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="page-") as many,
        tempfile.TemporaryDirectory(prefix="page-") as none,
        service(Path(many)) as (full, store),
        service(Path(none)) as (empty, _),
        chromium() as browser,
    ):
        finish_jobs(store, asked.jobs)
        pages = {f"{asked.jobs:,} jobs": full, "no job": empty}
        for url in pages.values():
            visit(browser, url)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in pages}
        for _ in range(asked.rounds):
            for name, url in pages.items():
                taken[name].append(visit(browser, url))
    for name, rounds in taken.items():
        paint, shown = (statistics.median(figures) for figures in zip(*rounds, strict=True))
        print(f"{name:>12}: first paint {paint:6.0f} ms, list {shown:6.0f} ms")
    print(f"  noise (A/A): {_noise(taken[next(iter(taken))]):.2f}")


def _noise(rounds: list[tuple[float, float]]) -> float:
    halves = [statistics.median(paint for paint, _ in rounds[start::2]) for start in (0, 1)]
    return max(halves) / min(halves)


if __name__ == "__main__":
    main()
