"""How smoothly the dashboard's list runs while many of its jobs change: tasks of over 50 ms, and frames.

``python -m benchmarks.busy_list [--jobs N] [--seconds S]`` runs N jobs, none of which trains: each second
``CHANGES`` of them report another epoch and ``TURNS`` of them end, in whose place a new one is begun. The
list is looked at as it comes, and with all jobs; and beside that with nothing changing.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.asked import parser
from benchmarks.page import LIST_SHOWN, service
from benchmarks.records import FIGURES, PROGRESS, RESULT, begun
from jobs.record import Record
from jobs.states import Reason, State
from jobs.store import Store
from tests.chromium import chromium

CHANGES, TURNS = 200, 20
"""A second: jobs that report an epoch, and jobs that end."""
LEASE_S = 3600
"""Nobody renews it."""
LONG_MS = 50
"""What takes longer is felt."""
FRAMES = """async (milliseconds) => {
    const tasks = [];
    new PerformanceObserver((found) => tasks.push(...found.getEntries().map((task) => task.duration)))
        .observe({ type: "longtask" });
    const gaps = [];
    const until = performance.now() + milliseconds;
    let before = await new Promise(requestAnimationFrame);
    while (before < until) {
        const now = await new Promise(requestAnimationFrame);
        gaps.push(now - before);
        before = now;
    }
    return { tasks, gaps };
}"""


class Bustle:
    """Jobs that run and change as a worker would have them change."""

    def __init__(self, store: Store, count: int) -> None:
        self._store = store
        self._running: deque[tuple[Record, int]] = deque((self._begin(number), 0) for number in range(count))

    def _begin(self, number: int) -> Record:
        return begun(self._store, f"digits {number}", f"rare-{number % 10}", LEASE_S)

    def report(self) -> None:
        """The job whose turn it is reports one more epoch."""
        record, epoch = self._running.popleft()
        told = {"progress": PROGRESS | {"epoch": epoch + 1, "epochs": 100}, "losses": FIGURES}
        now = round(time.time() * 1000)
        event = (now, record.attempt, {"type": "epoch", "epoch": epoch + 1})
        self._store.report(record.id, record.attempt, events=[event], fields=told | {"metrics": FIGURES})
        self._running.append((record, epoch + 1))

    def turn(self, number: int) -> None:
        """The job whose turn it is ends, and another one begins."""
        record, _ = self._running.popleft()
        current = self._store.get(record.id)
        self._store.transition(current, State.SUCCEEDED, Reason.COMPLETED, fields={"result": RESULT})
        self._running.append((self._begin(number), 0))

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """All that changes in a second, evenly, until the context ends."""
        over = threading.Event()
        thread = threading.Thread(target=self._go_on, args=(over,))
        thread.start()
        yield
        over.set()
        thread.join()

    def _go_on(self, over: threading.Event) -> None:
        begun = time.monotonic()
        done = 0
        while not over.is_set():
            self.report()
            if done % (CHANGES // TURNS) == 0:
                self.turn(done)
            done += 1
            over.wait(max(0.0, begun + done / CHANGES - time.monotonic()))


def show_all(page: Page, jobs: int) -> None:
    """Have the list show so many jobs."""
    while page.locator(".jobs tbody tr").count() < jobs:
        before = page.locator(".jobs tbody tr").count()
        page.get_by_role("button", name="Show more").click()
        page.locator(f".jobs tbody tr:nth-child({before + 1})").wait_for()


def measure(page: Page, seconds: float) -> str:
    """What a reader feels of the page for so long."""
    found = page.evaluate(FRAMES, seconds * 1000)
    tasks, gaps = sorted(found["tasks"]), sorted(found["gaps"])
    late = sum(gap > LONG_MS for gap in gaps)
    return (
        f"{len(tasks):3} tasks over {LONG_MS} ms, the longest {max(tasks, default=0):4.0f} ms; "
        f"{len(gaps) / seconds:3.0f} frames/s, median gap {statistics.median(gaps):3.0f} ms, "
        f"{late:3} over {LONG_MS} ms, the longest {gaps[-1]:4.0f} ms"
    )


def main() -> None:
    asking = parser(__doc__)
    asking.add_argument("--jobs", type=int, default=1000)
    asking.add_argument("--seconds", type=float, default=20)
    asked = asking.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="page-") as home,
        service(Path(home), CNTK_JOBS_LEASE_SECONDS=str(LEASE_S)) as (url, store),
        chromium() as browser,
    ):
        bustle = Bustle(store, asked.jobs)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url, wait_until="commit")
        page.evaluate(LIST_SHOWN)
        for rows in (100, asked.jobs):
            show_all(page, rows)
            print(f"{rows:5,} rows, nothing changes: {measure(page, asked.seconds)}", flush=True)
            with bustle.going_on():
                print(f"{rows:5,} rows, all changes:     {measure(page, asked.seconds)}", flush=True)


if __name__ == "__main__":
    main()
