"""The pure plan of every layer says what the graph that CNTK builds is like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.trainer_scripts import complete, in_trainer
from trainer.parts import Plan, PlanError, layers


@dataclass
class Row:
    """What is given of a layer, and the shapes of what it takes in."""

    type: str
    shapes: list[tuple[int, ...]]
    given: dict[str, Any]
    sparse: bool = False
    axis: str | None = None
    only: int | None = None
    """Position of the one input that is a sequence; None: all are."""

    @property
    def layer(self) -> dict[str, Any]:
        return complete("layer", {"type": self.type, **self.given})

    def planned(self) -> Plan:
        settings = {key: value for key, value in self.layer.items() if key != "type"}
        found: Plan = layers[self.type].plan(*self.shapes, **settings)
        return found

    def __str__(self) -> str:
        settings = " ".join(f"{key}={value}" for key, value in self.given.items())
        shapes = "+".join("x".join(map(str, shape)) for shape in self.shapes)
        steps = " a step" if self.axis else ""
        return f"{self.type} of {shapes}{steps} {settings}".strip()


def row(layer: str, *shapes: tuple[int, ...], sparse: bool = False, **given: Any) -> Row:
    role = layers[layer].facts.get("sequence")
    axis = "in0" if role else None
    return Row(layer, list(shapes), given, sparse, axis, 1 if role == "regions" else None)


SLIDING = [
    ((2, 9), [3], 1),
    ((2, 9), [4], 2),
    ((2, 9), [9], 1),
    ((3, 8, 7), [3, 3], 1),
    ((3, 8, 7), [3, 2], 2),
    ((3, 8, 7), [5, 3], [3, 1]),
    ((3, 8, 7), [1, 1], 1),
    ((3, 8, 7), [2, 2], [1, 3]),
    ((2, 5, 6, 4), [3, 2, 2], 1),
    ((2, 5, 6, 4), [3, 3, 3], 2),
    ((2, 5, 6, 4), [2, 3, 1], [2, 1, 3]),
]
SPREAD = [
    ((2, 9), [3], 1, [9]),
    ((2, 5), [4], 2, [9]),
    ((3, 4, 3), [3, 3], 1, [4, 3]),
    ((3, 4, 3), [3, 2], 2, [7, 6]),
    ((3, 2, 2), [5, 3], [3, 2], [5, 4]),
    ((2, 3, 4, 2), [3, 2, 2], 1, [3, 4, 2]),
    ((2, 3, 4, 2), [2, 3, 1], [2, 1, 3], [5, 4, 4]),
]
"""Shapes, filters and strides of transposed convolutions, and sizes that padding makes possible."""
POOLED = [(shape, window, steps) for shape, window, strides in SLIDING for steps in (strides, None)]

ROWS = [
    row("dense", (5,), units=3),
    row("dense", (5,), units=3, bias=False, activation="relu"),
    row("dense", (2, 3, 4), units=7, activation="tanh"),
    row("dense", (1,), units=1),
    row("dense", (6,), units=4, activation="param_relu"),
    row("dense", (9,), units=4, sparse=True),
    row("embedding", (6,), units=4),
    row("embedding", (1,), units=1),
    row("embedding", (9,), units=4, sparse=True),
    *(
        row("convolution", shape, filters=4, filter_shape=window, strides=strides, pad=pad)
        for shape, window, strides in SLIDING
        for pad in (True, False)
    ),
    row("convolution", (1, 4, 4), filters=2, filter_shape=[4, 4]),
    row("convolution", (2, 6, 6), filters=3, filter_shape=[3, 3], bias=False),
    row("convolution", (2, 6, 6), filters=2, filter_shape=[3, 3], init="bilinear"),
    row("convolution", (2, 6, 6), filters=3, filter_shape=[3, 3], activation="param_relu"),
    row("convolution", (2, 9), filters=3, filter_shape=[3], activation="softmax"),
    *(
        row(layer, shape, window=window, strides=strides, pad=pad)
        for layer in ("max_pooling", "average_pooling")
        for shape, window, strides in POOLED
        for pad in (True, False)
    ),
    *(
        row("convolution_transpose", shape, filters=4, filter_shape=window, strides=strides, pad=pad)
        for shape, window, strides, _ in SPREAD
        for pad in (True, False)
    ),
    *(
        row(
            "convolution_transpose",
            shape,
            filters=2,
            filter_shape=window,
            strides=strides,
            output_shape=sizes,
        )
        for shape, window, strides, sizes in SPREAD
    ),
    row(
        "convolution_transpose", (2, 4), filters=3, filter_shape=[3], strides=3, pad=False, output_shape=[13]
    ),
    row("convolution_transpose", (2, 6, 6), filters=3, filter_shape=[3, 3], bias=False),
    row("convolution_transpose", (2, 6, 6), filters=2, filter_shape=[3, 3], init="bilinear"),
    row("convolution_transpose", (2, 6, 6), filters=3, filter_shape=[3, 3], activation="param_relu"),
    row("max_unpooling", (2, 3), (2, 9), window=[3]),
    row("max_unpooling", (2, 3), (2, 8), window=[2], strides=3),
    row("max_unpooling", (1, 7, 7), (1, 28, 28), window=[4, 4]),
    row("max_unpooling", (3, 4, 4), (3, 8, 7), window=[2, 2], pad=True),
    row("max_unpooling", (3, 4, 2), (3, 8, 7), window=[2, 3], strides=[2, 4]),
    row("max_unpooling", (2, 2, 3, 2), (2, 5, 6, 4), window=[2, 2, 2]),
    *(
        row(layer, shape)
        for layer in ("global_max_pooling", "global_average_pooling")
        for shape in ((3, 7), (3, 4, 5), (2, 3, 4, 5), (4, 1))
    ),
    row("dropout", (5,), rate=0.2),
    row("dropout", (2, 3, 4)),
    row("batch_normalization", (5,)),
    row("batch_normalization", (5,), spatial=True),
    row("batch_normalization", (3, 4, 5)),
    row("batch_normalization", (3, 4, 5), spatial=False),
    row("batch_normalization", (3, 7)),
    row("batch_normalization", (2, 3, 4, 5), spatial=True),
    row("activation", (5,)),
    row("activation", (5,), function="param_relu"),
    row("activation", (3, 4, 5), function="param_relu"),
    row("activation", (3, 4, 5), function={"type": "leaky_relu", "alpha": 0.3}),
    row("activation", (3, 4), function="log_softmax"),
    row("flatten", (3, 4, 5)),
    row("flatten", (3,)),
    row("reshape", (3, 4), shape=[2, 6]),
    row("reshape", (12,), shape=[1, 3, 4]),
    row("reshape", (3, 4), shape=[12]),
    row("rescale", (3, 4), scale=2.0),
    row("rescale", (3,), scale=[1.0, 2.0, 3.0], shift=0.5),
    row("splice", (3,), (5,)),
    row("splice", (3, 4), (2, 4), (1, 4)),
    row("splice", (3, 4), (3, 2), axis=1),
    row("splice", (2, 3, 4), (2, 3, 1), (2, 3, 5), axis=2),
    row("sum", (5,), (5,)),
    row("sum", (2, 3, 4), (2, 3, 4), (2, 3, 4)),
    row("lstm", (5,), units=3),
    row("lstm", (2, 3), units=4, reverse=True),
    row("lstm", (9,), units=4, sparse=True),
    row("gru", (5,), units=3),
    row("gru", (2, 3), units=4, reverse=True),
    row("rnn", (5,), units=3),
    row("rnn", (5,), units=3, reverse=True, activation="param_relu"),
    row("delay", (2, 3), steps=2),
    row("delay", (3,), steps=-1),
    row("delay", (3,), steps=0),
    *(row(layer, shape) for layer in ("last", "first", "sequence_sum") for shape in ((5,), (2, 3))),
    *(row(layer, shape) for layer in ("sequence_mean", "sequence_max") for shape in ((5,), (2, 3))),
    row("sequence_softmax", (1,)),
    row("sequence_softmax", (2, 3)),
    row("cosine", (5,), (5,)),
    row("cosine", (2, 3), (2, 3)),
    row("dot_product", (5,), (5,)),
    row("dot_product", (2, 3), (2, 3)),
    row("product", (2, 3), (2, 3)),
    row("product", (2, 3), (1,)),
    row("product", (1,), (4,)),
    row("difference", (4,), (4,)),
    row("difference", (4,), (1,), absolute=True),
    row("roi_pooling", (3, 7, 8), (4,)),
    row("roi_pooling", (2, 9, 5), (4,), size=[3, 1], stride=7.5, offset=2.5),
]
ROWS += [replace(row, axis="in0") for row in ROWS if row.axis is None]
"""What works on a row works on each step of a sequence."""


def test_every_layer_has_a_row() -> None:
    # What is part of a base model has tests of its own, in integration/test_pretrained.py.
    assert {row.type for row in ROWS} == {part.name for part in layers if "base" not in part.facts}


@pytest.fixture(scope="module")
def built(environment: dict[str, Any]) -> list[dict[str, Any]]:
    """What CNTK made of each row, in one process."""
    requests = []
    for row in ROWS:
        inputs = {
            f"in{i}": {
                "shape": shape,
                "sparse": row.sparse,
                "axis": row.axis if row.only in (None, i) else None,
            }
            for i, shape in enumerate(row.shapes)
        }
        taken = {"inputs": list(inputs)} if len(inputs) > 1 else {"input": "in0"}
        requests.append({"inputs": inputs, "layers": [{"name": "made", **taken, **row.layer}], "seed": 1})
    return list(in_trainer(environment, "graph", requests))


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[str(row) for row in ROWS])
def test_plan_is_what_cntk_builds(built: list[dict[str, Any]], number: int) -> None:
    assert "error" not in built[number]
    planned, real = ROWS[number].planned(), built[number]["made"]
    assert list(planned.shape) == real["shape"]
    assert {name: list(shape) for name, shape in planned.parameters.items()} == real["parameters"]
    assert real["in_graph"]
    ends = layers[ROWS[number].type].facts.get("sequence") == "ends"
    assert real["axis"] == (f"steps of {ROWS[number].axis}" if ROWS[number].axis and not ends else None)


REFUSED = [
    (row("embedding", (3, 4), units=2), "takes a vector"),
    (row("convolution", (1, 4, 4), filters=2, filter_shape=[5, 5], pad=False), "does not fit into 4 x 4"),
    (row("convolution", (1, 4, 4), filters=2, filter_shape=[5, 3]), "does not fit into 4 x 4"),
    (row("max_pooling", (1, 4), window=[5], pad=True), "does not fit into 4"),
    (row("convolution", (2, 4, 4), filters=3, filter_shape=[2, 2], init="bilinear"), "bilinear fills square"),
    (row("convolution", (2, 4, 4), filters=2, filter_shape=[2, 1], init="bilinear"), "bilinear fills square"),
    (row("dense", (4,), units=4, init="bilinear"), "bilinear fills square"),
    (row("embedding", (4,), units=4, init="bilinear"), "bilinear fills square"),
    (row("convolution", (16,), filters=2, filter_shape=[3]), "put a reshape layer before it"),
    (row("convolution", (1, 4, 4), filters=2, filter_shape=[3, 3], strides=[1, 1, 1]), "strides has 3 sizes"),
    (row("convolution", (1, 2, 2, 2, 2), filters=2, filter_shape=[1, 1, 1, 1]), "1, 2 or 3 sizes"),
    (row("max_pooling", (1, 4, 4), window=[5, 5]), "does not fit into 4 x 4"),
    (row("average_pooling", (4, 4), window=[2, 2]), "behind a channel axis"),
    (row("convolution_transpose", (16,), filters=2, filter_shape=[3]), "put a reshape layer before it"),
    (row("convolution_transpose", (1, 2, 2, 2, 2), filters=2, filter_shape=[1] * 4), "1, 2 or 3 sizes"),
    (
        row("convolution_transpose", (1, 4), filters=2, filter_shape=[2], strides=[1, 1]),
        "strides has 2 sizes",
    ),
    (row("convolution_transpose", (1, 1, 1), filters=1, filter_shape=[5, 5]), "does not fit into 1 x 1"),
    (
        row(
            "convolution_transpose",
            (1, 7, 7),
            filters=1,
            filter_shape=[5, 5],
            strides=4,
            output_shape=[30, 28],
        ),
        "output_shape 30 x 28 does not belong to an input of 7 x 7: a convolution with these filters",
    ),
    (
        row("convolution_transpose", (1, 7, 7), filters=1, filter_shape=[5, 5], output_shape=[7]),
        "output_shape has 1 sizes",
    ),
    (
        row("convolution_transpose", (2, 4, 4), filters=3, filter_shape=[2, 2], init="bilinear"),
        "fills square",
    ),
    (
        row("max_unpooling", (1, 7, 7), (1, 28, 27), window=[4, 4]),
        "makes 1 x 7 x 6 of the second input, 1 x 28 x 27, but the first input is 1 x 7 x 7",
    ),
    (row("max_unpooling", (2, 7, 7), (1, 28, 28), window=[4, 4]), "the first input is 2 x 7 x 7"),
    (row("max_unpooling", (1, 8), (1, 9), window=[2], strides=1), "windows of 2 that are 1 apart overlap"),
    (row("max_unpooling", (2, 2), (4, 4), window=[2, 2]), "behind a channel axis"),
    (row("global_max_pooling", (4,)), "takes (channels, sizes…)"),
    (row("reshape", (3, 4), shape=[5, 2]), "holds 12 elements and cannot become 5 x 2"),
    (row("rescale", (2, 2), shift=[1.0, 2.0, 3.0]), "shift has 3 numbers"),
    (row("splice", (3, 4), (2, 5)), "do not fit side by side"),
    (row("splice", (3,), (3,), axis=1), "axis 1 does not exist"),
    (row("sum", (3,), (4,)), "shapes must be equal"),
    (row("cosine", (3,), (4,)), "cannot be compared"),
    (row("dot_product", (3,), (1,)), "cannot be compared"),
    (row("product", (3,), (4,)), "do not go together"),
    (row("difference", (2, 3), (3,)), "do not go together"),
    (row("lstm", (4,), units=4, init_recurrent="bilinear"), "bilinear fills square"),
    (row("roi_pooling", (6, 8), (4,)), "features of (channels, height, width), not 6 x 8"),
    (row("roi_pooling", (3, 6, 8), (5,)), "a sequence of 4 numbers, not 5"),
    (row("roi_pooling", (3, 6, 8), (4,)), "size 7 x 7 is larger than the features, which are 6 x 8"),
    (row("roi_pooling", (3, 6, 8), (4,), size=[7]), "size takes rows and columns, not 1 sizes"),
]


@pytest.mark.parametrize(("refused", "why"), REFUSED, ids=[str(row) for row, _ in REFUSED])
def test_plan_refuses_what_cannot_be_built(refused: Row, why: str) -> None:
    with pytest.raises(PlanError) as found:
        refused.planned()
    assert why in str(found.value)
