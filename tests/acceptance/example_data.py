"""The data sets that ``examples/`` are written for, whole or a sample of their rows."""

import csv
import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from client import Client
from client.demo import write_digits
from tests.acceptance.conftest import example

Find = Callable[[str], Path]
"""From a data set's name to its folder; skips the test where it is absent."""


def digits(find: Find, folder: Path, rows: int | None) -> list[Path]:
    write_digits(folder / "digits.npz")
    return [folder / "digits.npz"]


def mnist(find: Find, folder: Path, rows: int | None) -> list[Path]:
    files = []
    for split in ("train", "valid"):
        images = idx(find("mnist10k") / f"{split}-images-idx3-ubyte.gz")[:rows, None]
        labels = idx(find("mnist10k") / f"{split}-labels-idx1-ubyte.gz")[:rows]
        files.append(folder / f"{split}.npz")
        np.savez(files[-1], image=images, digit=labels)
    return files


def idx(path: Path) -> npt.NDArray[np.uint8]:
    """An array in MNIST's own format: magic number, sizes, bytes."""
    with gzip.open(path) as stream:
        rank = stream.read(4)[3]
        shape = struct.unpack(f">{rank}I", stream.read(4 * rank))
        return np.frombuffer(stream.read(), np.uint8).reshape(shape)


def tables(*names: str) -> Callable[[Find, Path, int | None], list[Path]]:
    """The shared tables of these names; a sample takes rows from everywhere, so that no class is missing."""

    def make(find: Find, folder: Path, rows: int | None) -> list[Path]:
        files = []
        for name in names:
            with (find("tab_shared") / name).open(newline="") as stream:
                lines = [line for line in csv.reader(stream) if line]
            files.append(folder / name)
            with files[-1].open("w", newline="") as stream:
                csv.writer(stream).writerows(lines[:: max(1, len(lines) // rows) if rows else 1])
        return files

    return make


EXAMPLES = {
    "digits_weighted.json": ("digits.json", digits),
    "digits_joint.json": ("digits.json", digits),
    "mnist_conv.json": ("mnist.json", mnist),
    "adult_dense.json": ("adult.json", tables("adult-train.csv", "adult-test.csv")),
    "credit_class_weights.json": ("credit.json", tables("german.csv")),
    "wine_regression.json": ("wine.json", tables("winequality-white.csv")),
}
"""Spec to the options of its data set and what makes the files."""


def ready_to_submit(
    client: Client, name: str, find: Find, folder: Path, rows: int | None = None
) -> dict[str, Any]:
    """An example that names its data set, uploaded whole or as about ``rows`` rows a file."""
    options, make = EXAMPLES[name]
    dataset = client.datasets.add(*make(find, folder, rows), **example(f"options/{options}"))
    return example(name) | {"dataset": dataset["id"]}
