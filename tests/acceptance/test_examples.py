"""Every example is submitted as it stands, with a small budget, and trains."""

import csv
import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client import Client
from client.demo import write_digits
from tests.acceptance.conftest import example
from tests.running_service import ROOT

DATA = ROOT.parent / "shared" / "data"
SAMPLE_ROWS = 600


def digits(folder: Path) -> list[Path]:
    write_digits(folder / "digits.npz")
    return [folder / "digits.npz"]


def mnist(folder: Path) -> list[Path]:
    files = []
    for split in ("train", "valid"):
        images = idx(DATA / "mnist10k" / f"{split}-images-idx3-ubyte.gz")[:SAMPLE_ROWS, None]
        labels = idx(DATA / "mnist10k" / f"{split}-labels-idx1-ubyte.gz")[:SAMPLE_ROWS]
        files.append(folder / f"{split}.npz")
        np.savez(files[-1], image=images, digit=labels)
    return files


def idx(path: Path) -> np.ndarray:
    """An array in MNIST's own format: magic number, sizes, bytes."""
    with gzip.open(path) as stream:
        rank = stream.read(4)[3]
        shape = struct.unpack(f">{rank}I", stream.read(4 * rank))
        return np.frombuffer(stream.read(), np.uint8).reshape(shape)


def adult(folder: Path) -> list[Path]:
    return [sample(folder, "adult-train.csv"), sample(folder, "adult-test.csv")]


def credit(folder: Path) -> list[Path]:
    return [sample(folder, "german.csv")]


def wine(folder: Path) -> list[Path]:
    return [sample(folder, "winequality-white.csv")]


def sample(folder: Path, name: str) -> Path:
    """Every tenth row or so of one of the shared tables: all their classes are still there."""
    with (DATA / "tab_shared" / name).open(newline="") as stream:
        rows = [row for row in csv.reader(stream) if row]
    path = folder / name
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows[:: max(1, len(rows) // SAMPLE_ROWS)])
    return path


EXAMPLES: dict[str, tuple[str, Callable[[Path], list[Path]], str | None]] = {
    "digits_weighted.json": ("digits.json", digits, None),
    "digits_joint.json": ("digits.json", digits, None),
    "mnist_conv.json": ("mnist.json", mnist, "mnist10k"),
    "adult_dense.json": ("adult.json", adult, "tab_shared"),
    "credit_class_weights.json": ("credit.json", credit, "tab_shared"),
    "wine_regression.json": ("wine.json", wine, "tab_shared"),
}
"""Spec to: options of its data set, what makes the files, and the shared data needed for it."""


def test_every_example_is_tried_and_described() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.json")} == set(EXAMPLES)
    assert {path.name for path in (ROOT / "examples" / "options").iterdir()} == {
        o for o, _, _ in EXAMPLES.values()
    }
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_trains(client: Client, tmp_path: Path, name: str) -> None:
    options, make, needs = EXAMPLES[name]
    if needs and not (DATA / needs).is_dir():
        pytest.skip(f"the data {needs} is not on this machine")
    dataset = client.datasets.add(*make(tmp_path), **example(f"options/{options}"))
    spec = example(name) | {"dataset": dataset["id"]}
    spec["training"] |= {"epochs": 2}
    job = client.jobs.wait(client.jobs.submit(spec)["id"], timeout=300)
    assert job["status"] == "succeeded", (job["reason"], job["detail"])
    assert set(job["metrics"]) >= {"train", "valid"}
