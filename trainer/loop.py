"""The training loop. It knows neither files nor formats: effects are callbacks."""

import math
from contextlib import closing


class Diverged(Exception):
    """The loss of a minibatch is not a finite number."""


def train(model, order, state, budget, callbacks):
    """Train until the budget is spent, a callback ends it, or the loss diverges.

    ``model`` has set_rate(epoch), minibatches(order, epoch, offset), a generator of (rows, read), and
    train(rows, read) -> (loss, sums); ``order`` has the training rows; ``state`` is advanced in place.
    Callbacks have ``minibatch(state, loss)`` and ``epoch(state)`` and return True to end training there.
    """
    while state.epoch < budget and not state.stopped_early:
        # Closed however the epoch ends: a thread may be reading ahead.
        with closing(model.minibatches(order, state.epoch, state.offset)) as minibatches:
            for rows, read in minibatches:
                model.set_rate(state.epoch + state.offset / len(order))
                loss, sums = model.train(rows, read)
                if not math.isfinite(loss):
                    raise Diverged(
                        "the loss became %s in epoch %d at minibatch %d (step %d)"
                        % (loss, state.epoch + 1, state.minibatch + 1, state.step + 1)
                    )
                state.advance(rows, sums)
                # The last minibatch of an epoch is followed by its evaluation before anything may end here.
                ended = [callback.minibatch(state, loss) for callback in callbacks]
                if any(ended) and state.offset < len(order):
                    return
        ended = [callback.epoch(state) for callback in callbacks]
        if any(ended):
            return
