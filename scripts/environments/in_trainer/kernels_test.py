"""``kernels_test.py THREADS [LIBRARY]``: train small networks, with a library of kernels or with CNTK alone.

Run by the trainer's Python; prints the SHA-256 of each network's parameters as one JSON line.
"""

import ctypes
import hashlib
import json
import os
import sys
import warnings

STEPS = 6
ROWS = 24


def networks():
    """Input shape and what is made of it, by name; each holds some of the kernels."""
    import cntk as C

    layers = C.layers

    def dense(x):
        return layers.Dense(200, activation=C.relu)(x)

    def image(x):
        x = layers.Convolution2D((3, 3), 8, activation=C.relu, pad=True)(x)
        x = layers.MaxPooling((2, 2), 2)(x)
        x = layers.Convolution2D((3, 3), 4, activation=C.tanh, pad=True)(x)
        return layers.MaxPooling((3, 3), 2, pad=True)(x)

    def line(x):
        return layers.MaxPooling((3,), 1, pad=True)(layers.Convolution((5,), 7, pad=True)(x))

    return {"dense": ((150,), dense), "image": ((2, 13, 11), image), "line": ((3, 40), line)}


def train(shape, body):
    """SHA-256 of the losses and of the parameters that a few steps leave."""
    import cntk as C
    import numpy as np

    random = np.random.RandomState(1)
    x, y = C.input_variable(shape), C.input_variable(5)
    scores = C.layers.Dense(5)(body(x))
    for parameter in scores.parameters:
        # Steps, so that several inputs of a pooling reach its maximum.
        parameter.value = (np.round(random.randn(*parameter.shape) * 16) / 64).astype(np.float32)
    rate = C.learning_parameter_schedule(0.01, minibatch_size=C.learners.IGNORE)
    learner = C.adam(scores.parameters, rate, 0.9, minibatch_size=C.learners.IGNORE)
    trainer = C.Trainer(scores, (C.cross_entropy_with_softmax(scores, y), None), [learner])
    digest = hashlib.sha256()
    for _ in range(STEPS):
        rows = np.round(random.randn(ROWS, *shape) * 2) / 2
        labels = np.eye(5)[random.randint(0, 5, ROWS)]
        trainer.train_minibatch({x: rows.astype(np.float32), y: labels.astype(np.float32)})
        digest.update(np.float64(trainer.previous_minibatch_loss_average).tobytes())
    for parameter in scores.parameters:
        digest.update(np.ascontiguousarray(parameter.value).tobytes())
    return digest.hexdigest()


def main():
    # CNTK warns of its own age on import, and prints while it trains.
    warnings.simplefilter("ignore")
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for library in sys.argv[2:]:
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    import cntk as C

    C.logging.set_trace_level(C.logging.TraceLevel.Error)
    # Once for all: CNTK's convolutions divide by zero where the number changes.
    C.cntk_py.set_max_num_cputhreads(int(sys.argv[1]))
    found = {name: train(shape, body) for name, (shape, body) in networks().items()}
    answer.write(json.dumps(found) + "\n")
    answer.close()


if __name__ == "__main__":
    main()
