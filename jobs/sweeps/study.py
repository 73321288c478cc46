"""Optuna is asked for the next trial, and whether one shall go on."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from jobs.sweeps.course import Course, Fate
from jobs.sweeps.models import Choice, FloatRange, Goal, Hyperband, Median, SweepSpec, Tpe
from jobs.sweeps.space import Parameters, grid

optuna.logging.set_verbosity(optuna.logging.ERROR)


_STATES = {
    Fate.COMPLETE: TrialState.COMPLETE,
    Fate.PRUNED: TrialState.PRUNED,
    Fate.FAILED: TrialState.FAIL,
}


class Studied:
    """The trials of one sweep as Optuna knows them. ``learn`` before anything is asked."""

    def __init__(self, sweep: SweepSpec, goal: Goal, epochs: int) -> None:
        """``epochs``: the longest that a trial can last."""
        self._sweep = sweep
        self._distributions = {pointer: _distribution(found) for pointer, found in sweep.space.items()}
        # Hyperband divides trials by the study's name: it must be the same for the same seed.
        seed = getattr(sweep.sampler, "seed", 0)
        self._seed = seed
        direction = StudyDirection.MINIMIZE if goal.better == "lower" else StudyDirection.MAXIMIZE
        self._study: Study = optuna.create_study(
            study_name=f"seed {seed}",
            direction=direction,
            sampler=RandomSampler(seed=0),
            pruner=_pruner(sweep, epochs),
        )
        self._trials: dict[int, Trial] = {}
        self._told: dict[int, int] = {}
        self._ended: set[int] = set()
        self._condemned: set[int] = set()
        self._made_anew = True

    def learn(self, courses: Iterable[Course]) -> None:
        """Take in what is new of all trials, the first of them first."""
        for course in sorted(courses, key=lambda course: course.number):
            if course.number not in self._trials:
                self._enter(course)
            trial = self._trials[course.number]
            newest = max(course.by_epoch, default=0)
            for epoch in sorted(course.by_epoch):
                if epoch > self._told[course.number]:
                    self._told[course.number] = epoch
                    value = course.by_epoch[epoch]
                    trial.report(value, epoch)
                    # Asked at every epoch: Hyperband keeps the standing of each trial at its rungs.
                    condemned = math.isfinite(value) and trial.should_prune()
                    # Of what has passed long since only the newest is judged, by what is known today.
                    if condemned and not (self._made_anew and epoch < newest):
                        self._condemned.add(course.number)
            if course.fate in _STATES and course.number not in self._ended:
                self._ended.add(course.number)
                self._end(trial, course)
        self._made_anew = False

    def _end(self, trial: Trial, course: Course) -> None:
        state, value = _STATES[course.fate], None
        if course.fate is Fate.COMPLETE:
            value = course.value
            state = TrialState.FAIL if value is None else state
        self._study.tell(trial, value, state=state)

    def _enter(self, course: Course) -> None:
        chosen = {pointer: self._internal(pointer, value) for pointer, value in course.parameters.items()}
        self._study.add_trial(
            create_trial(state=TrialState.RUNNING, params=chosen, distributions=self._distributions)
        )
        entered: FrozenTrial = self._study.get_trials(deepcopy=False)[-1]
        self._trials[course.number] = Trial(self._study, entered._trial_id)
        self._told[course.number] = 0

    def to_prune(self) -> list[int]:
        """Trials that go on and should not."""
        return sorted(self._condemned - self._ended)

    def next(self, number: int) -> Parameters | None:
        """The values of a trial that is to be begun; None where a grid has no more.

        The same trials before it, and what they told, lead to the same values.
        """
        if self._sweep.sampler.type == "grid":
            return grid(self._sweep, number)
        self._study.sampler = self._sampler(number)
        trial = self._study.ask(self._distributions)
        self._trials[number], self._told[number] = trial, 0
        return {pointer: self._external(pointer, trial.params[pointer]) for pointer in self._sweep.space}

    def _sampler(self, number: int) -> BaseSampler:
        digest = hashlib.sha256(f"{self._seed}/{number}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big")
        sampler = self._sweep.sampler
        if isinstance(sampler, Tpe):
            return TPESampler(seed=seed, n_startup_trials=sampler.startup_trials, constant_liar=True)
        return RandomSampler(seed=seed)

    # Choices may be lists and objects, which Optuna does not take: it is told their positions.

    def _internal(self, pointer: str, value: Any) -> Any:
        dimension = self._sweep.space[pointer]
        if not isinstance(dimension, Choice):
            return value
        # By their text: 1 and true are equal in Python.
        return [json.dumps(one, sort_keys=True) for one in dimension.extremes()].index(
            json.dumps(value, sort_keys=True)
        )

    def _external(self, pointer: str, value: Any) -> Any:
        dimension = self._sweep.space[pointer]
        return dimension.extremes()[value] if isinstance(dimension, Choice) else value


def _distribution(dimension: Any) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(range(len(dimension.extremes())))
    if isinstance(dimension, FloatRange):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)
    return IntDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


def _pruner(sweep: SweepSpec, epochs: int) -> BasePruner:
    pruner = sweep.pruner
    if isinstance(pruner, Median):
        # Its steps would count from 0.
        warmup = pruner.warmup_epochs + 1
        return MedianPruner(n_startup_trials=pruner.startup_trials, n_warmup_steps=warmup)
    if isinstance(pruner, Hyperband):
        return HyperbandPruner(
            min_resource=pruner.min_epochs, max_resource=epochs, reduction_factor=pruner.reduction_factor
        )
    return NopPruner()
