"""The networks that both sides train: spec and data by name; PyTorch's side is in_pytorch.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.trainer_runs import Column, Sequences, Sparse

ADAM = {"type": "adam", "alpha": 0.001, "epsilon": 1e-8}
SGD = {"type": "sgd", "learning_rate": 0.01}
CROSS_ENTROPY = [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "digit"}]
Layer = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One network at one size of minibatch."""

    network: str
    minibatch: int
    steps: int
    floor: float
    """What PyTorch's time over ours is to be."""

    @property
    def name(self) -> str:
        return f"{self.network}-{self.minibatch}"


CASES = [
    Case("mlp", 64, 400, 1.6),
    Case("mlp", 512, 100, 1.7),
    Case("tiny", 32, 3000, 3.0),
    Case("conv", 64, 100, 1.0),
    Case("conv", 256, 30, 0.9),
    Case("lstm", 64, 60, 0.6),
    Case("lengths", 64, 60, 1.4),
    Case("towers", 128, 200, 1.2),
    Case("towers", 512, 60, 1.0),
    Case("autoencoder", 64, 50, 0.8),
    Case("resnet", 32, 30, 0.8),
    Case("regions", 16, 30, 0.8),
]


def dense(name: str, units: int, source: str, activation: str = "none", **more: Any) -> Layer:
    return {
        "name": name,
        "type": "dense",
        "units": units,
        "activation": activation,
        "input": source,
        **more,
    }


def conv(name: str, filters: int, size: int, source: str, activation: str = "none", **more: Any) -> Layer:
    shape = {"filters": filters, "filter_shape": [size, size], "activation": activation}
    return {"name": name, "type": "convolution", **shape, "input": source, **more}


def pool(name: str, source: str) -> Layer:
    return {"name": name, "type": "max_pooling", "window": [2, 2], "input": source}


def block(name: str, source: str, filters: int) -> list[Layer]:
    """Two convolutions, normalized, around which the input goes too."""
    return [
        conv(f"{name}a", filters, 3, source, bias=False),
        {"name": f"{name}an", "type": "batch_normalization", "input": f"{name}a"},
        {"name": f"{name}ar", "type": "activation", "function": "relu", "input": f"{name}an"},
        conv(f"{name}b", filters, 3, f"{name}ar", bias=False),
        {"name": f"{name}bn", "type": "batch_normalization", "input": f"{name}b"},
        {"name": f"{name}s", "type": "sum", "inputs": [f"{name}bn", source]},
        {"name": name, "type": "activation", "function": "relu", "input": f"{name}s"},
    ]


NETWORKS: dict[str, list[Layer]] = {
    "mlp": [
        dense("h1", 512, "x", "relu"),
        dense("h2", 512, "h1", "relu"),
        dense("scores", 10, "h2"),
    ],
    "tiny": [dense("h1", 32, "x", "relu"), dense("scores", 10, "h1")],
    "conv": [
        conv("c1", 16, 5, "x", "relu"),
        pool("p1", "c1"),
        conv("c2", 32, 3, "p1", "relu"),
        pool("p2", "c2"),
        dense("h", 128, "p2", "relu"),
        dense("scores", 10, "h"),
    ],
    "lstm": [
        {"name": "run", "type": "lstm", "units": 128, "input": "x"},
        {"name": "end", "type": "last", "input": "run"},
        dense("scores", 10, "end"),
    ],
    "towers": [
        dense("a1", 128, "a", "tanh"),
        dense("b1", 128, "b", "tanh"),
        dense("a2", 64, "a1"),
        dense("b2", 64, "b1"),
        {"name": "score", "type": "dot_product", "inputs": ["a2", "b2"]},
    ],
    "autoencoder": [
        conv("c1", 16, 3, "x", "relu"),
        pool("p1", "c1"),
        conv("c2", 16, 3, "p1", "relu"),
        {"name": "u1", "type": "max_unpooling", "window": [2, 2], "inputs": ["c2", "c1"]},
        conv("rebuilt", 1, 3, "u1"),
    ],
    "resnet": [
        conv("c1", 16, 3, "x", bias=False),
        {"name": "n1", "type": "batch_normalization", "input": "c1"},
        {"name": "r1", "type": "activation", "function": "relu", "input": "n1"},
        *block("k1", "r1", 16),
        *block("k2", "k1", 16),
        {"name": "g", "type": "global_average_pooling", "input": "k2"},
        dense("scores", 10, "g"),
    ],
}
NETWORKS["regions"] = [
    conv("c1", 16, 3, "x", "relu"),
    pool("p1", "c1"),
    conv("c2", 32, 3, "p1", "relu"),
    {"name": "r", "type": "roi_pooling", "inputs": ["c2", "rois"], "size": [4, 4], "stride": 2.0},
    dense("h", 64, "r", "relu"),
    dense("scores", 10, "h"),
]
NETWORKS["lengths"] = NETWORKS["lstm"]
SHAPES = {
    "mlp": (784,),
    "tiny": (20,),
    "conv": (1, 28, 28),
    "autoencoder": (1, 28, 28),
    "resnet": (3, 32, 32),
}
STEP = 32
"""Numbers a step of the sequences."""
IDS, IDS_A_ROW = 20_000, 20


