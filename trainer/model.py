"""A network, its objective and its learner as one thing that trains and evaluates minibatches."""

from collections import OrderedDict

import numpy as np

from trainer.engine import IGNORE, C
from trainer.network import Network
from trainer.objective import Objective
from trainer.parameters import digest
from trainer.parts import learners, schedules


class Model:
    """What the training loop works on. Rows are row indices of the data set."""

    def __init__(self, spec, dataset):
        self.spec = spec
        self.network = Network(spec, dataset)
        self.objective = Objective(spec, self.network)
        self.device = C.cpu()
        self.columns = OrderedDict(
            (variable, dataset.column(field)) for field, variable in self.network.variables.items()
        )
        self.rate_field = learners[spec["learner"]["type"]].facts["rate"]
        self.rate = None
        call = learners.build(spec["learner"])
        self.learner = call.make(list(self.network.parameters.values()), self.rate_at(0.0))
        self.trainer = C.Trainer(
            C.combine([self.objective.report]), (self.objective.loss, None), [self.learner]
        )
        self.report_output = self.objective.report.output

    def rate_at(self, epoch):
        """Learning rate after ``epoch`` epochs (a fraction counts)."""
        return schedules.build(self.spec["learner"][self.rate_field], epoch)

    def set_rate(self, epoch):
        """Before each minibatch: the rate is a function of the position, never of a saved schedule."""
        rate = self.rate_at(epoch)
        if rate != self.rate:
            self.learner.reset_learning_rate(C.learning_parameter_schedule(rate, minibatch_size=IGNORE))
            self.rate = rate

    def values(self, rows):
        """Values of all input variables, and the arrays whose memory they borrow."""
        arrays = [column.read(rows) for column in self.columns.values()]
        return dict(zip(self.columns, map(self.value, arrays))), arrays

    def value(self, array):
        """A Value of n sequences of one step each; borrowing the array spares CNTK's checks and a copy."""
        if isinstance(array, np.ndarray):
            view = C.cntk_py.NDArrayView(
                array.reshape(array.shape[:1] + (1,) + array.shape[1:]), self.device, False, True
            )
        else:
            view = C.NDArrayView.from_csr(array, self.device, shape=(array.shape[0], 1, array.shape[1]))
        return C.cntk_py.Value(view)

    def train(self, rows):
        """One step on one minibatch; the sums of every reported number over its examples."""
        values, _borrowed = self.values(rows)
        wanted = {self.report_output: None}
        C.cntk_py.Trainer.train_minibatch(self.trainer, values, False, wanted, self.device)
        report = wanted[self.report_output].data().to_ndarray()
        return report.reshape(len(rows), -1).sum(axis=0, dtype=np.float64)

    def evaluate(self, order):
        """Sums of every reported number over all rows of an ``Order``, in inference mode."""
        total = 0.0
        for rows in order.minibatches():
            values, _borrowed = self.values(rows)
            total = total + self.objective.report.eval(values, device=self.device).sum(
                axis=0, dtype=np.float64
            )
        return total

    def digest(self):
        return digest(self.network.parameters)

    def save(self, path):
        """Model and learner state as ``path`` and ``path``.ckp."""
        self.trainer.save_checkpoint(str(path))

    def restore(self, path):
        """Model and learner state from what ``save`` wrote; the rate is set anew at the next step."""
        self.trainer.restore_from_checkpoint(str(path))
        self.rate = None

    def load_weights(self, path):
        """Parameters and statistics of the same names from a saved model; the learner stays fresh.

        ValueError names what the model lacks or has in another shape.
        """
        saved = C.load_model(str(path))
        values = {
            variable.name: variable.value
            for variable in list(saved.parameters) + list(saved.constants)
            if variable.name
        }
        wanted = OrderedDict(self.network.parameters)
        wanted.update(self.network.statistics)
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

    def save_bundle(self, path):
        """The network alone, without loss and learner, for use elsewhere."""
        C.combine([self.network.nodes[name] for name in self.spec["outputs"]]).save(str(path))
