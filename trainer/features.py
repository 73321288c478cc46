"""Values of nodes that no learner moves: computed once for a data set, kept on the volume, read by many jobs.

They lie under a key of all that they depend on. A folder appears by rename, so it is whole or absent; jobs
that compute the same at the same time make the same bytes, and the first to be done is taken.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from trainer.checkpoints import sha256
from trainer.columns import Entries
from trainer.engine import C, take_a_first_step
from trainer.evaluation import evaluated
from trainer.files import fsync_folder, read_json, write_json
from trainer.layout import FeatureDirectory
from trainer.minibatches import Order
from trainer.model import Model
from trainer.network import sources
from trainer.paging import Mapped

FORMAT = 1
MINIBATCH = 16
"""Rows at a time: what the values' last bits depend on, so it is the same for every job."""
INTERVAL = 0.25
"""Seconds between two reports of how far it has come."""


class FeatureColumn(Entries):
    """(rows, *shape) float32 numbers of a node, memory-mapped."""

    by_row = True

    def __init__(self, path):
        super().__init__(Mapped(path))
        self.shape = self.file.array.shape[1:]

    def read(self, rows, epoch=None):
        """Float32 array (len(rows), *shape)."""
        return np.ascontiguousarray(self.file.take(rows))


def features(spec, dataset, bases, volume, facts, stop):
    """The columns of the nodes that a spec wants cached, by name; what is not there yet is computed.

    Stopped where an end is asked for in the middle of it: nothing is kept of what was computed then.
    """
    names = spec.get("cached") or []
    folders = OrderedDict((name, volume.feature(key(spec, name))) for name in names)
    missing = [name for name in names if not whole(folders[name], volume)]
    if missing:
        compute(spec, dataset, bases, volume, facts, stop, [(name, folders[name]) for name in missing])
    return OrderedDict((name, FeatureColumn(folder.values)) for name, folder in folders.items())


def key(spec, name):
    """SHA-256 of what the values of a node depend on: data set, layers, models, preprocessing, threads."""
    inputs, layers = before(spec, name)
    document = {
        "format": FORMAT,
        "dataset": spec["dataset"],
        "inputs": inputs,
        "layers": layers,
        "threads": spec["training"]["threads"],
        "minibatch": MINIBATCH,
        "cntk": C.__version__,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


def before(spec, name):
    """The documents of the inputs and layers that a node depends on; the node is the last of the layers."""
    by_name = {layer["name"]: layer for layer in spec["network"]}
    reached, ahead = set(), [name]
    while ahead:
        here = ahead.pop()
        if here not in reached:
            reached.add(here)
            ahead.extend(sources(by_name[here]) if here in by_name else ())
    inputs = {name: document for name, document in spec["inputs"].items() if name in reached}
    # A model is told by its digest: an id says no more.
    layers = [
        {word: value for word, value in layer.items() if word != "model"}
        for layer in spec["network"]
        if layer["name"] in reached
    ]
    return inputs, layers


def whole(folder, volume):
    """Whether the values are there, as they were written; what is not as it was is taken away."""
    if not folder.about.exists():
        return False
    try:
        if sha256(folder.values) == read_json(folder.about)["sha256"]:
            return True
    except (ValueError, KeyError, FileNotFoundError):
        pass
    with scratch(volume) as aside:
        os.rename(str(folder.path), str(aside / "broken"))
    return False


@contextmanager
def scratch(volume):
    """A locked folder that is gone afterwards. What a killed process leaves is swept like an upload's."""
    volume.incoming.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="features-", dir=str(volume.incoming))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def compute(spec, dataset, bases, volume, facts, stop, wanted):
    """Compute and publish the values of some nodes (name and folder) for all rows of the data set."""
    begun = time.monotonic()
    model = Model(spec, dataset, bases)
    nodes = OrderedDict((name, model.network.nodes[name]) for name, _ in wanted)
    rows = int(dataset.schema["rows"])
    take_a_first_step()
    with scratch(volume) as aside:
        arrays = {
            name: np.lib.format.open_memmap(
                str(aside / (name + ".npy")), mode="w+", dtype=np.float32, shape=(rows,) + node.shape
            )
            for name, node in nodes.items()
        }
        due = begun
        for here, found in evaluated(model, nodes, Order(np.arange(rows), MINIBATCH), stop):
            for name, array in arrays.items():
                array[here] = found[name].reshape((len(here),) + nodes[name].shape)
            if time.monotonic() >= due:
                due = time.monotonic() + INTERVAL
                facts("progress", features={"rows": int(here[-1]) + 1, "of": rows})
        for name, folder in wanted:
            arrays.pop(name).flush()
            publish(aside / name, aside / (name + ".npy"), folder, about(spec, name))
    seconds = time.monotonic() - begun
    facts("features", nodes=list(nodes), rows=rows, seconds=seconds)


def about(spec, name):
    inputs, layers = before(spec, name)
    models = sorted({layer["sha256"] for layer in layers if layer["type"] == "pretrained"})
    return {"node": name, "dataset": spec["dataset"], "models": models, "inputs": inputs, "layers": layers}


def publish(path, values, folder, document):
    """Make a folder of values and what is said of them appear at once."""
    made = FeatureDirectory(path)
    path.mkdir()
    os.rename(str(values), str(made.values))
    with open(str(made.values), "rb") as stream:
        os.fsync(stream.fileno())
    write_json(made.about, dict(document, format=FORMAT, sha256=sha256(made.values), created_at=time.time()))
    folder.path.parent.mkdir(exist_ok=True)
    try:
        os.rename(str(path), str(folder.path))
    except OSError:
        # Another job was done first, with the same bytes.
        if not folder.about.exists():
            raise
    fsync_folder(folder.path.parent)
