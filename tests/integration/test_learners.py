"""Every learner for 200 steps against its rule written down in numpy.

The network is one dense layer and the loss a squared error, so that the gradient is known:
2 x'(x W + b - y) / n over a minibatch of n examples. The references compute in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from jobs.specs.normalise import normalise
from tests.trainer_runs import Sparse, Workshop
from tests.trainer_scripts import in_trainer
from trainer.parts import learners, schedules

ROWS, MINIBATCH, STEPS, EPOCHS = 20, 8, 200, 67
"""Minibatches of 8, 8 and 4 examples; 201 steps in all."""

State = dict[str, Any]
Rule = Callable[[np.ndarray, np.ndarray, State, float, int], np.ndarray]
"""(parameter, mean gradient, state of this parameter, rate, examples in the minibatch) -> parameter"""


def sgd() -> Rule:
    return lambda p, g, state, rate, n: p - rate * g


def momentum(share: float = 0.9, gain: float = 1.0) -> Rule:
    def rule(p: np.ndarray, g: np.ndarray, state: State, rate: float, n: int) -> np.ndarray:
        state["v"] = share * state.get("v", 0) + rate * gain * g
        return np.asarray(p - state["v"])

    return rule


def nesterov(momentum: float = 0.9, gain: float = 1.0) -> Rule:
    def rule(p: np.ndarray, g: np.ndarray, state: State, rate: float, n: int) -> np.ndarray:
        state["v"] = momentum * state.get("v", 0) + rate * gain * g
        return np.asarray(p - rate * gain * g - momentum * state["v"])

    return rule


def lazy_momentum(share: float = 0.9, gain: float = 1.0) -> Rule:
    """Behind a sparse input, for the rows of the weights that occur in the minibatch."""
    dense = momentum(share, gain)

    def rule(p: np.ndarray, g: np.ndarray, state: State, rate: float, n: int) -> np.ndarray:
        if g.ndim == 1:
            return np.asarray(dense(p, g, state, rate, n))
        occurring = g.any(axis=1, keepdims=True)
        # A zero of the first word stands in where a minibatch has no word at all.
        occurring[0] |= not occurring.any()
        v = state.get("v", np.zeros_like(p))
        state["v"] = np.where(occurring, share * v + gain * g, v)
        return np.asarray(np.where(occurring, p - rate * state["v"], p))

    return rule


def adam(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Rule:
    def rule(p: np.ndarray, g: np.ndarray, state: State, rate: float, n: int) -> np.ndarray:
        t = state["t"] = state.get("t", 0) + 1
        state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
        state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g * g
        corrected = rate * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        return np.asarray(p - corrected * state["m"] / (np.sqrt(state["v"]) + epsilon))

    return rule


def adamax(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Rule:
    def rule(p: np.ndarray, g: np.ndarray, state: State, rate: float, n: int) -> np.ndarray:
        t = state["t"] = state.get("t", 0) + 1
        state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
        state["u"] = np.maximum(beta2 * state.get("u", 0), np.abs(g))
        return np.asarray(p - rate / (1 - beta1**t) * state["m"] / (state["u"] + epsilon))

    return rule


def fsadagrad(momentum: float = 0.9, variance_momentum: float = 0.999, gain: float = 0.1) -> Rule:
    def rule(p: np.ndarray, g: np.ndarray, state: State, rate: float, n: int) -> np.ndarray:
        state["count"] = variance_momentum * state.get("count", 0) + (1 - variance_momentum) * n
        state["v"] = variance_momentum * state.get("v", 0) + (1 - variance_momentum) * g * g
        scaled = g * np.minimum(np.sqrt(state["count"]) / np.sqrt(state["v"]), 10)
        state["m"] = momentum * state.get("m", 0) + gain * scaled
        return np.asarray(p - rate * state["m"])

    return rule


def adagrad() -> Rule:
    def rule(p: np.ndarray, g: np.ndarray, state: State, rate: float, n: int) -> np.ndarray:
        state["sum"] = state.get("sum", 0) + g * g
        return np.asarray(p - rate * g / np.sqrt(state["sum"] + 1e-16))

    return rule


def adadelta(rho: float = 0.9, epsilon: float = 1e-6) -> Rule:
    def rule(p: np.ndarray, g: np.ndarray, state: State, rate: float, n: int) -> np.ndarray:
        state["v"] = rho * state.get("v", 0) + (1 - rho) * g * g
        move = np.sqrt((state.get("moves", 0) + epsilon) / (state["v"] + epsilon)) * g
        state["moves"] = rho * state.get("moves", 0) + (1 - rho) * move * move
        return np.asarray(p - rate * move)

    return rule


def rmsprop(
    gamma: float = 0.95, inc: float = 1.2, dec: float = 0.7, most: float = 10, least: float = 0.1
) -> Rule:
    def rule(p: np.ndarray, g: np.ndarray, state: State, rate: float, n: int) -> np.ndarray:
        state.setdefault("v", g * g)
        state["v"] = gamma * state["v"] + (1 - gamma) * g * g
        same = state.get("sign", np.zeros_like(g)) * np.sign(g) > 0
        step = state.get("step", np.full_like(g, 0.02))
        state["step"] = np.where(same, np.minimum(step * inc, most), np.maximum(step * dec, least))
        state["sign"] = np.sign(g)
        return np.asarray(p - rate * g * state["step"] / np.sqrt(state["v"] + 1e-6))

    return rule


def clipped_norm(rule: Rule, norm: float) -> Rule:
    def clipped(p: np.ndarray, g: np.ndarray, state: State, rate: float, n: int) -> np.ndarray:
        return rule(p, g / max(1.0, float(np.linalg.norm(g)) / norm), state, rate, n)

    return clipped


def clipped_value(rule: Rule, value: float) -> Rule:
    return lambda p, g, state, rate, n: rule(p, np.clip(g, -value, value), state, rate, n)


def decayed(rule: Rule, l2: float) -> Rule:
    return lambda p, g, state, rate, n: rule(p, g + l2 * p, state, rate, n)


def shrunk(rule: Rule, l1: float) -> Rule:
    def proximal(p: np.ndarray, g: np.ndarray, state: State, rate: float, n: int) -> np.ndarray:
        moved = rule(p, g, state, rate, n)
        return np.asarray(np.sign(moved) * np.maximum(np.abs(moved) - rate * l1, 0))

    return proximal


SCHEDULED = {
    "type": "warm_up",
    "epochs": 3.0,
    "start_factor": 0.1,
    "then": {"type": "cosine", "rate": 0.05, "epochs": 40.0},
}

CASES: list[tuple[dict[str, Any], Rule, float]] = [
    # Learner, rule, largest difference of any parameter after 200 steps.
    ({"type": "sgd"}, sgd(), 2e-6),
    ({"type": "sgd", "learning_rate": 0.1}, sgd(), 2e-6),
    ({"type": "sgd", "learning_rate": SCHEDULED}, sgd(), 2e-6),
    ({"type": "sgd", "learning_rate": {"type": "exponential", "rate": 0.1, "factor": 0.9}}, sgd(), 2e-6),
    ({"type": "momentum"}, momentum(), 2e-6),
    ({"type": "momentum", "momentum": 0.5, "unit_gain": True}, momentum(0.5, 0.5), 2e-6),
    ({"type": "momentum", "learning_rate": SCHEDULED}, momentum(), 4e-6),
    ({"type": "nesterov"}, nesterov(), 4e-6),
    ({"type": "nesterov", "momentum": 0.5, "unit_gain": True}, nesterov(0.5, 0.5), 4e-6),
    ({"type": "nesterov", "learning_rate": SCHEDULED}, nesterov(), 4e-6),
    ({"type": "adam"}, adam(), 4e-6),
    (
        {"type": "adam", "alpha": 0.01, "beta1": 0.7, "beta2": 0.95, "epsilon": 1e-2},
        adam(0.7, 0.95, 1e-2),
        4e-6,
    ),
    ({"type": "adam", "alpha": SCHEDULED}, adam(), 2e-5),
    ({"type": "adamax"}, adamax(), 4e-6),
    (
        {"type": "adamax", "alpha": 0.01, "beta1": 0.7, "beta2": 0.95, "epsilon": 1e-2},
        adamax(0.7, 0.95, 1e-2),
        4e-6,
    ),
    ({"type": "fsadagrad"}, fsadagrad(), 4e-6),
    (
        {"type": "fsadagrad", "momentum": 0.5, "variance_momentum": 0.9, "unit_gain": False},
        fsadagrad(0.5, 0.9, 1.0),
        4e-6,
    ),
    ({"type": "adagrad"}, adagrad(), 4e-6),
    ({"type": "adagrad", "learning_rate": 0.2}, adagrad(), 4e-6),
    ({"type": "adadelta"}, adadelta(), 4e-6),
    ({"type": "adadelta", "rho": 0.7, "epsilon": 1e-4, "learning_rate": 0.5}, adadelta(0.7, 1e-4), 4e-6),
    ({"type": "rmsprop"}, rmsprop(), 4e-6),
    (
        {"type": "rmsprop", "gamma": 0.8, "inc": 1.5, "dec": 0.5, "max": 4.0, "min": 0.2},
        rmsprop(0.8, 1.5, 0.5, 4.0, 0.2),
        4e-6,
    ),
    ({"type": "sgd", "l2": 0.3}, decayed(sgd(), 0.3), 2e-6),
    ({"type": "momentum", "l2": 0.3}, decayed(momentum(), 0.3), 4e-6),
    ({"type": "adam", "l2": 0.3}, decayed(adam(), 0.3), 4e-6),
    ({"type": "sgd", "l1": 0.3}, shrunk(sgd(), 0.3), 2e-6),
    ({"type": "adam", "alpha": 0.01, "l1": 0.3}, shrunk(adam(), 0.3), 2e-5),
    ({"type": "sgd", "l1": 0.2, "l2": 0.1}, shrunk(decayed(sgd(), 0.1), 0.2), 2e-6),
    ({"type": "sgd", "clip_norm": 0.7}, clipped_norm(sgd(), 0.7), 2e-6),
    # Two hundred equal steps of 0.002 are rounded the same way each time.
    ({"type": "sgd", "clip_value": 0.2}, clipped_value(sgd(), 0.2), 4e-5),
    ({"type": "momentum", "clip_norm": 0.7}, clipped_norm(momentum(), 0.7), 4e-6),
    ({"type": "adagrad", "clip_value": 0.2}, clipped_value(adagrad(), 0.2), 4e-6),
    ({"type": "sgd", "l2": 0.3, "clip_norm": 0.7}, clipped_norm(decayed(sgd(), 0.3), 0.7), 2e-6),
]
SPARSE: list[tuple[dict[str, Any], Rule, float]] = [
    # The same behind a sparse input.
    ({"type": "sgd", "learning_rate": SCHEDULED}, sgd(), 2e-6),
    ({"type": "sgd", "l1": 0.3}, shrunk(sgd(), 0.3), 4e-6),
    ({"type": "sgd", "clip_norm": 0.7}, clipped_norm(sgd(), 0.7), 2e-6),
    ({"type": "sgd", "clip_value": 0.2}, clipped_value(sgd(), 0.2), 4e-5),
    ({"type": "momentum"}, lazy_momentum(), 4e-6),
    ({"type": "momentum", "momentum": 0.5, "unit_gain": True}, lazy_momentum(0.5, 0.5), 4e-6),
    ({"type": "momentum", "learning_rate": SCHEDULED}, lazy_momentum(), 4e-6),
    ({"type": "adagrad"}, adagrad(), 4e-6),
    ({"type": "adagrad", "l1": 0.3}, shrunk(adagrad(), 0.3), 4e-6),
]
ROWS_OF = {"x": CASES, "words": SPARSE}
IDS = [
    (field, number, f"{field} " + " ".join(f"{k}={v}" if k != "type" else v for k, v in case[0].items()))
    for field, cases in ROWS_OF.items()
    for number, case in enumerate(cases)
]


def test_every_learner_has_a_row() -> None:
    assert {document["type"] for document, _, _ in CASES} == {part.name for part in learners}
    sparse = {part.name for part in learners if part.facts.get("sparse")}
    assert {document["type"] for document, _, _ in SPARSE} == sparse


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    x = random.normal(size=(ROWS, 5)).astype(np.float32)
    wanted = x[:, :3] * [1, -2, 0.5] + random.normal(size=(ROWS, 3))
    # No word occurs in the second minibatch, and the last word nowhere.
    words = np.where(random.random((ROWS, 5)) < 0.4, random.normal(size=(ROWS, 5)), 0).astype(np.float32)
    words[MINIBATCH : 2 * MINIBATCH] = 0
    words[:, -1] = 0
    return {"x": x, "words": words, "y": wanted.astype(np.float32)}


@pytest.fixture(scope="module")
def initial() -> dict[str, np.ndarray]:
    random = np.random.default_rng(6)
    return {
        "out.W": random.normal(size=(5, 3)).astype(np.float32),
        "out.b": np.array([0.1, -0.2, 0.3], np.float32),
    }


@pytest.fixture(scope="module")
def trained(
    workshop: Workshop, data: dict[str, np.ndarray], initial: dict[str, np.ndarray]
) -> dict[tuple[str, int], dict[str, Any]]:
    """What CNTK made of each case, by field and number."""
    dataset = workshop.dataset("line", data | {"words": Sparse.of(data["words"])}, {"train": np.arange(ROWS)})
    rows = {}
    for field, number, _ in IDS:
        spec = {
            "dataset": dataset,
            "inputs": {"x": field},
            "network": [{"name": "out", "type": "dense", "units": 3, "input": "x"}],
            "objective": [{"type": "squared_error", "output": "out", "target": "y"}],
            "learner": ROWS_OF[field][number][0],
            "training": {"epochs": EPOCHS, "minibatch_size": MINIBATCH, "shuffle": False},
        }
        rows[field, number] = {
            "spec": normalise(spec, workshop.volume, workshop.settings).document,
            "dataset": str(workshop.volume.dataset(dataset).path),
            "initial": {name: value.tolist() for name, value in initial.items()},
            "after": [1, STEPS],
        }
    results = in_trainer(workshop.environment, "training", list(rows.values()))
    return {key: row | result for (key, row), result in zip(rows.items(), results, strict=True)}


def reference(
    rule: Rule,
    schedule: dict[str, Any],
    all_x: np.ndarray,
    all_y: np.ndarray,
    initial: dict[str, np.ndarray],
    factors: Mapping[str, float] = MappingProxyType({}),
) -> tuple[dict[int, dict[str, np.ndarray]], list[float]]:
    """Parameters after each step, and the loss of each minibatch."""
    parameters = {name: value.astype(np.float64) for name, value in initial.items()}
    states: dict[str, State] = {name: {} for name in parameters}
    after, losses = {}, []
    for step in range(STEPS):
        epoch, place = divmod(step, -(-ROWS // MINIBATCH))
        rows = slice(place * MINIBATCH, min((place + 1) * MINIBATCH, ROWS))
        x, y = all_x[rows].astype(np.float64), all_y[rows].astype(np.float64)
        rest = x @ parameters["out.W"] + parameters["out.b"] - y
        losses.append(float(np.square(rest).sum() / len(x)))
        gradients = {"out.W": 2 * x.T @ rest / len(x), "out.b": 2 * rest.sum(axis=0) / len(x)}
        rate = schedules.build(schedule, epoch + place * MINIBATCH / ROWS)
        for name, gradient in gradients.items():
            own = rate * factors.get(name, 1.0)
            parameters[name] = rule(parameters[name], gradient, states[name], own, len(x))
        after[step + 1] = dict(parameters)
    return after, losses


@pytest.mark.parametrize(
    ("field", "number"), [pytest.param(field, number, id=name) for field, number, name in IDS]
)
def test_learner_is_its_rule(
    trained: dict[tuple[str, int], dict[str, Any]],
    data: dict[str, np.ndarray],
    initial: dict[str, np.ndarray],
    field: str,
    number: int,
) -> None:
    document, rule, tolerance = ROWS_OF[field][number]
    found = trained[field, number]
    schedule = found["spec"]["learner"][learners[document["type"]].facts["rate"]]
    expected, losses = reference(rule, schedule, data[field], data["y"], initial)
    for step in (1, STEPS):
        for name, value in expected[step].items():
            np.testing.assert_allclose(
                found["parameters"][str(step)][name], value, rtol=tolerance, atol=tolerance
            )
    np.testing.assert_allclose(found["losses"][:STEPS], losses, rtol=1e-4)


FACTORS: list[tuple[dict[str, Any], dict[str, float]]] = [
    # Settings of the training, and what they make of the rates of weights and biases.
    ({"rate_factors": {"out": 0.25}}, {"out.W": 0.25, "out.b": 0.25}),
    ({"bias_rate_factor": 2.0}, {"out.W": 1.0, "out.b": 2.0}),
    ({"rate_factors": {"out": 0.25}, "bias_rate_factor": 2.0}, {"out.W": 0.25, "out.b": 0.5}),
]


@pytest.mark.parametrize("rule", [sgd, momentum, adam])
def test_layers_and_biases_have_rates_of_their_own(
    workshop: Workshop, data: dict[str, np.ndarray], initial: dict[str, np.ndarray], rule: Any
) -> None:
    name = f"line_{rule.__name__}"
    dataset = workshop.dataset(name, {"x": data["x"], "y": data["y"]}, {"train": np.arange(ROWS)})
    rows = []
    for given, _ in FACTORS:
        spec = {
            "dataset": dataset,
            "inputs": {"x": "x"},
            "network": [{"name": "out", "type": "dense", "units": 3, "input": "x"}],
            "objective": [{"type": "squared_error", "output": "out", "target": "y"}],
            "learner": {"type": rule.__name__},
            "training": {"epochs": EPOCHS, "minibatch_size": MINIBATCH, "shuffle": False, **given},
        }
        rows.append(
            {
                "spec": normalise(spec, workshop.volume, workshop.settings).document,
                "dataset": str(workshop.volume.dataset(dataset).path),
                "initial": {name: value.tolist() for name, value in initial.items()},
                "after": [STEPS],
            }
        )
    for (_, factors), row, found in zip(
        FACTORS, rows, in_trainer(workshop.environment, "training", rows), strict=True
    ):
        schedule = row["spec"]["learner"][learners[rule.__name__].facts["rate"]]
        expected, _ = reference(rule(), schedule, data["x"], data["y"], initial, factors)
        for name, value in expected[STEPS].items():
            np.testing.assert_allclose(found["parameters"][str(STEPS)][name], value, rtol=2e-5, atol=2e-5)
