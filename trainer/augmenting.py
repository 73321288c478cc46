"""Images that are changed at random wherever they are trained, and left alone where they are evaluated."""

from collections import Counter

import numpy as np

from trainer.parameters import derived_seed
from trainer.parts import augmentations

CHUNK_ELEMENTS = 1 << 18
"""Images are changed so many numbers at a time: what fits a core's own cache goes several times as fast."""

INCREMENT, FIRST, SECOND = (
    np.array([number], dtype=np.uint64)
    for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
"""Of SplitMix64 (Steele, Lea and Flood, 2014)."""


def mixed(state):
    """SplitMix64's output function on an array of uint64."""
    state = (state ^ (state >> np.uint64(30))) * FIRST
    state = (state ^ (state >> np.uint64(27))) * SECOND
    return state ^ (state >> np.uint64(31))


class Draw:
    """Random numbers of some rows: one SplitMix64 stream a row, whose start is seed and row alone.

    A row's numbers are therefore the same in whatever minibatch it stands, and nothing need be saved.
    """

    def __init__(self, seed, rows):
        """``seed`` is of 31 bits, rows are of 32."""
        key = np.array([seed], dtype=np.uint64) << np.uint64(32)
        self.state = mixed(mixed(key + INCREMENT) + np.asarray(rows).astype(np.uint64) * INCREMENT)

    def __call__(self, low, high):
        """The next number of each row, float64, uniform in ``low`` to ``high``."""
        self.state = self.state + INCREMENT
        unit = (mixed(self.state) >> np.uint64(11)) * (1.0 / (1 << 53))
        return low + (high - low) * unit


class AugmentedColumn:
    """A column of images as a list of augmentations changes them, one after the other.

    What a row becomes depends on the job's seed, the epoch, the field and the row. Inputs of the same field
    draw the same numbers, so the same augmentations make the same image; the numbers of an augmentation are
    told by its type and by how many of that type come before it, so one may be left out without the
    others' being changed.
    """

    axis = None
    sparse = False
    costly = True

    def __init__(self, column, field, schema, documents, seed):
        """``schema`` is the field's, as it was when the network was first trained."""
        self.column = column
        self.scarce = getattr(column, "scarce", 0)
        self.shape = column.shape
        self.span = (0.0, 255.0) if schema["dtype"] == "uint8" else (schema["min"], schema["max"])
        self.words = (seed, "augment", field)
        before = Counter()
        self.steps = []
        """Each augmentation's document, and how many of its type come before it."""
        for document in documents:
            self.steps.append((document, before[document["type"]]))
            before[document["type"]] += 1

    def expect(self, rows):
        self.column.expect(rows)

    def read(self, rows, epoch=None):
        """Float32 array (len(rows), *shape)."""
        if epoch is None:
            return self.column.read(rows)
        seeds = [derived_seed(*self.words, step["type"], number, epoch) for step, number in self.steps]
        found = np.empty((len(rows),) + self.shape, dtype=np.float32)
        chunk = max(1, CHUNK_ELEMENTS // int(np.prod(self.shape)))
        for start in range(0, len(rows), chunk):
            here = rows[start : start + chunk]
            images = self.column.read(here, epoch)
            for seed, (document, _) in zip(seeds, self.steps):
                images = augmentations.build(document, images, Draw(seed, here), self.span)
            found[start : start + chunk] = images
        return found
