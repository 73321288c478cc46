"""A short campaign against the real service, and proof that a campaign can fail."""

from pathlib import Path

from tests.chaos.campaign import Plan, run
from tests.chaos.faults import KINDS


def test_nothing_is_lost_doubled_or_different_whatever_is_killed(tmp_path: Path) -> None:
    report = run(Plan(seed=11, faults=20, jobs=6), tmp_path / "home")
    assert report.held, report.text()
    assert len(report.strikes) >= 20, report.text()


def test_without_the_lock_a_campaign_finds_two_trainers_of_one_job(tmp_path: Path) -> None:
    kinds = tuple(kind for kind in KINDS if kind.name == "horse killed")
    plan = Plan(
        faults=2, jobs=1, pace=1.0, epochs=30, kinds=kinds, variants=("dense, rmsprop",), unlocked=True
    )
    report = run(plan, tmp_path / "home")
    assert report.broken["two trainers at once"], report.text()
