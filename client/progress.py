"""Jobs while they train: live bars on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from client.documents import Job, Values

BAR_WIDTH = 40
PLAIN_EVERY_S = 2.0
"""Without a terminal: seconds between two lines on the same state."""


class Board:
    """Where jobs are shown while they train, one under another, each as last seen.

    Used as a context manager. On a terminal the bars stay in place; elsewhere a line is printed at every
    change of a job's state, and now and then.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console) if console.is_terminal else None
        self._jobs: dict[str, Job] = {}
        self._shown: dict[str, tuple[tuple[object, ...], float]] = {}

    def __enter__(self) -> Board:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, job: Job) -> None:
        self._jobs[job["id"]] = job
        if self._live:
            self._live.update(Group(*map(_bar_and_state, self._jobs.values())))
        else:
            self._print(job)

    def _print(self, job: Job) -> None:
        state = (job["status"], job["reason"], job["attempt"])
        shown, at = self._shown.get(job["id"], ((), 0.0))
        if state != shown or time.monotonic() - at > PLAIN_EVERY_S:
            line = f"{title(job)}  {state_line(job)}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            self._shown[job["id"]] = (state, time.monotonic())


def watch(snapshots: Iterable[Job], console: Console) -> Job:
    """Show ``snapshots`` of one job, of which there is at least one, as they come; the last one."""
    with Board(console) as board:
        for job in snapshots:
            board.show(job)
    return job


def _bar_and_state(job: Job) -> Group:
    share = share_done(job)
    bar = Table.grid(padding=(0, 1))
    bar.add_row(Text(title(job)), ProgressBar(total=1.0, completed=share, width=BAR_WIDTH), f"{share:.0%}")
    return Group(bar, Text(state_line(job)))


def title(job: Job) -> str:
    return job["name"] or job["id"]


def share_done(job: Job) -> float:
    """How much of the training is done, 0 to 1, by the service's own estimate of what is left."""
    if job["status"] == "succeeded":
        return 1.0
    progress = job["progress"]
    samples, pace, left = progress.get("samples"), progress.get("samples_per_second"), progress.get("eta_s")
    if not samples or not pace or left is None:
        return 0.0
    return samples / (samples + pace * left)


def state_line(job: Job) -> str:
    """Status, epoch, loss, metric, samples/s and time left, as far as each is known."""
    words = ["" if job["reason"] == "training" else f"{job['status']} ({job['reason']})"]
    if job["attempt"] > 1:
        words.append(f"attempt {job['attempt']}")
    progress = job["progress"]
    if epoch := progress.get("epoch"):
        epochs = progress.get("epochs")
        words.append(f"epoch {epoch}/{epochs}" if epochs else f"epoch {epoch}")
    words.append(headline(job["losses"], ("train", "minibatch", "valid")))
    words.append(headline(job["metrics"], ("valid", "train")))
    if job["status"] == "running":
        if pace := progress.get("samples_per_second"):
            words.append(f"{pace:,.0f} samples/s")
        if (left := progress.get("eta_s")) is not None:
            words.append(f"{duration(left)} left")
    return "  ".join(word for word in words if word)


def headline(values: Values, splits: tuple[str, ...]) -> str:
    """One value of the first of ``splits`` that has any, named: the total loss or the first there is."""
    for split in splits:
        found = {name: value for name, value in (values.get(split) or {}).items() if value is not None}
        for name in ("total", *found):
            if name in found:
                return f"{split} {name} {found[name]:.4g}"
    return ""


def duration(seconds: float) -> str:
    """4 s, 3:20 or 2:03:20."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
