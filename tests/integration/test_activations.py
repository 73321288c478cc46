"""Every activation against its formula in numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.trainer_scripts import complete, in_trainer
from trainer.parts import activations

Function = Callable[[np.ndarray], np.ndarray]


def softmax(x: np.ndarray) -> np.ndarray:
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def hardmax(x: np.ndarray) -> np.ndarray:
    return np.asarray(x == x.max(axis=-1, keepdims=True)).astype(float)


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

ROWS: list[tuple[dict[str, Any], Function]] = [
    ({"type": "none"}, lambda x: x),
    ({"type": "relu"}, lambda x: np.maximum(x, 0)),
    ({"type": "leaky_relu"}, lambda x: np.where(x > 0, x, 0.01 * x)),
    ({"type": "leaky_relu", "alpha": 0.3}, lambda x: np.where(x > 0, x, 0.3 * x)),
    ({"type": "elu"}, lambda x: np.where(x > 0, x, np.expm1(x))),
    ({"type": "elu", "alpha": 0.4}, lambda x: np.where(x > 0, x, 0.4 * np.expm1(x))),
    ({"type": "selu"}, lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x))),
    ({"type": "param_relu"}, lambda x: np.where(x > 0, x, 0.25 * x)),
    ({"type": "param_relu", "init": -0.5}, lambda x: np.where(x > 0, x, -0.5 * x)),
    ({"type": "sigmoid"}, lambda x: 1 / (1 + np.exp(-x))),
    ({"type": "hard_sigmoid"}, lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    ({"type": "hard_sigmoid", "alpha": 0.7, "beta": 0.1}, lambda x: np.clip(0.7 * x + 0.1, 0, 1)),
    ({"type": "tanh"}, np.tanh),
    ({"type": "softplus"}, lambda x: np.logaddexp(0, x)),
    ({"type": "softsign"}, lambda x: x / (1 + np.abs(x))),
    ({"type": "softmax"}, softmax),
    ({"type": "log_softmax"}, lambda x: np.log(softmax(x))),
    ({"type": "hardmax"}, hardmax),
]
SHAPES = [(6,), (3, 4), (2, 3, 4)]


def test_every_activation_has_a_row() -> None:
    assert {document["type"] for document, _ in ROWS} == {part.name for part in activations}


def sample(shape: tuple[int, ...]) -> np.ndarray:
    """Five examples, from tiny to saturating, both signs and zero."""
    random = np.random.default_rng(len(shape))
    scale = np.array([0.01, 1, 3, 10, 40]).reshape(5, *[1] * len(shape))
    values = (random.normal(size=(5, *shape)) * scale).astype(np.float32)
    values[0].flat[0] = 0
    return values


@pytest.fixture(scope="module")
def evaluated(chosen_environment: dict[str, Any]) -> list[np.ndarray]:
    requests = [
        {
            "inputs": {"x": {"shape": shape, "sparse": False}},
            "layers": [
                {
                    "name": "y",
                    "type": "activation",
                    "input": "x",
                    "function": complete("activation", document),
                }
            ],
            "seed": 1,
            "feed": {"x": sample(shape).tolist()},
        }
        for shape in SHAPES
        for document, _ in ROWS
    ]
    return [np.array(found["y"]["values"]) for found in in_trainer(chosen_environment, "graph", requests)]


@pytest.mark.parametrize("rank", range(len(SHAPES)))
@pytest.mark.parametrize("number", range(len(ROWS)), ids=[str(document) for document, _ in ROWS])
def test_activation_is_its_formula(evaluated: list[np.ndarray], number: int, rank: int) -> None:
    expected = ROWS[number][1](sample(SHAPES[rank]).astype(np.float64))
    np.testing.assert_allclose(evaluated[rank * len(ROWS) + number], expected, rtol=2e-5, atol=1e-6)


def test_activation_stays_finite_at_large_values(chosen_environment: dict[str, Any]) -> None:
    layers = [
        {"name": f"y{i}", "type": "activation", "input": "x", "function": complete("activation", document)}
        for i, (document, _) in enumerate(ROWS)
    ]
    request = {
        "inputs": {"x": {"shape": [4], "sparse": False}},
        "layers": layers,
        "seed": 1,
        "feed": {"x": [[-1e4, -100, 100, 1e4]]},
    }
    (found,) = in_trainer(chosen_environment, "graph", [request])
    for entry in found.values():
        assert np.isfinite(np.array(entry["values"])).all()


@pytest.fixture(scope="module")
def gradients(chosen_environment: dict[str, Any]) -> list[dict[str, Any]]:
    """Weights of a dense layer with each activation, and the gradients of the sum of its squared outputs."""
    requests = [
        {
            "inputs": {"x": {"shape": [3], "sparse": False}},
            "layers": [
                {
                    "name": "y",
                    "input": "x",
                    **complete(
                        "layer", {"type": "dense", "units": 4, "activation": document, "init_bias": 0.1}
                    ),
                }
            ],
            "seed": 1,
            "feed": {"x": sample((3,))[:3].tolist()},
            "weights": True,
            "gradient": "y",
        }
        for document, _ in ROWS
    ]
    return list(in_trainer(chosen_environment, "graph", requests))


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[str(document) for document, _ in ROWS])
def test_gradient_is_that_of_the_formula(gradients: list[dict[str, Any]], number: int) -> None:
    found, (document, function) = gradients[number], ROWS[number]
    weights = np.array(found["y"]["weights"]["W"])
    x = sample((3,))[:3].astype(np.float64)

    def squares(w: np.ndarray) -> float:
        return float(np.square(function(x @ w + 0.1)).sum())

    step = 1e-6
    expected = np.zeros_like(weights)
    if document["type"] != "hardmax":
        for at in np.ndindex(*weights.shape):
            above, below = weights.copy(), weights.copy()
            above[at] += step
            below[at] -= step
            expected[at] = (squares(above) - squares(below)) / (2 * step)
    np.testing.assert_allclose(found["gradients"]["y.W"], expected, rtol=1e-3, atol=1e-4)


def test_slope_of_param_relu_learns(gradients: list[dict[str, Any]]) -> None:
    number = next(i for i, (document, _) in enumerate(ROWS) if document == {"type": "param_relu"})
    scores = sample((3,))[:3].astype(np.float64) @ np.array(gradients[number]["y"]["weights"]["W"]) + 0.1
    negative = np.minimum(scores, 0)
    np.testing.assert_allclose(
        gradients[number]["gradients"]["y.alpha"],
        (2 * 0.25 * negative * negative).sum(axis=0),
        rtol=1e-4,
        atol=1e-6,
    )
