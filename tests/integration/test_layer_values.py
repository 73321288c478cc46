"""What every layer computes, against numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from jobs.specs.normalise import normalise
from tests.trainer_runs import Workshop
from tests.trainer_scripts import complete, in_trainer
from trainer.parts import layers

EXAMPLES = 3
Weights = dict[str, np.ndarray]
Reference = Callable[..., np.ndarray]
"""(inputs…, weights=…) of one example -> output"""


def windows(shape: Sequence[int], window: Sequence[int], strides: Sequence[int], pad: bool) -> Any:
    """For each place of a window: its index in the output, and the slices in input and window.

    Padded windows lie centred over the input.
    """
    axes = []
    for n, k, s in zip(shape, window, strides, strict=True):
        count = -(-n // s) if pad else (n - k) // s + 1
        first = (n - 1 - (count - 1) * s) // 2 - (k - 1) // 2 if pad else 0
        axis = []
        for place in range(count):
            start = first + place * s
            low, high = max(start, 0), min(start + k, n)
            axis.append((place, slice(low, high), slice(low - start, high - start)))
        axes.append(axis)
    for places in product(*axes):
        yield tuple(p[0] for p in places), tuple(p[1] for p in places), tuple(p[2] for p in places)


def sizes(shape: Sequence[int], window: Sequence[int], strides: Sequence[int], pad: bool) -> list[int]:
    return [-(-n // s) if pad else (n - k) // s + 1 for n, k, s in zip(shape, window, strides, strict=True)]


def each(strides: int | list[int] | None, window: list[int]) -> list[int]:
    return window if strides is None else [strides] * len(window) if isinstance(strides, int) else strides


def convolution(filter_shape: list[int], strides: int | list[int] = 1, pad: bool = True) -> Reference:
    steps = each(strides, filter_shape)

    def reference(x: np.ndarray, weights: Weights) -> np.ndarray:
        made = np.zeros((len(weights["W"]), *sizes(x.shape[1:], filter_shape, steps, pad)))
        for out, inside, part in windows(x.shape[1:], filter_shape, steps, pad):
            of_window = weights["W"][(slice(None), slice(None), *part)] * x[(slice(None), *inside)]
            made[(slice(None), *out)] = of_window.reshape(len(weights["W"]), -1).sum(axis=1)
        return made + weights["b"] if "b" in weights else made

    return reference


def pooling(
    pool: Callable[..., np.ndarray],
    window: list[int],
    strides: int | list[int] | None = None,
    pad: bool = False,
) -> Reference:
    steps = each(strides, window)

    def reference(x: np.ndarray, weights: Weights) -> np.ndarray:
        made = np.zeros((len(x), *sizes(x.shape[1:], window, steps, pad)))
        for out, inside, _ in windows(x.shape[1:], window, steps, pad):
            made[(slice(None), *out)] = pool(x[(slice(None), *inside)].reshape(len(x), -1), axis=1)
        return made

    return reference


def convolution_transpose(
    filter_shape: list[int],
    strides: int | list[int] = 1,
    pad: bool = True,
    output_shape: list[int] | None = None,
) -> Reference:
    steps = each(strides, filter_shape)

    def reference(x: np.ndarray, weights: Weights) -> np.ndarray:
        spans = zip(x.shape[1:], filter_shape, steps, strict=True)
        shape = output_shape or [n * s if pad else (n - 1) * s + k for n, k, s in spans]
        made = np.zeros((weights["W"].shape[1], *shape))
        for out, inside, part in windows(shape, filter_shape, steps, pad):
            filters = weights["W"][(slice(None), slice(None), *part)]
            made[(slice(None), *inside)] += np.tensordot(x[(slice(None), *out)], filters, 1)
        return made + weights["b"] if "b" in weights else made

    return reference


def max_unpooling(window: list[int], strides: int | list[int] | None = None, pad: bool = False) -> Reference:
    steps = each(strides, window)

    def reference(pooled: np.ndarray, x: np.ndarray, weights: Weights) -> np.ndarray:
        made = np.zeros(x.shape)
        for channel, values in enumerate(x):
            for out, inside, _ in windows(x.shape[1:], window, steps, pad):
                place = made[(channel, *inside)]
                largest = values[inside].argmax()
                place[np.unravel_index(largest, place.shape)] = pooled[(channel, *out)]
        return made

    return reference


def dense(x: np.ndarray, weights: Weights) -> np.ndarray:
    made = x.ravel() @ weights["W"].reshape(x.size, -1)
    return np.asarray(made + weights["b"] if "b" in weights else made)


def of_channels(pool: Callable[..., np.ndarray]) -> Reference:
    return lambda x, weights: pool(x.reshape(len(x), -1), axis=1)


def unchanged(x: np.ndarray, weights: Weights) -> np.ndarray:
    return x


Row = tuple[dict[str, Any], list[tuple[int, ...]], Reference]
ROWS: list[Row] = [
    ({"type": "dense", "units": 4, "init_bias": 0.3}, [(5,)], dense),
    ({"type": "dense", "units": 4, "bias": False}, [(2, 3, 4)], dense),
    (
        {"type": "dense", "units": 4, "activation": "tanh"},
        [(5,)],
        lambda x, weights: np.tanh(dense(x, weights)),
    ),
    ({"type": "embedding", "units": 3}, [(6,)], lambda x, weights: x @ weights["E"]),
    *(
        (
            {"type": "convolution", "filters": 3, "filter_shape": window, "strides": strides, "pad": pad}
            | {"init_bias": 0.2},
            [shape],
            convolution(window, strides, pad),
        )
        for shape, window, strides in [
            ((2, 9), [3], 1),
            ((2, 8), [4], 2),
            ((2, 7), [5], 4),
            ((3, 7, 6), [3, 3], 1),
            ((1, 7, 6), [2, 4], [2, 3]),
            ((2, 5, 4, 6), [3, 2, 3], 1),
            ((2, 5, 4, 6), [2, 3, 1], [2, 1, 3]),
        ]
        for pad in (True, False)
    ),
    (
        {"type": "convolution", "filters": 3, "filter_shape": [3, 3], "bias": False, "activation": "relu"},
        [(2, 5, 5)],
        lambda x, weights: np.maximum(convolution([3, 3])(x, weights), 0),
    ),
    *(
        (
            {"type": name, "window": window, "strides": strides, "pad": pad},
            [shape],
            pooling(pool, window, strides, pad),
        )
        for name, pool in (("max_pooling", np.max), ("average_pooling", np.mean))
        for shape, window, strides in [
            ((2, 9), [3], None),
            ((2, 8), [3], 2),
            ((3, 7, 6), [2, 2], None),
            ((3, 7, 6), [3, 3], 2),
            ((3, 7, 6), [3, 2], [1, 4]),
            ((2, 5, 4, 6), [2, 2, 3], None),
        ]
        for pad in (True, False)
    ),
    *(
        (
            {"type": "convolution_transpose", "filters": 3, "filter_shape": window, "strides": strides}
            | {"pad": pad, "output_shape": output_shape, "init_bias": 0.2},
            [shape],
            convolution_transpose(window, strides, pad, output_shape),
        )
        for shape, window, strides, pad, output_shape in [
            ((2, 7), [3], 1, True, None),
            ((2, 7), [3], 1, False, None),
            ((2, 4), [4], 2, True, None),
            ((2, 4), [4], 3, False, [14]),
            ((3, 4, 3), [3, 3], 1, True, None),
            ((1, 4, 3), [2, 4], [2, 3], True, None),
            ((1, 4, 3), [2, 4], [2, 3], True, [7, 8]),
            ((3, 4, 3), [3, 2], 2, False, None),
            ((2, 3, 2, 3), [3, 2, 3], 1, True, None),
            ((2, 3, 2, 2), [2, 3, 1], [2, 1, 3], False, None),
            ((2, 3, 2, 2), [2, 2, 1], [2, 1, 3], True, [5, 2, 4]),
        ]
    ),
    (
        {"type": "convolution_transpose", "filters": 1, "filter_shape": [5, 5], "bias": False}
        | {"activation": "relu"},
        [(2, 6, 6)],
        lambda x, weights: np.maximum(convolution_transpose([5, 5])(x, weights), 0),
    ),
    *(
        (
            {"type": "max_unpooling", "window": window, "strides": strides, "pad": pad},
            [pooled, shape],
            max_unpooling(window, strides, pad),
        )
        for pooled, shape, window, strides, pad in [
            ((2, 3), (2, 9), [3], None, False),
            ((2, 3), (2, 8), [2], 3, False),
            ((3, 3, 3), (3, 7, 6), [2, 2], None, False),
            ((3, 4, 3), (3, 7, 6), [2, 2], None, True),
            ((3, 2, 1), (3, 7, 6), [2, 3], [3, 4], False),
            ((2, 2, 2, 2), (2, 5, 4, 6), [2, 2, 3], None, False),
        ]
    ),
    ({"type": "global_max_pooling"}, [(3, 4, 5)], of_channels(np.max)),
    ({"type": "global_average_pooling"}, [(3, 7)], of_channels(np.mean)),
    ({"type": "global_average_pooling"}, [(2, 3, 4, 5)], of_channels(np.mean)),
    # Dropout and batch normalization as they are outside training; training has tests of its own.
    ({"type": "dropout", "rate": 0.7}, [(3, 4)], unchanged),
    ({"type": "batch_normalization", "epsilon": 0.25}, [(3, 4)], lambda x, weights: x / 0.5),
    ({"type": "activation", "function": "softplus"}, [(3, 4)], lambda x, weights: np.logaddexp(0, x)),
    ({"type": "flatten"}, [(2, 3, 4)], lambda x, weights: x.ravel()),
    ({"type": "reshape", "shape": [4, 6]}, [(2, 3, 4)], lambda x, weights: x.reshape(4, 6)),
    ({"type": "rescale", "scale": -2.0, "shift": 0.5}, [(3, 4)], lambda x, weights: -2 * x + 0.5),
    (
        {"type": "rescale", "scale": [1.0, 2.0, 0.5, 3.0], "shift": [0.1, -0.2, 0.0, 4.0]},
        [(2, 2)],
        lambda x, weights: x * [[1, 2], [0.5, 3]] + [[0.1, -0.2], [0, 4]],
    ),
    *(
        (
            {"type": "splice", "axis": axis},
            shapes,
            lambda *xs, weights, axis=axis: np.concatenate(xs, axis=axis),
        )
        for axis, shapes in [
            (0, [(3, 4), (2, 4), (1, 4)]),
            (1, [(3, 4), (3, 2)]),
            (2, [(2, 3, 4), (2, 3, 1)]),
        ]
    ),
    ({"type": "sum"}, [(3, 4), (3, 4), (3, 4)], lambda *xs, weights: np.sum(xs, axis=0)),
    ({"type": "cosine"}, [(5,), (5,)], lambda a, b, weights: cosine(a, b)),
    ({"type": "cosine"}, [(2, 3), (2, 3)], lambda a, b, weights: cosine(a.ravel(), b.ravel())),
    ({"type": "dot_product"}, [(2, 3), (2, 3)], lambda a, b, weights: np.array([np.sum(a * b)])),
    ({"type": "product"}, [(2, 3), (2, 3)], lambda a, b, weights: a * b),
    ({"type": "product"}, [(1,), (4,)], lambda a, b, weights: a * b),
    ({"type": "difference"}, [(4,), (4,)], lambda a, b, weights: a - b),
    ({"type": "difference", "absolute": True}, [(4,), (1,)], lambda a, b, weights: np.abs(a - b)),
]


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([a @ b / np.sqrt((a @ a) * (b @ b))])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def recurrence(step: Callable[..., Any], states: int, reverse: bool) -> Reference:
    """``step`` of (W x + b, states…, weights) -> states, over the steps; the first state is the output."""

    def reference(steps: np.ndarray, weights: Weights) -> np.ndarray:
        units = len(weights["H"])
        state = [np.zeros(units)] * states
        made = []
        for x in steps[::-1] if reverse else steps:
            inputs = x.ravel() @ weights["W"].reshape(x.size, -1) + weights["b"]
            state = step(inputs, *state, weights=weights, units=units)
            made.append(state[0])
        return np.array(made[::-1] if reverse else made)

    return reference


def lstm(inputs: np.ndarray, h: np.ndarray, c: np.ndarray, weights: Weights, units: int) -> list[np.ndarray]:
    i, f, o, g = (inputs + h @ weights["H"]).reshape(4, units)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


def gru(inputs: np.ndarray, h: np.ndarray, weights: Weights, units: int) -> list[np.ndarray]:
    recurrent = weights["H"]
    z, r = sigmoid(inputs[: 2 * units] + h @ recurrent[:, : 2 * units]).reshape(2, units)
    new = np.tanh(inputs[2 * units :] + (r * h) @ recurrent[:, 2 * units :])
    return [z * h + (1 - z) * new]


def rnn(inputs: np.ndarray, h: np.ndarray, weights: Weights, units: int) -> list[np.ndarray]:
    return [np.tanh(inputs + h @ weights["H"])]


def delayed(by: int) -> Reference:
    def reference(steps: np.ndarray, weights: Weights) -> np.ndarray:
        places = np.arange(len(steps)) - by
        inside = (places >= 0) & (places < len(steps))
        return np.where(inside[:, None], steps[np.clip(places, 0, len(steps) - 1)], 0)

    return reference


def softmax_of_steps(x: np.ndarray, weights: Weights) -> np.ndarray:
    return np.asarray(np.exp(x) / np.exp(x).sum(axis=0))


SEQUENCES: list[Row] = [
    *(
        ({"type": name, "units": 4, "reverse": reverse}, [shape], recurrence(step, states, reverse))
        for name, step, states in (("lstm", lstm, 2), ("gru", gru, 1), ("rnn", rnn, 1))
        for reverse, shape in ((False, (3,)), (True, (2, 3)))
    ),
    ({"type": "delay"}, [(3,)], delayed(1)),
    ({"type": "delay", "steps": 2}, [(3,)], delayed(2)),
    ({"type": "delay", "steps": -1}, [(3,)], delayed(-1)),
    ({"type": "delay", "steps": 0}, [(3,)], delayed(0)),
    ({"type": "sequence_softmax"}, [(2,)], softmax_of_steps),
    ({"type": "last"}, [(2, 3)], lambda x, weights: x[-1]),
    ({"type": "first"}, [(2, 3)], lambda x, weights: x[0]),
    ({"type": "sequence_sum"}, [(2, 3)], lambda x, weights: x.sum(axis=0)),
    ({"type": "sequence_mean"}, [(2, 3)], lambda x, weights: x.mean(axis=0)),
    ({"type": "sequence_max"}, [(2, 3)], lambda x, weights: x.max(axis=0)),
]
"""The references see all steps of a row."""
LENGTHS = (4, 1, 6)


def roi_pooling(
    features: np.ndarray, box: np.ndarray, size: list[int], stride: float, offset: float
) -> np.ndarray:
    far = np.array([features.shape[2], features.shape[1]] * 2) - 1
    columns = np.clip(np.floor((box - offset) / stride + 0.5), 0, far).astype(int)
    cells = []
    for first, last, parts in ((columns[1], columns[3], size[0]), (columns[0], columns[2], size[1])):
        each = (last - first + 1) / parts
        edges = [(int(np.floor(k * each)), int(np.ceil((k + 1) * each))) for k in range(parts)]
        cells.append([slice(first + begin, first + end) for begin, end in edges])
    made = np.zeros((len(features), *size))
    for (i, rows), (j, along) in product(enumerate(cells[0]), enumerate(cells[1])):
        made[:, i, j] = features[:, rows, along].max(axis=(1, 2))
    return made


ROI_POOLING: list[dict[str, Any]] = [
    {"size": [2, 2], "stride": 1.0, "offset": 0.0},
    {"size": [3, 2], "stride": 2.0, "offset": 0.0},
    {"size": [5, 4], "stride": 1.5, "offset": 0.75},
]
BOXES = [
    [[0, 0, 3, 3], [1, 1, 7, 5], [2.4, 2.6, 6.2, 6], [0, 0, 12, 9]],
    [[3, 2, 3.2, 2.1]],
    [[0, 0, 8, 6], [-5, -4, 2, 3], [20, 20, 30, 30], [5, 1, 6, 9], [0, 0, 0, 0], [2, 2, 4, 4]],
]
"""Of three images; some lie partly or wholly outside, one is a point."""


@pytest.fixture(scope="module")
def pooled(chosen_environment: dict[str, Any]) -> tuple[np.ndarray, list[dict[str, Any]]]:
    features = np.random.default_rng(8).normal(size=(len(BOXES), 3, 6, 8)).astype(np.float32)
    requests = [
        {
            "inputs": {"x": {"shape": (3, 6, 8)}, "rois": {"shape": (4,), "axis": "rois"}},
            "layers": [
                {"name": "scaled", "input": "x", **complete("layer", SCALED)},
                {"name": "made", "inputs": ["scaled", "rois"], **complete("layer", layer)},
            ],
            "seed": 2,
            "feed": {"x": features.tolist(), "rois": BOXES},
            "weights": True,
            "gradient": "made",
        }
        for layer in ({"type": "roi_pooling", **given} for given in ROI_POOLING)
    ]
    return features, list(in_trainer(chosen_environment, "graph", requests))


SCALED = {"type": "convolution", "filters": 3, "filter_shape": [1, 1]}
"""Parameters before the pooling: their gradient is right only where that of the pooling is."""


@pytest.mark.parametrize("number", range(len(ROI_POOLING)))
def test_roi_pooling_takes_the_largest_of_each_cell(
    pooled: tuple[np.ndarray, list[dict[str, Any]]], number: int
) -> None:
    _, found = pooled
    for image, boxes in enumerate(BOXES):
        scaled = np.array(found[number]["scaled"]["values"][image])
        expected = [roi_pooling(scaled, np.array(box), **ROI_POOLING[number]) for box in boxes]
        np.testing.assert_allclose(found[number]["made"]["values"][image], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("number", range(len(ROI_POOLING)))
def test_gradient_of_roi_pooling_goes_to_the_largest_of_each_cell(
    pooled: tuple[np.ndarray, list[dict[str, Any]]], number: int
) -> None:
    """By central differences of the sum of squares, in float64."""
    features, found = pooled
    weights = np.array(found[number]["scaled"]["weights"]["W"])
    bias = np.array(found[number]["scaled"]["weights"]["b"])

    def loss(matrix: np.ndarray) -> float:
        total = 0.0
        for image, boxes in zip(features.astype(np.float64), BOXES, strict=True):
            scaled = np.tensordot(matrix[:, :, 0, 0], image, 1) + bias
            total += sum(
                np.square(roi_pooling(scaled, np.array(box), **ROI_POOLING[number])).sum() for box in boxes
            )
        return total

    expected = np.zeros_like(weights)
    for place in np.ndindex(weights.shape):
        step = np.zeros_like(weights)
        step[place] = 1e-6
        expected[place] = (loss(weights + step) - loss(weights - step)) / 2e-6
    np.testing.assert_allclose(found[number]["gradients"]["scaled.W"], expected, rtol=1e-3, atol=1e-3)


UNPOOLED = [row for row in ROWS if row[0]["type"] == "max_unpooling"]
SPREAD = {"type": "convolution", "filters": 1, "bias": False, "init": "normal"}
"""Behind the unpooling: gradients of both signs come to every window."""


@pytest.fixture(scope="module")
def unpooled(chosen_environment: dict[str, Any]) -> list[dict[str, Any]]:
    requests = []
    for layer, (pooled, shape), _ in UNPOOLED:
        scaled = {**SPREAD, "filters": pooled[0], "filter_shape": [1] * (len(pooled) - 1)}
        spread = {**SPREAD, "filter_shape": [3] * (len(shape) - 1)}
        one = request(layer, [pooled, shape], None)
        one["layers"] = [
            {"name": "scaled", "input": "in0", **complete("layer", scaled)},
            {"name": "unpooled", "inputs": ["scaled", "in1"], **complete("layer", layer)},
            {"name": "made", "input": "unpooled", **complete("layer", spread)},
        ]
        requests.append({**one, "gradient": "made"})
    return list(in_trainer(chosen_environment, "graph", requests))


@pytest.mark.parametrize("number", range(len(UNPOOLED)))
def test_gradient_of_max_unpooling_is_the_largest_of_each_window(
    unpooled: list[dict[str, Any]], number: int
) -> None:
    """Wherever the element was put: models trained with CNTK were trained so, and go on so."""
    layer, shapes, reference = UNPOOLED[number]
    found, inputs = unpooled[number], feed(shapes)
    scaling = np.array(found["scaled"]["weights"]["W"])
    matrix = scaling.reshape(scaling.shape[:2])
    filters = {"W": np.array(found["made"]["weights"]["W"])}
    spread = convolution([3] * (len(shapes[1]) - 1))
    largest = pooling(np.max, layer["window"], layer["strides"], layer["pad"])
    expected = np.zeros_like(matrix)
    for pooled, x in zip(*inputs.values(), strict=True):
        put = reference(np.tensordot(matrix, pooled.astype(np.float64), 1), x, weights={})
        # Of the sum of squares by central differences, in float64.
        slope = np.zeros_like(put)
        for place in np.ndindex(put.shape):
            step = np.zeros_like(put)
            step[place] = 1e-5
            ends = [np.square(spread(put + way * step, filters)).sum() for way in (1, -1)]
            slope[place] = (ends[0] - ends[1]) / 2e-5
        back = largest(slope, {})
        expected += back.reshape(len(back), -1) @ pooled.reshape(len(pooled), -1).T
    gradient = np.array(found["gradients"]["scaled.W"]).reshape(matrix.shape)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-3)


def test_every_layer_has_a_row() -> None:
    tested = {layer["type"] for layer, _, _ in ROWS + SEQUENCES} | {"roi_pooling"}
    assert tested == {part.name for part in layers if "base" not in part.facts}


def feed(shapes: list[tuple[int, ...]]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(len(shapes) + sum(map(sum, shapes)))
    return {
        f"in{i}": random.normal(size=(EXAMPLES, *shape)).astype(np.float32) for i, shape in enumerate(shapes)
    }


def steps_of(shapes: list[tuple[int, ...]]) -> dict[str, list[np.ndarray]]:
    random = np.random.default_rng(1)
    return {
        f"in{i}": [random.normal(size=(length, *shape)).astype(np.float32) for length in LENGTHS]
        for i, shape in enumerate(shapes)
    }


def request(layer: dict[str, Any], shapes: list[tuple[int, ...]], axis: str | None) -> dict[str, Any]:
    values: Mapping[str, Any] = feed(shapes) if axis is None else steps_of(shapes)
    taken = {"inputs": list(values)} if len(shapes) > 1 else {"input": "in0"}
    return {
        "inputs": {f"in{i}": {"shape": shape, "axis": axis} for i, shape in enumerate(shapes)},
        "layers": [{"name": "made", **taken, **complete("layer", layer)}],
        "seed": 1,
        "feed": {name: [row.tolist() for row in value] for name, value in values.items()},
        "weights": True,
    }


@pytest.fixture(scope="module")
def built(chosen_environment: dict[str, Any]) -> list[dict[str, Any]]:
    requests = [request(layer, shapes, None) for layer, shapes, _ in ROWS]
    return list(in_trainer(chosen_environment, "graph", requests))


@pytest.fixture(scope="module")
def built_along_steps(chosen_environment: dict[str, Any]) -> list[dict[str, Any]]:
    requests = [request(layer, shapes, "in0") for layer, shapes, _ in ROWS + SEQUENCES]
    return list(in_trainer(chosen_environment, "graph", requests))


def named(row: Row) -> str:
    settings = " ".join(f"{key}={value}" for key, value in row[0].items() if key != "type")
    return f"{row[0]['type']} of {row[1][0]} {settings}"


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[named(row) for row in ROWS])
def test_layer_computes_its_formula(built: list[dict[str, Any]], number: int) -> None:
    _, shapes, reference = ROWS[number]
    found = built[number]["made"]
    weights = {name: np.array(value) for name, value in found["weights"].items()}
    values = [value.astype(np.float64) for value in feed(shapes).values()]
    for example in range(EXAMPLES):
        expected = reference(*(value[example] for value in values), weights=weights)
        np.testing.assert_allclose(found["values"][example], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "number", range(len(ROWS + SEQUENCES)), ids=[f"{named(row)} a step" for row in ROWS + SEQUENCES]
)
def test_layer_computes_its_formula_along_the_steps(
    built_along_steps: list[dict[str, Any]], number: int
) -> None:
    _, shapes, reference = (ROWS + SEQUENCES)[number]
    found = built_along_steps[number]["made"]
    weights = {name: np.array(value) for name, value in found["weights"].items()}
    for example in range(len(LENGTHS)):
        values = [rows[example].astype(np.float64) for rows in steps_of(shapes).values()]
        if number < len(ROWS):
            expected = [reference(*step, weights=weights) for step in zip(*values, strict=True)]
        else:
            expected = reference(*values, weights=weights)
        np.testing.assert_allclose(found["values"][example], expected, rtol=1e-5, atol=1e-5)


IDENTITY = {"name": "out", "type": "dense", "bias": False}


def identity(
    workshop: Workshop, data: str, layer: dict[str, Any], units: int, **changes: Any
) -> dict[str, Any]:
    """A run whose loss is the squared length of what ``layer`` makes of x; nothing is learned."""
    spec = {
        "dataset": data,
        "inputs": {"x": "x"},
        "network": [{"name": "made", "input": "x", **layer}, {**IDENTITY, "units": units, "input": "made"}],
        "objective": [{"type": "squared_error", "output": "out", "target": "zero"}],
        "learner": {"type": "sgd", "learning_rate": 1e-30},
        "training": {"epochs": 3, "minibatch_size": 20, "shuffle": False},
    }
    row = {
        "spec": normalise(spec, workshop.volume, workshop.settings).document,
        "dataset": str(workshop.volume.dataset(data).path),
        "initial": {"out.W": np.eye(units).tolist()},
        "after": [1],
        **changes,
    }
    return dict(in_trainer(workshop.environment, "training", [row])[0])


def test_dropout_zeroes_a_share_and_scales_the_rest(workshop: Workshop) -> None:
    rate, width = 0.3, 500
    data = workshop.dataset(
        "ones", {"x": np.ones((40, width)), "zero": np.zeros((40, width))}, {"train": np.arange(40)}
    )
    found = identity(workshop, data, {"type": "dropout", "rate": rate}, width)
    # Each element kept counts 1 / (1 - rate) squared.
    kept = np.array(found["losses"]) * (1 - rate) ** 2 / width
    assert kept == pytest.approx(1 - rate, abs=5 * np.sqrt(rate * (1 - rate) / (20 * width)))
    assert len(set(kept)) == len(kept), "two minibatches had the same mask"
    again = identity(workshop, data, {"type": "dropout", "rate": rate}, width)
    assert again["losses"] == found["losses"]


@pytest.mark.parametrize("spatial", [True, False])
def test_batch_normalization_over_minibatches_and_afterwards(workshop: Workshop, spatial: bool) -> None:
    random = np.random.default_rng(4)
    x = (random.normal(size=(60, 2, 3)) * [[[1], [3]]] + [[[0.5], [-2]]]).astype(np.float32)
    data = workshop.dataset(
        f"maps_{spatial}", {"x": x, "zero": np.full((60, 6), 0.5)}, {"train": np.arange(60)}
    )
    constant, epsilon = 50.0, 0.01
    layer = {"type": "batch_normalization", "spatial": spatial, "epsilon": epsilon}
    found = identity(
        workshop,
        data,
        layer | {"normalization_time_constant": constant},
        6,
        initial={"out.W": np.eye(6).reshape(2, 3, 6).tolist()},
    )
    axes = (0, 2) if spatial else (0,)
    mean = variance = 0.0
    for step, loss in enumerate(found["losses"]):
        batch = x[20 * (step % 3) : 20 * (step % 3) + 20].astype(np.float64)
        batch_mean, batch_variance = batch.mean(axis=axes, keepdims=True), batch.var(axis=axes, keepdims=True)
        made = (batch - batch_mean) / np.sqrt(batch_variance + epsilon)
        assert loss == pytest.approx(np.square(made - 0.5).sum() / 20, rel=1e-4)
        elements = batch.size // batch_mean.size
        share = 1.0 if step == 0 else 1 - np.exp(-20 / constant)
        mean = (1 - share) * mean + share * batch_mean
        variance = (1 - share) * variance + share * batch_variance * elements / (elements - 1)
    np.testing.assert_allclose(np.ravel(found["statistics"]["made.mean"]), np.ravel(mean), rtol=1e-4)
    np.testing.assert_allclose(np.ravel(found["statistics"]["made.variance"]), np.ravel(variance), rtol=1e-4)