def digits(shape: tuple[int, ...]) -> Callable[[np.random.Generator, int], dict[str, Column]]:
    def made(random: np.random.Generator, rows: int) -> dict[str, Column]:
        digit = random.integers(0, 10, rows)
        digit[:10] = range(10)
        patterns = random.random((10, *shape))
        x = patterns[digit] + random.normal(0, 0.3, (rows, *shape))
        return {"x": x.astype(np.float32), "digit": digit}

    return made


def sequences(shortest: int, longest: int) -> Callable[[np.random.Generator, int], dict[str, Column]]:
    def made(random: np.random.Generator, rows: int) -> dict[str, Column]:
        digit = random.integers(0, 10, rows)
        digit[:10] = range(10)
        lengths = random.integers(shortest, longest + 1, rows)
        steps = random.random((10, STEP))[np.repeat(digit, lengths)]
        noisy = steps + random.normal(0, 0.3, steps.shape)
        return {"x": Sequences(noisy.astype(np.float32), lengths), "digit": digit}

    return made


REGIONS, SIDE = 16, 48
"""Regions an image, and pixels of its sides."""


def regions(random: np.random.Generator, rows: int) -> dict[str, Column]:
    """Images in which every region has a class of its own, and its pattern."""
    x = random.normal(0, 0.3, (rows, 3, SIDE, SIDE)).astype(np.float32)
    patterns = random.random((10, 3)).astype(np.float32)
    digits = random.integers(0, 10, (rows, REGIONS))
    corners = random.integers(0, SIDE - 9, (rows, REGIONS, 2))
    far = np.minimum(corners + random.integers(8, 25, corners.shape), SIDE - 1)
    for row in range(rows):
        for digit, (x1, y1), (x2, y2) in zip(digits[row], corners[row], far[row], strict=True):
            x[row, :, y1 : y2 + 1, x1 : x2 + 1] += patterns[digit][:, None, None]
    boxes = np.concatenate((corners, far), axis=2).reshape(-1, 4).astype(np.float32)
    classes = np.eye(10, dtype=np.float32)[digits.ravel()]
    lengths = np.full(rows, REGIONS)
    return {"x": x, "rois": Sequences(boxes, lengths), "digit": Sequences(classes, lengths)}


def pairs(random: np.random.Generator, rows: int) -> dict[str, Column]:
    def bags() -> Sparse:
        ids = random.integers(0, IDS, (rows, IDS_A_ROW))
        ids.sort(axis=1)
        # An id counts once in a row.
        ids[:, 1:][np.diff(ids, axis=1) == 0] = -1
        kept = ids >= 0
        indptr = np.concatenate(([0], np.cumsum(kept.sum(axis=1))))
        return Sparse(np.ones(int(indptr[-1])), ids[kept], indptr, IDS)

    return {"a": bags(), "b": bags(), "match": random.integers(0, 2, rows).astype(np.float32)[:, None]}


DATA: dict[str, Callable[[np.random.Generator, int], dict[str, Column]]] = {
    **{name: digits(shape) for name, shape in SHAPES.items()},
    "lstm": sequences(40, 40),
    "lengths": sequences(10, 70),
    "towers": pairs,
    "regions": regions,
}


def data(case: Case) -> dict[str, Column]:
    """The columns of as many rows as the steps take."""
    return DATA[case.network](np.random.default_rng(7), case.minibatch * case.steps)


def spec(case: Case, dataset: str, threads: int) -> dict[str, Any]:
    objective: list[dict[str, Any]] = CROSS_ENTROPY
    inputs = ["x"]
    if case.network == "towers":
        objective, inputs = [{"type": "squared_error", "output": "score", "target": "match"}], ["a", "b"]
    elif case.network == "regions":
        inputs = ["x", "rois"]
    elif case.network == "autoencoder":
        objective = [{"type": "squared_error", "output": "rebuilt", "target": "x"}]
    return {
        "name": case.name,
        "dataset": dataset,
        "inputs": {name: {"field": name} for name in inputs},
        "network": NETWORKS[case.network],
        "objective": objective,
        "learner": SGD if case.network == "towers" else ADAM,
        "training": {"epochs": 1, "minibatch_size": case.minibatch, "seed": 1, "threads": threads},
    }
