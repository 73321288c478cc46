"""How many images a second one core augments. Runs on the trainer's interpreter.

``OMP_NUM_THREADS=1 .venv-trainer/bin/python -m benchmarks.augmentation``: random bytes in minibatches, as
training reads them; the best of three passes. "nothing" is reading alone.
"""

import time

import numpy as np

from trainer.augmenting import AugmentedColumn
from trainer.parts import augmentations

THREE = [
    {"type": "random_resized_crop", "smallest": 0.7, "aspect": 1.2},
    {"type": "flip"},
    {"type": "colour_jitter", "brightness": 0.3, "contrast": 0.3, "saturation": 0.3},
]
LISTS = {
    "nothing": [],
    "flip": [{"type": "flip"}],
    "random_crop": [{"type": "random_crop", "padding": 4}],
    "random_resized_crop": THREE[:1],
    "scale_jitter": [{"type": "scale_jitter"}],
    "colour_jitter": THREE[2:],
    "the three of docs/augmentation.md": THREE,
}
SIZES = {(3, 32, 32): (4096, 128), (3, 224, 224): (256, 32)}
"""Shape to rows and minibatch size."""
PASSES = 3


class Bytes:
    """A column of random bytes."""

    def __init__(self, rows, shape):
        self.values = np.random.RandomState(1).randint(0, 256, (rows, *shape)).astype(np.uint8)
        self.shape = shape

    def read(self, rows, epoch=None):
        return np.ascontiguousarray(self.values[rows], dtype=np.float32)


def whole(document):
    """With every default filled in."""
    params = augmentations[document["type"]].params
    return dict(
        {name: param.default for name, (_, param) in params.items() if not param.required}, **document
    )


def seconds(column, rows, minibatch, epoch):
    order = np.random.RandomState(epoch).permutation(rows)
    begun = time.perf_counter()
    for start in range(0, rows, minibatch):
        column.read(order[start : start + minibatch], epoch)
    return time.perf_counter() - begun


if __name__ == "__main__":
    for shape, (rows, minibatch) in SIZES.items():
        stored = Bytes(rows, shape)
        for name, documents in LISTS.items():
            column = AugmentedColumn(stored, "image", {"dtype": "uint8"}, list(map(whole, documents)), 1)
            best = min(seconds(column, rows, minibatch, epoch) for epoch in range(PASSES))
            print(f"{' x '.join(map(str, shape))}  {name:34} {rows / best:7.0f} images/s")
