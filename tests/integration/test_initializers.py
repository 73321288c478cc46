"""Every initializer's distribution against the formula that its documentation gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.trainer_scripts import complete, in_trainer
from trainer.parts import initializers

DENSE = {"name": "layer", "type": "dense", "units": 100}
CONVOLUTION = {"name": "layer", "type": "convolution", "filters": 30, "filter_shape": [5, 3]}
SQUARE = {"name": "layer", "type": "convolution", "filters": 2, "filter_shape": [4, 4]}
LAYERS: dict[str, tuple[dict[str, Any], tuple[int, ...], int, int]] = {
    # Layer, shape of its input, fan-in and fan-out.
    "dense": (DENSE, (150,), 150, 100),
    "dense_of_maps": (DENSE, (5, 10, 3), 150, 100),
    "embedding": ({"name": "layer", "type": "embedding", "units": 100}, (150,), 150, 100),
    "convolution": (CONVOLUTION, (20, 6, 6), 20 * 15, 30 * 15),
}


def uniform(bound: float) -> dict[str, float]:
    return {"deviation": bound / np.sqrt(3), "least": -bound, "most": bound}


def normal(deviation: float) -> dict[str, float]:
    return {"deviation": deviation}


# Of a normal distribution cut at two deviations.
TRUNCATED = 0.8796257

ROWS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "glorot_uniform"}, lambda i, o: uniform(np.sqrt(6 / (i + o)))),
    ({"type": "glorot_uniform", "scale": 0.5}, lambda i, o: uniform(0.5 * np.sqrt(6 / (i + o)))),
    ({"type": "glorot_normal"}, lambda i, o: normal(np.sqrt(2 / (i + o)))),
    ({"type": "glorot_normal", "scale": 3.0}, lambda i, o: normal(3 * np.sqrt(2 / (i + o)))),
    ({"type": "xavier"}, lambda i, o: uniform(np.sqrt(3 / i))),
    ({"type": "xavier", "scale": 2.0}, lambda i, o: uniform(2 * np.sqrt(3 / i))),
    ({"type": "he_uniform"}, lambda i, o: uniform(np.sqrt(6 / i))),
    ({"type": "he_uniform", "scale": 2.0}, lambda i, o: uniform(2 * np.sqrt(6 / i))),
    ({"type": "he_normal"}, lambda i, o: normal(np.sqrt(2 / i))),
    ({"type": "he_normal", "scale": 2.0}, lambda i, o: normal(2 * np.sqrt(2 / i))),
    ({"type": "uniform"}, lambda i, o: uniform(0.05)),
    ({"type": "uniform", "scale": 0.7}, lambda i, o: uniform(0.7)),
    ({"type": "normal"}, lambda i, o: normal(0.05)),
    ({"type": "normal", "scale": 0.7}, lambda i, o: normal(0.7)),
    (
        {"type": "truncated_normal", "stdev": 0.3},
        lambda i, o: {"deviation": 0.3 * TRUNCATED, "least": -0.6, "most": 0.6},
    ),
    (
        {"type": "constant", "value": 0.3},
        lambda i, o: {"mean": 0.3, "deviation": 0, "least": 0.3, "most": 0.3},
    ),
]
OF_ITS_OWN = {"bilinear"}


def test_every_initializer_has_a_row() -> None:
    assert {document["type"] for document, _ in ROWS} | OF_ITS_OWN == {part.name for part in initializers}


def request(init: Any, layer: dict[str, Any], shape: tuple[int, ...], **changes: Any) -> dict[str, Any]:
    given = {key: value for key, value in layer.items() if key != "name"}
    document = {"name": layer["name"], "input": "x", **complete("layer", {**given, "init": init})}
    return {
        "inputs": {"x": {"shape": shape, "sparse": False}},
        "layers": [document | {key: changes[key] for key in changes if key == "name"}],
        "seed": changes.get("seed", 1),
        "weights": True,
    }


@pytest.fixture(scope="module")
def weights(chosen_environment: dict[str, Any]) -> list[np.ndarray]:
    requests = [request(document, *LAYERS[layer][:2]) for document, _ in ROWS for layer in LAYERS]
    return [
        np.array(next(iter(found["layer"]["weights"].values())))
        for found in in_trainer(chosen_environment, "graph", requests)
    ]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("number", range(len(ROWS)), ids=[str(document) for document, _ in ROWS])
def test_distribution_is_its_formula(weights: list[np.ndarray], number: int, layer: str) -> None:
    found = weights[number * len(LAYERS) + list(LAYERS).index(layer)]
    expected = ROWS[number][1](*LAYERS[layer][2:])
    # Five deviations of the mean and of the deviation of so many draws.
    assert found.mean() == pytest.approx(
        expected.get("mean", 0.0), abs=5 * expected["deviation"] / np.sqrt(found.size) + 1e-7
    )
    assert found.std() == pytest.approx(expected["deviation"], rel=5 / np.sqrt(2 * found.size), abs=1e-7)
    if "least" in expected:
        assert found.min() >= expected["least"] - 1e-6
        assert found.max() <= expected["most"] + 1e-6
        assert found.min() == pytest.approx(expected["least"], rel=0.01)
        assert found.max() == pytest.approx(expected["most"], rel=0.01)
    else:
        # Of a normal distribution, 4.55 % lie beyond two deviations.
        beyond = np.mean(np.abs(found) > 2 * expected["deviation"])
        assert beyond == pytest.approx(0.0455, abs=5 * np.sqrt(0.0455 / found.size))


def test_bilinear_interpolates_in_each_channel(chosen_environment: dict[str, Any]) -> None:
    odd = SQUARE | {"filter_shape": [3, 3]}
    even, odd_found = in_trainer(
        chosen_environment,
        "graph",
        [request("bilinear", SQUARE, (2, 6, 6)), request("bilinear", odd, (2, 6, 6))],
    )
    for found, line in ((even, [0.25, 0.75, 0.75, 0.25]), (odd_found, [0.5, 1, 0.5])):
        kernel = np.outer(line, line)
        expected = np.zeros((2, 2, *kernel.shape))
        expected[0, 0] = expected[1, 1] = kernel
        np.testing.assert_allclose(found["layer"]["weights"]["W"], expected, atol=1e-6)


RANDOM = [document for document, _ in ROWS if document["type"] != "constant"]


def test_seed_and_name_alone_decide_the_draw(chosen_environment: dict[str, Any]) -> None:
    small = DENSE | {"units": 5}
    changes: list[dict[str, Any]] = [{}, {}, {"name": "other"}, {"seed": 2}]
    found = in_trainer(
        chosen_environment,
        "graph",
        [request(init, small, (4,), **change) for init in RANDOM for change in changes],
    )
    drawn = [next(iter(entry.values()))["weights"]["W"] for entry in found]
    for number, init in enumerate(RANDOM):
        first, again, named, seeded = drawn[4 * number : 4 * number + 4]
        assert first == again, init
        assert first != named, init
        assert first != seeded, init


def test_layers_before_a_layer_do_not_change_its_draw(chosen_environment: dict[str, Any]) -> None:
    alone = request("normal", DENSE | {"units": 5}, (4,))
    behind = request("normal", DENSE | {"units": 5}, (4,))
    first = {"name": "first", "input": "x", **complete("layer", {"type": "dense", "units": 4})}
    behind["layers"].insert(0, first)
    found = in_trainer(chosen_environment, "graph", [alone, behind])
    assert found[0]["layer"]["weights"]["W"] == found[1]["layer"]["weights"]["W"]
