"""The one guarded import of CNTK.

``C`` is the library in the trainer's interpreter and None elsewhere: the modern side reads
the parts' signatures and plans, which touch ``C`` only when a network is really built.
"""

import warnings

from trainer import kernels

KERNELS = kernels.load()
"""Whether CNTK computes with the kernels of this project where it has any."""

with warnings.catch_warnings():
    # CNTK warns about the distribution and about missing GPU libraries at every import.
    warnings.simplefilter("ignore")
    try:
        import cntk as C
    except ImportError:
        C = None

IGNORE = 0
"""``cntk.learners.IGNORE``: schedules and learners take the mean gradient of a minibatch."""


def step_axis(column):
    """The axis of a column's steps: fields of equal lengths have one, so that CNTK takes them together."""
    return C.Axis("steps of " + column.axis)


def axis_of(node):
    """The axis of a node's steps; None where it has one value a row."""
    return next((axis for axis in node.dynamic_axes if axis != C.Axis.default_batch_axis()), None)


def use_threads(count):
    """Hold CNTK to ``count`` CPU threads. Bits depend on it, so a spec fixes the number."""
    C.cntk_py.set_max_num_cputhreads(count)


def take_a_first_step():
    """Train one throw-away convolution.

    With one thread, evaluating a convolution before the process's first training step can die of
    SIGFPE on some processors; after any training step it does not (measured).
    """
    import numpy as np

    x = C.input_variable((1, 4, 4))
    maps = C.convolution(C.parameter((1, 1, 3, 3), init=1), x)
    loss = C.reshape(C.reduce_sum(maps * maps), (1,))
    rate = C.learning_parameter_schedule(0.1, minibatch_size=IGNORE)
    trainer = C.Trainer(None, (loss, None), [C.sgd(loss.parameters, rate, minibatch_size=IGNORE)])
    trainer.train_minibatch({x: np.ones((2, 1, 4, 4), dtype=np.float32)})
