"""A network, its objective and its learner as one thing that trains and evaluates minibatches."""

from collections import OrderedDict

import numpy as np

from trainer.engine import IGNORE, C
from trainer.feeding import Feed, Received
from trainer.gathering import at_a_time, together
from trainer.network import Network
from trainer.objective import Objective
from trainer.paging import expected
from trainer.parameters import digest
from trainer.parts import learners, schedules
from trainer.prefetch import ahead, worthwhile
from trainer.rates import by_factor


class Model:
    """What the training loop works on. Rows are row indices of the data set."""

    def __init__(self, spec, dataset, bases=None, features=()):
        self.spec = spec
        self.bases = bases
        self.features = features
        self.network = Network(spec, dataset, bases, features)
        self.objective = Objective(spec, self.network)
        self.device = C.cpu()
        self.rate_rule = spec["learner"][learners[spec["learner"]["type"]].facts["rate"]]
        self.rate = None
        call = learners.build(spec["learner"])
        first = self.rate_at(0.0)
        self.learners = [
            (factor, call.make(parameters, first * factor))
            for factor, parameters in by_factor(self.network.parameters, spec["training"]).items()
        ]
        self.trainer = C.Trainer(
            C.combine([self.objective.report]),
            (self.objective.loss, None),
            [learner for _, learner in self.learners],
        )
        self.received = Received(self.objective.report)
        self.training_feed = Feed(self.network.columns, self.objective.loss, self.objective.report)

    def rate_at(self, epoch):
        """Learning rate after ``epoch`` epochs (a fraction counts)."""
        return schedules.build(self.rate_rule, epoch)

    def set_rate(self, epoch):
        """Before each minibatch: the rate is a function of the position, never of a saved schedule."""
        if self.rate is not None and self.rate_rule["type"] == "constant":
            return
        rate = self.rate_at(epoch)
        if rate != self.rate:
            for factor, learner in self.learners:
                schedule = C.learning_parameter_schedule(rate * factor, minibatch_size=IGNORE)
                learner.reset_learning_rate(schedule)
            self.rate = rate

    def minibatches(self, order, epoch, offset):
        """Rows of each minibatch of an epoch behind its first ``offset``, and what was read of them."""
        feed = self.training_feed

        def read(rows):
            return feed.read(rows, epoch)

        minibatches = expected(order.minibatches(epoch, offset), feed.columns)
        if worthwhile(feed.columns, order.minibatch_size):
            return ahead(minibatches, read)
        count = at_a_time(feed.columns, order.minibatch_size)
        if count > 1:
            return together(minibatches, read, count)
        return ((rows, read(rows)) for rows in minibatches)

    def train(self, rows, read):
        """One step on what was read of rows; its loss, and every reported number summed over the rows."""
        received = self.received
        values, wanted = self.training_feed.values(read), received.of(len(rows))
        C.cntk_py.Trainer.train_minibatch(self.trainer, values, False, wanted, self.device)
        sums = np.add.reduce(received.array, axis=0, dtype=np.float64)
        return self.objective.total(sums, len(rows)), sums

    def evaluate(self, order):
        """Sums of every reported number over all rows of an ``Order``, in inference mode."""
        feed, total = Feed(self.network.columns, self.objective.report), 0.0
        for rows in expected(order.minibatches(), feed.columns):
            values = feed.values(feed.read(rows))
            found = self.objective.report.eval(values, device=self.device)
            total = total + found.sum(axis=0, dtype=np.float64)
        return total

    def digest(self):
        return digest(self.network.parameters)

    def save(self, path):
        """Model and learner state as ``path`` and ``path``.ckp."""
        self.trainer.save_checkpoint(str(path))

    def saved_bytes(self):
        """About how many bytes ``save`` writes: the parameters and as many numbers again for each state."""
        parameters = sum(int(np.prod(p.shape)) for p in self.network.parameters.values())
        return 4 * parameters * (1 + learners[self.spec["learner"]["type"]].facts["state"])

    def restore(self, path):
        """Model and learner state from what ``save`` wrote; the rate is set anew at the next step."""
        self.trainer.restore_from_checkpoint(str(path))
        self.rate = None

    def load_weights(self, path):
        """Parameters and statistics of the same names from a saved model; the learner stays fresh.

        What comes from a base model and was no parameter there keeps the values of the base model.
        ValueError names what else the model lacks or has in another shape.
        """
        saved = C.load_model(str(path))
        values = {
            variable.name: variable.value
            for variable in list(saved.parameters) + list(saved.constants)
            if variable.name
        }
        wanted = OrderedDict(self.network.parameters)
        wanted.update(self.network.statistics)
        for name in self.network.inherited:
            if name not in values:
                del wanted[name]
        for name, variable in wanted.items():
            if name not in values:
                raise ValueError("the starting model has no %s" % name)
            if values[name].shape != variable.shape:
                raise ValueError(
                    "%s has the shape %s in the starting model and %s in this network"
                    % (name, values[name].shape, variable.shape)
                )
        for name, variable in wanted.items():
            variable.value = values[name]

    def whole(self):
        """The network from the fields of the data set on, also where the training read features instead."""
        if not self.features:
            return self.network
        network = Network(self.spec, self.network.dataset, self.bases)
        for group in ("parameters", "statistics"):
            for name, variable in getattr(self.network, group).items():
                getattr(network, group)[name].value = variable.value
        return network
