"""A seeded campaign: jobs come in, faults strike, and at the end everything is checked."""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from client.documents import Job
from tests.chaos import checks
from tests.chaos.faults import KINDS, Kind, Strike, Victim, strike
from tests.chaos.processes import Watcher
from tests.chaos.work import VARIANTS, Customer, unfinished, upload
from trainer.layout import Volume

LEASE_S = 3.0
UNLOCKED = Path(__file__).with_name("unlocked")
CANCELLED_SHARE, PAUSED_SHARE = 0.02, 0.1
"""How often between two faults."""
END_LIMIT_S = 300.0


@dataclass(frozen=True)
class Plan:
    """What a campaign does. ``pace``: mean seconds between faults."""

    seed: int = 1
    faults: int = 300
    jobs: int = 60
    workers: int = 2
    pace: float = 0.8
    epochs: int = 12
    """Of each job."""
    away_s: float = 30.0
    """How long Redis is away where it is away for long."""
    backlog: int = 4
    """Jobs that wait or run while faults go on."""
    kinds: tuple[Kind, ...] = KINDS
    variants: tuple[str, ...] = tuple(VARIANTS)
    unlocked: bool = False
    """Turns off what keeps two trainers from one job, to see that it is noticed."""


@dataclass
class Report:
    """What happened, and everything that should not have."""

    plan: Plan
    jobs: int = 0
    attempts: int = 0
    seconds: float = 0.0
    strikes: list[Strike] = field(default_factory=list)
    broken: dict[str, list[str]] = field(default_factory=dict)
    """Invariant to what broke it; empty lists where it held."""
    recovery_s: dict[str, list[float]] = field(default_factory=dict)
    """Kind of fault to the times from the fault to the first minibatch of the struck job's next attempt."""
    cancel_s: list[float] = field(default_factory=list)
    """From the call to its trainer being gone."""

    @property
    def held(self) -> bool:
        return not any(self.broken.values())

    def text(self) -> str:
        counts = f"{len(self.strikes)} faults over {self.jobs} jobs, {self.attempts} attempts"
        lines = [f"seed {self.plan.seed}: {counts}, {self.seconds:.0f} s"]
        counted = Counter(each.kind for each in self.strikes)
        for kind, count in counted.most_common():
            times = self.recovery_s.get(kind, [])
            told = f"{_median(times)} to training again (of {len(times)})" if times else ""
            lines.append(f"  {kind:<24}{count:>5}   {told}")
        if self.cancel_s:
            lines.append(f"  cancel to trainer gone: {_median(self.cancel_s)} (of {len(self.cancel_s)})")
        for invariant, found in self.broken.items():
            lines.append(f"{invariant}: {len(found)}")
            lines += [f"    {line}" for line in found[:20]]
        return "\n".join(lines)


def _median(seconds: list[float]) -> str:
    return f"median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s"


def run(plan: Plan, home: Path, say: Callable[[str], None] = lambda _: None) -> Report:
    """Do it in the empty folder ``home``. Nothing runs any more when this returns."""
    begun = time.monotonic()
    dice = random.Random(plan.seed)
    environment = {
        "CNTK_JOBS_WORKERS": str(plan.workers),
        "CNTK_JOBS_LEASE_SECONDS": str(LEASE_S),
        # A campaign strikes far more often than life: what counts is that progress is never lost.
        "CNTK_JOBS_CRASH_LIMIT": "50",
    }
    if plan.unlocked:
        # What is forked dies with its supervisor by other means.
        environment |= {"PYTHONPATH": str(UNLOCKED), "CNTK_JOBS_WARM": "False"}
    victim = Victim(home, environment, dice, plan.away_s)
    report = Report(plan)
    try:
        with victim.service.client() as client:
            dataset = upload(client, home)
        customer = Customer(victim, dataset, plan.epochs, plan.variants)
        references = _references(customer, Volume(home / "volume"))
        say(f"{len(references)} references trained undisturbed in {time.monotonic() - begun:.0f} s")
        with Watcher(victim.processes) as watcher:
            _strike_all(plan, victim, customer, report, say)
            victim.settle()
            jobs = customer.wait_for_all(END_LIMIT_S)
        _check(report, jobs, victim, customer, references, watcher)
        _measure(report, jobs, Volume(home / "volume"))
    finally:
        victim.close()
    report.jobs = len(jobs)
    report.attempts = sum(job["attempt"] for job in jobs)
    report.seconds = time.monotonic() - begun
    return report


def _references(customer: Customer, volume: Volume) -> dict[str, checks.Reference]:
    for _ in customer.variants:
        customer.post()
    assert len(customer.accepted) == len(customer.variants)
    found = {job["id"]: job for job in customer.wait_for_all(END_LIMIT_S)}
    return {
        variant: checks.reference(found[job], volume.job(job)) for job, variant in customer.accepted.items()
    }


