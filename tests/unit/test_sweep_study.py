"""Trials as Optuna chooses and prunes them: repeatable, and the same however often a study is made anew."""

from __future__ import annotations

import math
from statistics import median
from typing import Any

import pytest

from jobs.sweeps.course import Course, Fate
from jobs.sweeps.models import Goal, SweepSpec
from jobs.sweeps.space import Parameters
from jobs.sweeps.study import Studied

GOAL = Goal(metric="error")
SPACE = {
    "/learner/alpha": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
    "/network/0/units": {"type": "int", "low": 8, "high": 64, "step": 8},
    "/network/0/activation": {"type": "choice", "values": ["relu", None, True, 1, ["a"]]},
}


def sweep(**asked: Any) -> SweepSpec:
    return SweepSpec.model_validate({"spec": {}, "space": SPACE, "trials": 30, **asked})


def studied(asked: SweepSpec, epochs: int = 9) -> Studied:
    return Studied(asked, GOAL, epochs)


def error(parameters: Parameters) -> float:
    """What a network of these values would reach: best at 0.01 and 64 units."""
    return abs(math.log10(parameters["/learner/alpha"]) + 2) + 1 / parameters["/network/0/units"]


def played(asked: SweepSpec, trials: int, *, anew: bool = False) -> list[Parameters]:
    """The values of trials that are run one after the other; ``anew``: each time by a study made anew."""
    one, courses = studied(asked), []
    for number in range(trials):
        if anew:
            one = studied(asked)
        one.learn(courses)
        parameters = one.next(number)
        assert parameters is not None
        value = error(parameters)
        courses.append(Course(number, parameters, Fate.COMPLETE, {1: value + 1, 2: value}, value))
    return [course.parameters for course in courses]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_seed_makes_the_trials(sampler: str) -> None:
    asked = sweep(sampler={"type": sampler, "seed": 3, **({"startup_trials": 4} if sampler == "tpe" else {})})
    found = played(asked, 12)
    assert played(asked, 12) == found
    assert played(asked, 12, anew=True) == found
    other = sweep(sampler={"type": sampler, "seed": 4})
    assert played(other, 12) != found
    for parameters in found:
        assert 1e-4 <= parameters["/learner/alpha"] <= 1
        assert parameters["/network/0/units"] in range(8, 65, 8)
        assert parameters["/network/0/activation"] in ["relu", None, True, 1, ["a"]]


def test_tpe_looks_where_trials_did_well() -> None:
    found = played(sweep(sampler={"type": "tpe", "seed": 1, "startup_trials": 8}), 40)
    by_chance = played(sweep(sampler={"type": "random", "seed": 1}), 40)
    assert median(map(error, found[8:])) < median(map(error, by_chance)) / 1.5


def test_a_grid_has_every_combination_once() -> None:
    space = {
        "/a": {"type": "choice", "values": [True, 1]},
        "/b": {"type": "int", "low": 2, "high": 6, "step": 2},
        "/c": {"type": "float", "low": 0.0, "high": 0.3, "step": 0.1},
    }
    one = studied(sweep(space=space, sampler={"type": "grid"}, trials=None))
    found = [one.next(number) for number in range(24)]
    assert one.next(24) is None
    assert found[0] == {"/a": True, "/b": 2, "/c": 0.0}
    assert found[1] == {"/a": True, "/b": 2, "/c": 0.1}
    assert len({str(parameters) for parameters in found}) == 24


def course(number: int, *values: float, fate: Fate = Fate.GOING_ON) -> Course:
    chosen = {"/learner/alpha": 0.1, "/network/0/units": 8, "/network/0/activation": ["a"]}
    by_epoch = dict(enumerate(values, start=1))
    return Course(number, chosen, fate, by_epoch, values[-1] if fate is Fate.COMPLETE else None)


def test_the_median_decides() -> None:
    one = studied(sweep(pruner={"type": "median", "startup_trials": 3, "warmup_epochs": 1}))
    complete = [course(number, 3, 2 - number / 10, fate=Fate.COMPLETE) for number in range(3)]
    one.learn([*complete, course(3, 9.0), course(4, 3.0, 1.85)])
    assert one.to_prune() == []
    one.learn([course(3, 9.0, 1.95), course(4, 3.0, 1.85, 5.0)])
    assert one.to_prune() == [3]
    # It has ended since.
    one.learn([course(3, 9.0, 1.95, fate=Fate.PRUNED)])
    assert one.to_prune() == []


def test_higher_may_be_better() -> None:
    asked = sweep(pruner={"type": "median", "startup_trials": 1})
    one = Studied(asked, Goal(metric="accuracy", better="higher"), 9)
    one.learn([course(0, 0.5, fate=Fate.COMPLETE), course(1, 0.4), course(2, 0.6)])
    assert one.to_prune() == [1]


def test_hyperband_lets_the_best_share_go_on_and_a_study_made_anew_agrees() -> None:
    asked = sweep(pruner={"type": "hyperband", "min_epochs": 1, "reduction_factor": 3})
    courses = [course(number, *[(number * 7) % 18 / 18] * 9) for number in range(18)]
    one = studied(asked)
    for known in range(1, 10):
        one.learn(
            Course(
                found.number,
                found.parameters,
                by_epoch={k: v for k, v in found.by_epoch.items() if k <= known},
            )
            for found in courses
        )
    condemned = one.to_prune()
    assert 6 <= len(condemned) < 18
    best = min(courses, key=lambda found: found.by_epoch[9])
    assert best.number not in condemned
    again = studied(asked)
    again.learn(courses)
    assert again.to_prune()
    assert best.number not in again.to_prune()


def test_a_trial_without_a_value_has_failed() -> None:
    one = studied(sweep(pruner={"type": "median", "startup_trials": 1}))
    one.learn([Course(0, course(0).parameters, Fate.COMPLETE, {1: math.nan}, None), course(1, 9.0)])
    assert one.to_prune() == []
    assert one.next(2) is not None
