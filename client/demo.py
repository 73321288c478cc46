"""``scripts/demo``: the main job from an empty folder to two runs that end in the same bits."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from client import tables
from client.blocking.client import Client
from client.documents import TERMINAL, Checkpoint, Job
from client.problems import JobsApiError
from client.progress import share_done, watch

START_LIMIT_S = 120.0
STOP_LIMIT_S = 60.0

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


class DemoError(Exception):
    """Something that the demonstration promises did not hold."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration; 0 only if everything it shows was true."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Train, resume, compare the bits.")
    parser.add_argument("--kill", action="store_true", help="also kill -9 a worker that is training")
    arguments = parser.parse_args(argv)
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, _interrupt)
    console = tables.wide_console()
    try:
        with ExitStack() as stack:
            given = os.environ.get("CNTK_JOBS_HOME")
            home = Path(
                given or stack.enter_context(tempfile.TemporaryDirectory(prefix="cntk-jobs-"))
            ).absolute()
            client = stack.enter_context(_service(home, console))
            _demonstrate(client, home, console, kill=arguments.kill)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except JobsApiError as error:
        tables.problem(error, tables.wide_console(stderr=True))
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    console.print("[bold]all of it held, and everything is stopped again[/]")
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _service(home: Path, console: Console) -> Iterator[Client]:
    """The whole service on ``home``, on a free port unless CNTK_JOBS_PORT names one."""
    home.mkdir(parents=True, exist_ok=True)
    root = str(Path(__file__).resolve().parents[1])
    # Nobody else's Redis, tokens or addresses: the demonstration is private.
    private = {"CNTK_JOBS_REDIS_URL", "CNTK_JOBS_API_TOKENS", "CNTK_JOBS_HOST"}
    environment = {"CNTK_JOBS_PORT": "0"}
    environment |= {name: value for name, value in os.environ.items() if name not in private}
    environment |= {"CNTK_JOBS_HOME": str(home), "CNTK_JOBS_WORKERS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    log = home / "service.log"
    with log.open("wb") as output:
        # In a group of its own: Ctrl-C is ours to pass on, once.
        service = subprocess.Popen(
            [sys.executable, "-m", "service"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )
    try:
        url = _started(service, home, log)
        console.print(log.read_text(encoding="utf-8"), end="", markup=False, highlight=False)
        console.print(f"the API describes itself at {url}/docs", highlight=False)
        with Client(url) as client:
            yield client
    finally:
        service.terminate()
        try:
            service.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            service.kill()
            service.wait()
    if service.returncode != 0:
        raise DemoError(f"the service ended with exit status {service.returncode}")


def _started(service: subprocess.Popen[bytes], home: Path, log: Path) -> str:
    """The service's URL once it is ready."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if service.poll() is not None:
            raise DemoError(log.read_text(encoding="utf-8").strip())
        state = _state(home)
        # The folder may be a given one, where a service that was killed left its own state.
        if state.get("pid") == service.pid:
            return str(state["url"])
        time.sleep(0.05)
    raise DemoError(f"the service is not ready after {START_LIMIT_S:.0f} s")


def _state(home: Path) -> dict[str, Any]:
    """What the service says of itself in service.json; empty before it is ready."""
    try:
        return dict(json.loads((home / "service.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}


def write_digits(path: Path) -> None:
    """scikit-learn's digits: 1,797 images of 8 × 8 pixels, 0 to 16; eights and nines weigh double."""
    import numpy as np
    from sklearn.datasets import load_digits

    pixels, digit = load_digits(return_X_y=True)
    weight = np.where(digit >= 8, 2.0, 1.0)
    np.savez(
        path, pixels=pixels.astype(np.float32), digit=digit.astype(np.int32), weight=weight.astype(np.float32)
    )


def _demonstrate(client: Client, home: Path, console: Console, *, kill: bool) -> None:
    _headline(console, "a data set: scikit-learn's digits, with a weight for every example")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digits.npz"
        write_digits(file)
        dataset = client.datasets.add(file, **_example("options/digits.json"))
    console.print(tables.datasets([dataset]))

    spec = _example("digits_weighted.json") | {"dataset": dataset["id"]}
    _headline(console, "a job: weighted cross entropy, dropout, Adam, a checkpoint every 100 minibatches")
    first = _run(client, spec, console)
    console.print(tables.job(first))
    found = client.jobs.checkpoints(first["id"])
    console.print(tables.checkpoints(found))

    middle = mid_run(found, dataset["splits"]["train"]["rows"])
    _headline(console, f"a second job: continue exactly from {middle['id']}, from the middle of an epoch")
    start = {"job": first["id"], "checkpoint": middle["samples"], "mode": "exact"}
    second = _run(client, {**spec, "name": "digits-resumed", "start_from": start}, console)
    _same_bits(first, second, console)

    if kill:
        _headline(console, "a third job: the same from the start, and kill -9 for its worker on the way")
        third = _run(client, {**spec, "name": "digits-killed"}, console, _killer(home, console))
        if third["attempt"] < 2:
            raise DemoError("the worker was not killed while it trained")
        _same_bits(first, third, console)


def _example(name: str) -> dict[str, Any]:
    """A document of ``examples/``: what is shown is what a user may copy."""
    return dict(json.loads((EXAMPLES / name).read_text(encoding="utf-8")))


def _headline(console: Console, text: str) -> None:
    console.print(f"\n[bold]{text}[/]", highlight=False)


def _run(
    client: Client, spec: dict[str, Any], console: Console, meanwhile: Callable[[Job], None] | None = None
) -> Job:
    """Submit ``spec``, show it training, and give ``meanwhile`` every look at it."""
    job_id = client.jobs.submit(spec)["id"]

    def looks() -> Iterator[Job]:
        for job in client.jobs.snapshots(job_id, every=0.1):
            if meanwhile:
                meanwhile(job)
            yield job

    job = watch(looks(), console)
    if job["status"] != "succeeded":
        raise DemoError(f"{job_id} {job['status']} ({job['reason']}): {job['detail']}")
    return job


def mid_run(found: Sequence[Checkpoint], rows: int) -> Checkpoint:
    """The checkpoint nearest to half of the training that does not lie at the end of an epoch."""
    end = max(checkpoint["samples"] for checkpoint in found)
    inside = [
        checkpoint for checkpoint in found if checkpoint["samples"] % rows and checkpoint["samples"] < end
    ]
    if not inside:
        raise DemoError("there is no checkpoint from the middle of an epoch")
    return min(inside, key=lambda checkpoint: abs(checkpoint["samples"] - end / 2))


def _killer(home: Path, console: Console) -> Callable[[Job], None]:
    """kill -9 for the worker once a third of the training is done."""
    killed = False

    def look(job: Job) -> None:
        nonlocal killed
        if not killed and job["status"] not in TERMINAL and job["checkpoints"] and share_done(job) > 0.33:
            killed = True
            pid = int(_state(home)["processes"]["worker-1"])
            os.kill(pid, signal.SIGKILL)
            console.print(f"killed worker-1 (pid {pid})", highlight=False)

    return look


def _same_bits(first: Job, other: Job, console: Console) -> None:
    one, two = ((job["result"] or {}).get("parameters_sha256") for job in (first, other))
    console.print(
        f"{first['id']}  sha256 {one}\n{other['id']}  sha256 {two}", highlight=False, soft_wrap=True
    )
    if not one or one != two:
        raise DemoError("the two runs did not end in the same parameters")
    console.print(
        f"[bold green]same bits:[/] {other['name']} ends where {first['name']} ended", highlight=False
    )


if __name__ == "__main__":
    sys.exit(main())