def _strike_all(
    plan: Plan, victim: Victim, customer: Customer, report: Report, say: Callable[[str], None]
) -> None:
    kinds = [kind for kind in plan.kinds if kind.possible(victim)]
    if impossible := [kind.name for kind in plan.kinds if kind not in kinds]:
        say(f"not possible here: {', '.join(impossible)}")
    weights = [kind.weight for kind in kinds]
    told = 0
    while len(report.strikes) < plan.faults or len(customer.accepted) < plan.jobs:
        jobs = customer.jobs()
        waiting = list(unfinished(jobs or []))
        if jobs is not None and len(waiting) < plan.backlog:
            customer.post()
        if waiting:
            _steer(victim, customer, waiting, report)
        time.sleep(victim.dice.expovariate(1 / plan.pace))
        if len(report.strikes) < plan.faults:
            [kind] = victim.dice.choices(kinds, weights)
            struck = strike(kind, victim)
            if struck is not None:
                report.strikes.append(struck)
        if len(report.strikes) >= told + 25:
            told = len(report.strikes)
            say(f"{told} faults, {len(customer.accepted)} jobs accepted")


def _steer(victim: Victim, customer: Customer, waiting: list[Job], report: Report) -> None:
    """Now and then somebody cancels a job, pauses one, or lets one go on."""
    draw = victim.dice.random()
    if draw < CANCELLED_SHARE:
        _cancel(victim, customer, waiting, report)
    elif draw < CANCELLED_SHARE + PAUSED_SHARE:
        customer.ask(victim.dice.choice(waiting)["id"], "pause")
    elif draw > 0.5:
        customer.resume_all(waiting)


def _cancel(victim: Victim, customer: Customer, waiting: list[Job], report: Report) -> None:
    """Cancel a job that has not ended, and see how long its trainer takes to be gone."""
    job = victim.dice.choice(waiting)["id"]
    at_work = [trainer for trainer in victim.processes.trainers() if trainer.job == job]
    called = time.monotonic()
    if customer.cancel(job) and at_work:
        while any(trainer.job == job for trainer in victim.processes.trainers()):
            if time.monotonic() - called > END_LIMIT_S:
                return
            time.sleep(0.002)
        report.cancel_s.append(time.monotonic() - called)


def _check(
    report: Report,
    jobs: list[Job],
    victim: Victim,
    customer: Customer,
    references: dict[str, checks.Reference],
    watcher: Watcher,
) -> None:
    volume = Volume(victim.home / "volume")
    # A job whose answer was lost on the way is there all the same, and tells its variant by its name.
    variants = {job["id"]: job["name"].rpartition(" / ")[0] for job in jobs}
    with customer.client() as client:
        report.broken = {
            "lost": list(checks.lost(customer.accepted, jobs)),
            "ended otherwise": list(checks.ended_otherwise(jobs, customer.cancelled)),
            "two trainers at once": watcher.overlaps + list(checks.doubled(volume)),
            "differing results": list(checks.differing(jobs, variants, references, volume)),
            "orphans": list(
                checks.orphans(victim.processes, {victim.service.process.pid, victim.other_api.process.pid})
            ),
            "half written": list(checks.half_written(volume)),
            "events": list(checks.disordered(jobs, client)),
        }


def _measure(report: Report, jobs: list[Job], volume: Volume) -> None:
    """How long jobs that lost their trainer to a fault took to train again."""
    first: dict[str, list[float]] = {job["id"]: [] for job in jobs}
    pids: dict[str, dict[int, int]] = {job["id"]: {} for job in jobs}
    for job in jobs:
        for number in range(1, job["attempt"] + 1):
            for fact in checks.facts(volume.job(job["id"]).attempt(number)):
                if fact["type"] == "first_minibatch":
                    first[job["id"]].append(fact["time"])
                elif fact["type"] == "started":
                    pids[job["id"]][fact["pid"]] = number
    for struck in report.strikes:
        for trainer in struck.trainers:
            job, pid = trainer.job, trainer.pid
            if (
                struck.kind not in _TAKES_TRAINERS
                or struck.pid not in trainer.line
                or pid not in pids.get(job, {})
            ):
                continue
            later = [moment for moment in first[job] if moment > struck.at]
            # Another fault on the way would be counted with this one.
            alone = later and not any(struck.at < each.at < min(later) for each in report.strikes)
            if alone and _again(volume, job, pids[job][pid], struck.at):
                report.recovery_s.setdefault(struck.kind, []).append(min(later) - struck.at)


_TAKES_TRAINERS = {kind.name for kind in KINDS if kind.takes_trainers}


def _again(volume: Volume, job: str, attempt: int, at: float) -> bool:
    """Whether the attempt wrote nothing more after the fault, having trained before."""
    told = checks.facts(volume.job(job).attempt(attempt))
    trained: list[dict[str, Any]] = [fact for fact in told if fact["type"] == "first_minibatch"]
    return bool(trained) and trained[0]["time"] < at
