"""The loop that a CNTK user writes by hand, as a peer for the service. Runs on the trainer's interpreter.

``hand_written.py mlp|conv DATASET_FOLDER EPOCHS THREADS``: trains and evaluates as the service's job does,
saves a checkpoint at the end, and prints seconds from the first minibatch to the last evaluation, the
examples trained in them, and the seconds of the save.
"""

import json
import os
import sys
import tempfile
import time
import warnings

warnings.simplefilter("ignore")

import cntk as C  # noqa: E402
import numpy as np  # noqa: E402

MINIBATCH = 64


def network(kind, x):
    if kind == "mlp":
        h = C.layers.Dense(512, activation=C.relu)(x / 255)
        h = C.layers.Dense(512, activation=C.relu)(h)
    else:
        h = C.layers.Convolution2D((5, 5), 16, activation=C.relu, pad=True)(x / 255)
        h = C.layers.MaxPooling((2, 2), 2)(h)
        h = C.layers.Convolution2D((3, 3), 32, activation=C.relu, pad=True)(h)
        h = C.layers.MaxPooling((2, 2), 2)(h)
        h = C.layers.Dense(128, activation=C.relu)(h)
    return C.layers.Dense(10)(h)


def main(kind, folder, epochs, threads):
    C.cntk_py.set_max_num_cputhreads(threads)
    with open(os.path.join(folder, "schema.json")) as stream:
        schema = json.load(stream)

    def column(name):
        return np.load(os.path.join(folder, schema["fields"][name]["files"]["values"]), mmap_mode="r")

    pixels, codes = column("pixels"), column("digit")
    train, valid = (
        np.load(os.path.join(folder, schema["splits"][name]["file"])) for name in ("train", "valid")
    )
    x, y = C.input_variable(pixels.shape[1:]), C.input_variable(10)
    z = network(kind, x)
    loss, error = C.cross_entropy_with_softmax(z, y), C.classification_error(z, y)
    rate = C.learning_parameter_schedule(0.001, minibatch_size=C.learners.IGNORE)
    learner = C.adam(
        z.parameters,
        rate,
        0.9,
        unit_gain=True,
        minibatch_size=C.learners.IGNORE,
        epsilon=1e-8,
        variance_momentum=C.momentum_schedule(0.999, minibatch_size=C.learners.IGNORE),
    )
    trainer = C.Trainer(z, (loss, error), [learner])
    one_hot = np.eye(10, dtype=np.float32)

    def fed(rows):
        return {x: np.ascontiguousarray(pixels[rows], dtype=np.float32), y: one_hot[codes[rows]]}

    random, started, trained = np.random.RandomState(1), None, 0
    for _ in range(epochs):
        rows = train[random.permutation(len(train))]
        total = 0.0
        for start in range(0, len(rows), MINIBATCH):
            batch = rows[start : start + MINIBATCH]
            trainer.train_minibatch(fed(batch))
            total += trainer.previous_minibatch_loss_average * len(batch)
            if started is None:
                started = time.perf_counter()
            else:
                trained += len(batch)
        wrong = 0.0
        for start in range(0, len(valid), 256):
            batch = valid[start : start + 256]
            wrong += trainer.test_minibatch(fed(batch)) * len(batch)
    seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as saved:
        trainer.save_checkpoint(os.path.join(saved, "checkpoint.dnn"))
    saving = time.perf_counter() - started - seconds
    print(
        json.dumps(
            {
                "seconds": seconds,
                "samples": trained,
                "loss": total / len(train),
                "error": wrong / len(valid),
                "saving": saving,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
