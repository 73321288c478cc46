"""How long a save keeps training waiting, on the trainer's interpreter; benchmarks/saving.py runs it.

``pauses.py ROUNDS`` prints lists of seconds, [of the clock, of this process' CPU]: ``on_the_spot`` and
``by_a_copy``, from one minibatch to when the next may begin, and ``after``, what the 20 minibatches behind a
copy take beyond 20 undisturbed ones.
"""

import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import cntk as C  # noqa: E402
import numpy as np  # noqa: E402

from trainer.aside import Aside  # noqa: E402
from trainer.checkpoints import sha256  # noqa: E402

UNITS = 3000
STEPS = 20


def network():
    x, t = C.input_variable(300), C.input_variable(10)
    hidden = C.layers.Dense(UNITS, C.relu)(C.layers.Dense(UNITS, C.relu)(x))
    z = C.layers.Dense(10)(hidden)
    per_minibatch = C.learning_parameter_schedule(0.001, minibatch_size=C.learners.IGNORE)
    learner = C.adam(z.parameters, per_minibatch, 0.9, minibatch_size=C.learners.IGNORE)
    return x, t, C.Trainer(z, (C.cross_entropy_with_softmax(z, t), None), [learner])


def save(trainer, folder):
    """What publishing a checkpoint does: written, brought to the disk, hashed."""
    for left in folder.iterdir():
        left.unlink()
    trainer.save_checkpoint(str(folder / "model.dnn"))
    for name in ("model.dnn", "model.dnn.ckp"):
        with open(str(folder / name), "rb") as stream:
            os.fsync(stream.fileno())
        sha256(folder / name)


def timed(work):
    """Seconds of the clock and of this process' CPU."""
    begun = time.perf_counter(), time.process_time()
    work()
    return [time.perf_counter() - begun[0], time.process_time() - begun[1]]


def main():
    x, t, trainer = network()
    random = np.random.RandomState(0)
    data = {x: random.rand(64, 300).astype("f"), t: np.eye(10, dtype="f")[random.randint(0, 10, 64)]}
    aside = Aside()

    def minibatches():
        for _ in range(STEPS):
            trainer.train_minibatch(data)

    minibatches()
    found = {"on_the_spot": [], "by_a_copy": [], "after": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(int(sys.argv[1])):
            undisturbed = timed(minibatches)
            found["on_the_spot"].append(timed(lambda: save(trainer, folder)))
            minibatches()
            found["by_a_copy"].append(timed(lambda: aside.begin(lambda: save(trainer, folder))))
            disturbed = timed(minibatches)
            found["after"].append([one - other for one, other in zip(disturbed, undisturbed)])
            aside.settle()
            assert aside.able
    print(json.dumps(found))


main()
