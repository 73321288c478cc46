"""A trainer without CNTK that keeps to the run directory's protocol, for tests of the worker.

Its "model" is a chain of hashes over the steps, so any step lost or done twice shows in the
result. ``spec["practice"]`` says how it behaves:
steps, seconds (a step), checkpoint_every (steps), fail ({reason, detail}: a result that says
so at the end), epoch_every (steps), crash_at (step at which it kills itself), deaf (ignores SIGTERM),
quiet_at ({attempt, step} at which it says nothing any more), memory (bytes that it holds),
volume_back (attempt from which on the volume can be used).
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer import fork_server
from trainer.files import append_line, read_json, write_json
from trainer.layout import CheckpointDirectory, RunDirectory

SAMPLES_A_STEP = 10


def main() -> int:
    if sys.argv[1:3] == ["-m", "trainer.fork_server"]:
        fork_server.main(load, sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("-m", dest="module")
    parser.add_argument("run")
    parser.add_argument("--attempt")
    parser.add_argument("--dataset")
    arguments = parser.parse_args()
    return practise(arguments.run, arguments.attempt, arguments.dataset)


def load() -> Callable[[str, str, str], int]:
    if "PRACTICE_THREAD" in os.environ:
        threading.Thread(target=signal.pause, daemon=True).start()
    return practise


def practise(folder: str, attempt: str, _dataset: str) -> int:
    run, number = RunDirectory(Path(folder)), int(attempt)
    practice = read_json(run.spec)["practice"]
    alone = (run.path / "alone").open("w")
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        (run.path / "overlap").touch()
    facts = run.attempt(number).facts

    def report(kind: str, **fields: Any) -> None:
        append_line(facts, {"time": time.time(), "type": kind, **fields})

    stop: list[int] = []
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN if practice.get("deaf") else lambda number, _frame: stop.append(number)
    )
    report("started", pid=os.getpid(), runtime={"python": sys.version.split()[0]})
    if number < practice.get("volume_back", 1):
        sys.stderr.write("[Errno 30] Read-only file system: 'model.dnn'\n")
        return 74
    held = b"x" * practice.get("memory", 0)
    step, chain = restore(run, report)
    first = step
    while step < practice["steps"]:
        time.sleep(practice["seconds"])
        step += 1
        chain = hashlib.sha256(f"{chain}{step}".encode()).hexdigest()
        if step == first + 1:
            report("first_minibatch")
        figures = {"losses": {"train": {"total": 1 / step}}, "metrics": {"train": {"error": 0.5}}}
        samples = step * SAMPLES_A_STEP
        report("progress", epoch=0, minibatch=step, step=step, samples=samples, **figures)
        if "epoch_every" in practice and step % practice["epoch_every"] == 0:
            number = step // practice["epoch_every"]
            where = {"epoch": number, "step": step, "samples": samples}
            report("epoch", **where, learning_rate=0.1, seconds=0.1, **figures)
        if {"attempt": number, "step": step} == practice.get("quiet_at"):
            while not stop:
                time.sleep(0.01)
        if step == practice.get("crash_at"):
            sys.stderr.write("an error of the driver [CALL STACK] > 0x7f not for users\n")
            os.kill(os.getpid(), signal.SIGKILL)
        if stop or step % practice["checkpoint_every"] == 0:
            size = publish(run, step, chain)
            where = {"samples": samples, "step": step, "epoch": 0, "size": size, "seconds": 0.004}
            report("checkpoint", **where, cause="schedule", best=False, **figures)
        if stop:
            return 75
    del held
    return conclude(run, practice, step, chain)


def restore(run: RunDirectory, report: Any) -> tuple[int, str]:
    published = run.published_checkpoints()
    for origin, directory in [
        ("checkpoint", run.checkpoint(max(published, default=0))),
        ("start", run.start),
    ]:
        if directory.manifest.exists():
            loop = read_json(directory.loop)
            report("restored", step=loop["step"], samples=loop["step"] * SAMPLES_A_STEP, **{"from": origin})
            return loop["step"], loop["chain"]
    return 0, ""


def publish(run: RunDirectory, step: int, chain: str, *, epoch: int = 0, stale: int = 0) -> int:
    """The size of the checkpoint's files."""
    samples = step * SAMPLES_A_STEP
    aside = CheckpointDirectory(run.checkpoints / f".writing-{samples}")
    write_json(aside.loop, {"step": step, "chain": chain, "stale": stale})
    content = aside.loop.read_bytes()
    manifest = {
        "format": 1,
        "job": run.path.name,
        "step": step,
        "samples": samples,
        "epoch": epoch,
        "losses": {},
        "metrics": {},
        "score": 1 / step,
        "created_at": time.time(),
        "files": {"loop.json": {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}},
    }
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    write_json(aside.manifest, {**manifest, "sha256": hashlib.sha256(canonical).hexdigest()})
    aside.path.rename(run.checkpoint(samples).path)
    return len(content)


def conclude(run: RunDirectory, practice: dict[str, Any], step: int, chain: str) -> int:
    ending = {"outcome": "succeeded", "reason": "completed", "detail": ""}
    if "fail" in practice:
        ending = {"outcome": "failed", **practice["fail"]}
    figures = {"losses": {"valid": {"total": 0.25}}, "metrics": {"valid": {"error": 0.125}}}
    write_json(
        run.result,
        {**ending, **figures, "parameters_sha256": chain, "step": step, "seconds": 1.0, "best": None},
    )
    return 0 if ending["outcome"] == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main())
