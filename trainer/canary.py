"""``python -m trainer.canary``: whether networks train under the library's AVX-512 code here, once a machine.

One known combination of settings hangs, so each kind of network is trained in a process of its own that is
given up after a while. The verdicts are left where trainer/machine.py looks for them. Does nothing on
processors for which the library chooses well by itself.
"""

import argparse
import json
import os
import subprocess
import sys

import numpy as np

from trainer import machine
from trainer.engine import IGNORE, C, use_threads
from trainer.files import write_json

PATIENCE_SECONDS = 60
STEPS = 8
TOLERANCE = 1e-3
"""How far the losses of the two ways may be from each other, by their size."""


def dense(x):
    return C.layers.Dense(96, activation=C.relu)(C.layers.Dense(96, activation=C.relu)(x))


def convolution(x):
    """What has hung: blocks with normalization around which the input goes too, and unpooling."""
    maps = C.layers.Convolution2D((3, 3), 16, pad=True)(x)
    for _ in range(2):
        inner = C.layers.Convolution2D((3, 3), 16, pad=True, activation=C.relu)(maps)
        maps = C.relu(C.layers.BatchNormalization(map_rank=1)(inner) + maps)
    pooled = C.layers.MaxPooling((2, 2), 2)(maps)
    code = C.layers.Convolution2D((3, 3), 16, pad=True)(pooled)
    return C.layers.Convolution2D((3, 3), 4, pad=True)(C.layers.MaxUnpooling((2, 2), 2)(code, maps))


def recurrence(x):
    return C.sequence.last(C.layers.Recurrence(C.layers.LSTM(64))(x))


NETWORKS = {
    "dense": ((40,), dense),
    "convolution": ((3, 16, 16), convolution),
    "recurrence": ((20,), recurrence),
}


def losses(kind):
    """The loss of each of a few steps."""
    shape, body = NETWORKS[kind]
    random = np.random.RandomState(1)
    make = C.sequence.input_variable if kind == "recurrence" else C.input_variable
    x, y = make(shape), C.input_variable(5)
    scores = C.layers.Dense(5)(body(x))
    for parameter in scores.parameters:
        parameter.value = (random.randn(*parameter.shape) * 0.1).astype(np.float32)
    rate = C.learning_parameter_schedule(0.001, minibatch_size=IGNORE)
    learner = C.adam(scores.parameters, rate, 0.9, minibatch_size=IGNORE)
    trainer = C.Trainer(scores, (C.cross_entropy_with_softmax(scores, y), None), [learner])
    found = []
    for _ in range(STEPS):
        steps = (12,) if kind == "recurrence" else ()
        rows = random.randn(32, *(steps + shape)).astype(np.float32)
        trainer.train_minibatch({x: rows, y: np.eye(5, dtype=np.float32)[random.randint(0, 5, 32)]})
        found.append(trainer.previous_minibatch_loss_average)
    return found


def tried(kind, threads, **variables):
    """The losses of a kind in a process of its own; None where it does not come back or fails."""
    try:
        finished = subprocess.run(
            [sys.executable, "-m", "trainer.canary", "--threads", str(threads), "--kind", kind],
            env=dict(os.environ, **machine.limits(threads), **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None
    return json.loads(finished.stdout.decode("utf-8").splitlines()[-1]) if finished.returncode == 0 else None


def verdict(kind, threads):
    """Whether a kind trains under AVX-512 code as it does without."""
    usual, other = tried(kind, threads), tried(kind, threads, **{machine.VARIABLE: machine.AVX512})
    return bool(usual and other and np.allclose(usual, other, rtol=TOLERANCE, atol=0))


def main():
    parser = argparse.ArgumentParser(
        prog="trainer.canary", description="Try the AVX-512 code of CNTK's library."
    )
    parser.add_argument("--threads", type=int, nargs="+", required=True, help="numbers of them, in turn")
    parser.add_argument("--kind", choices=sorted(NETWORKS), help="print the losses of this one, and no more")
    parser.add_argument("--always", action="store_true", help="try it on whatever processor this is")
    asked = parser.parse_args()
    if asked.kind:
        use_threads(asked.threads[0])
        C.logging.set_trace_level(C.logging.TraceLevel.Error)
        sys.stdout.write("\n%s\n" % json.dumps(losses(asked.kind)))
        return 0
    found = machine.processor()
    if machine.in_question(found) or asked.always:
        for threads in asked.threads:
            path = machine.verdicts_file(found, threads, C.__version__)
            if not path.exists():
                write_json(path, {kind: verdict(kind, threads) for kind in sorted(NETWORKS)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
