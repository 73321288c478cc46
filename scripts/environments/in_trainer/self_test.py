"""Train five real steps and print, as one JSON line, what was found. Run by the trainer's Python."""

import hashlib
import json
import os
import sys
import time
import warnings

STEPS = 5


def train():
    """Five Adam steps of a small classifier on fixed data: losses, and a digest of the parameters."""
    import cntk as C
    import numpy as np

    C.logging.set_trace_level(C.logging.TraceLevel.Error)
    C.cntk_py.set_fixed_random_seed(1)
    random = np.random.RandomState(1)
    pixels = random.rand(16, 8).astype(np.float32)
    digits = np.eye(4, dtype=np.float32)[np.arange(16) % 4]

    x, y = C.input_variable(8), C.input_variable(4)
    hidden = C.layers.Dense(8, activation=C.tanh, init=C.glorot_uniform(seed=1))(x)
    scores = C.layers.Dense(4, init=C.glorot_uniform(seed=2))(hidden)
    loss = C.cross_entropy_with_softmax(scores, y)
    rate = C.learning_parameter_schedule(0.05, minibatch_size=C.learners.IGNORE)
    momentum = C.momentum_schedule(0.9, minibatch_size=C.learners.IGNORE)
    learner = C.adam(scores.parameters, rate, momentum, unit_gain=True, minibatch_size=C.learners.IGNORE)
    trainer = C.Trainer(scores, (loss, None), [learner])
    losses = []
    for _ in range(STEPS):
        trainer.train_minibatch({x: pixels, y: digits})
        losses.append(trainer.previous_minibatch_loss_average)
    if losses != sorted(losses, reverse=True):
        raise SystemExit("Error: the loss did not fall in five steps: %r" % losses)

    digest = hashlib.sha256()
    for parameter in scores.parameters:
        digest.update(np.ascontiguousarray(parameter.value).tobytes())
    gpus = [str(device) for device in C.device.all_devices() if device.type() == C.device.DeviceKind.GPU]
    return {
        "cntk_version": C.__version__,
        "numpy_version": np.__version__,
        "gpu": ", ".join(gpus) or None,
        "self_test": {"steps": STEPS, "losses": losses, "parameters_sha256": digest.hexdigest()},
    }


def main():
    # CNTK warns of its own age on import, and prints while it trains.
    warnings.simplefilter("ignore")
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    started = time.time()
    found = train()
    found["self_test"]["seconds"] = round(time.time() - started, 3)
    found["python_version"] = "%d.%d.%d" % sys.version_info[:3]
    answer.write(json.dumps(found) + "\n")
    answer.close()


if __name__ == "__main__":
    main()
