"""The data sets that ``examples/`` are written for, whole or a sample of their rows."""

import csv
import gzip
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from client import Client
from client.demo import write_digits
from examples import shapes
from tests.acceptance.conftest import example

Find = Callable[[str], Path]
"""From a data set's name to its folder; skips the test where it is absent."""
Make = Callable[[Find, Path, int | None], list[Path]]
"""(find, folder to write to, rows of a sample or None for all) -> files to upload"""


def digits(find: Find, folder: Path, rows: int | None) -> list[Path]:
    write_digits(folder / "digits.npz")
    return [folder / "digits.npz"]


def shapes_with_boxes(find: Find, folder: Path, rows: int | None) -> list[Path]:
    shapes.write(folder / "shapes.zip")
    return [folder / "shapes.zip"]


def shapes_in_folders(seed: int) -> Make:
    def make(find: Find, folder: Path, rows: int | None) -> list[Path]:
        shapes.write(folder / f"shapes_{seed}.zip", folders=True, seed=seed)
        return [folder / f"shapes_{seed}.zip"]

    return make


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


def tables(*names: str) -> Make:
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


def arff(dataset: str, *names: str) -> Make:
    """ARFF files; a sample takes rows from everywhere."""

    def make(find: Find, folder: Path, rows: int | None) -> list[Path]:
        files = []
        for name in names:
            lines = (find(dataset) / name).read_text(encoding="utf-8").splitlines(keepends=True)
            first = next(i for i, line in enumerate(lines) if line.lower().startswith("@data")) + 1
            step = max(1, (len(lines) - first) // rows) if rows else 1
            files.append(folder / name)
            files[-1].write_text("".join(lines[:first] + lines[first::step]), encoding="utf-8")
        return files

    return make


def atis(find: Find, folder: Path, rows: int | None) -> list[Path]:
    """Sentences in CNTK text format; a sample takes the first ones."""
    files = []
    for name in ("atis.train.ctf", "atis.test.ctf"):
        lines = (find("seq_atis") / name).read_text(encoding="utf-8").splitlines(keepends=True)
        files.append(folder / name)
        kept = (line for line in lines if rows is None or int(line.split(None, 1)[0]) < rows)
        files[-1].write_text("".join(kept), encoding="utf-8")
    return files


def sts(find: Find, folder: Path, rows: int | None) -> list[Path]:
    """The first seven columns of the STS benchmark: some rows have more, naming sources."""
    files = []
    for split in ("train", "dev", "test"):
        lines = (find("pair_stsb") / f"sts-{split}.csv").read_text(encoding="utf-8").splitlines()
        files.append(folder / f"sts-{split}.csv")
        kept = lines[:: max(1, len(lines) // rows) if rows else 1]
        text = "".join("\t".join(line.split("\t")[:7]) + "\n" for line in kept)
        files[-1].write_text(text, encoding="utf-8")
    return files


ADULT = tables("adult-train.csv", "adult-test.csv")
EXAMPLES: dict[str, tuple[str, Make]] = {
    "digits_weighted.json": ("digits.json", digits),
    "digits_joint.json": ("digits.json", digits),
    "digits_recipe.json": ("digits.json", digits),
    "digits_autoencoder.json": ("digits_images.json", digits),
    "mnist_conv.json": ("mnist.json", mnist),
    "mnist_autoencoder.json": ("mnist.json", mnist),
    "shapes_detector.json": ("shapes_boxes.json", shapes_with_boxes),
    "shapes_base.json": ("shapes_folders.json", shapes_in_folders(1)),
    "shapes_transfer.json": ("shapes_folders.json", shapes_in_folders(2)),
    "adult_dense.json": ("adult.json", ADULT),
    "adult_balanced.json": ("adult.json", ADULT),
    "credit_class_weights.json": ("credit.json", tables("german.csv")),
    "wine_regression.json": ("wine.json", tables("winequality-white.csv")),
    "energy_targets.json": ("energy.json", arff("mt_shared", "enb.arff")),
    "emotions_multilabel.json": (
        "emotions.json",
        arff("ml_emotions", "emotions-train.arff", "emotions-test.arff"),
    ),
    "yeast_multilabel.json": ("yeast.json", arff("ml_yeast", "yeast-train.arff", "yeast-test.arff")),
    "atis_slot_and_intent.json": ("atis.json", atis),
    "atis_tagger.json": ("atis.json", atis),
    "atis_intent.json": ("atis.json", atis),
    "sts_towers.json": ("sts.json", sts),
}
"""Spec to the options of its data set and what makes the files."""


def ready_to_submit(
    client: Client, name: str, find: Find, folder: Path, rows: int | None = None
) -> dict[str, Any]:
    """An example that names its data set, uploaded whole or as about ``rows`` rows a file.

    Where it builds on another model, that is what ``shapes_base.json`` has trained before.
    """
    options, make = EXAMPLES[name]
    dataset = client.datasets.add(*make(find, folder, rows), **example(f"options/{options}"))
    spec: dict[str, Any] = example(name) | {"dataset": dataset["id"]}
    if "model" in spec.get("recipe", {}):
        spec["recipe"]["model"] = model_of_shapes(client, find, folder)
    return spec


def model_of_shapes(client: Client, find: Find, folder: Path) -> str:
    """The id of a base model that has learned other shapes."""
    job = client.jobs.submit(ready_to_submit(client, "shapes_base.json", find, folder))
    assert client.jobs.wait(job["id"], timeout=300)["status"] == "succeeded"
    made = client.request("POST", "/v1/models", json={"job": job["id"]}).json()
    deadline = time.monotonic() + 60
    while made["status"] == "importing":
        assert time.monotonic() < deadline, "the model was not imported"
        time.sleep(0.1)
        made = client.request("GET", f"/v1/models/{made['id']}").json()
    assert made["status"] == "ready", made["detail"]
    return str(made["id"])
