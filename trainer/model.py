"""A network, its objective and its learner as one thing that trains and evaluates minibatches."""

import ctypes
from collections import OrderedDict

import numpy as np

from trainer.columns import Padded
from trainer.engine import IGNORE, C
from trainer.network import Network
from trainer.objective import Objective
from trainer.parameters import digest
from trainer.parts import learners, schedules
from trainer.prefetch import ahead, worthwhile
from trainer.rates import by_factor

SEQUENCE_BEGIN = 2
"""CNTK's MaskKind: 0 is invalid, 1 valid."""


def fed_to(variables, *nodes):
    """Those input variables that nodes depend on, in order."""
    used = {argument.uid for node in nodes for argument in node.arguments}
    return [variable for variable in variables if variable.uid in used]


def value(found, device):
    """A CNTK Value of what a column read; borrowing the array spares CNTK's checks and a copy."""
    if not isinstance(found, Padded):
        # One step for each row.
        return C.cntk_py.Value(view(found, (found.shape[0], 1), found.shape[1:], device))
    rows_and_steps = (len(found.lengths), int(found.lengths.max()))
    own = found.values.shape[2:] if isinstance(found.values, np.ndarray) else found.values.shape[1:]
    return C.cntk_py.Value(view(found.values, rows_and_steps, own, device), mask(found.lengths, device))


def view(array, rows_and_steps, own, device):
    """``array`` as rows x steps x its own shape."""
    if isinstance(array, np.ndarray):
        return C.cntk_py.NDArrayView(array.reshape(rows_and_steps + own), device, False, True)
    return C.NDArrayView.from_csr(array, device, shape=rows_and_steps + own)


def mask(lengths, device):
    """What of (rows, longest) steps counts: CNTK wants to know where each row begins and ends."""
    steps = np.arange(lengths.max())
    kinds = (steps < lengths[:, None]).astype(np.int8)
    kinds[:, 0] = SEQUENCE_BEGIN
    made = C.cntk_py.NDMask(kinds.shape, device)
    # One byte an entry; CNTK's own calls take a hundred times as long, row by row.
    ctypes.memmove(int(made.data_buffer()), kinds.ctypes.data, kinds.size)
    return made


class Model:
    """What the training loop works on. Rows are row indices of the data set."""

    def __init__(self, spec, dataset, bases=None, features=()):
        self.spec = spec
        self.bases = bases
        self.features = features
        self.network = Network(spec, dataset, bases, features)
        self.objective = Objective(spec, self.network)
        self.device = C.cpu()
        self.rate_field = learners[spec["learner"]["type"]].facts["rate"]
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
        self.report_output = self.objective.report.output
        self.trained_on = fed_to(self.network.columns, self.objective.loss, self.objective.report)
        self.reported_on = fed_to(self.network.columns, self.objective.report)

    def rate_at(self, epoch):
        """Learning rate after ``epoch`` epochs (a fraction counts)."""
        return schedules.build(self.spec["learner"][self.rate_field], epoch)

    def set_rate(self, epoch):
        """Before each minibatch: the rate is a function of the position, never of a saved schedule."""
        rate = self.rate_at(epoch)
        if rate != self.rate:
            for factor, learner in self.learners:
                schedule = C.learning_parameter_schedule(rate * factor, minibatch_size=IGNORE)
                learner.reset_learning_rate(schedule)
            self.rate = rate

    def read(self, rows, variables, epoch=None):
        """What columns hold for rows, by the input variable that it is fed to.

        ``epoch`` says in which the rows are trained; None: they are evaluated, and read as they are.
        """
        columns = self.network.columns
        return OrderedDict((variable, columns[variable].read(rows, epoch)) for variable in variables)

    def borrowing(self, read):
        """CNTK's values of what was read, by input variable; its memory must outlive them."""
        return {variable: value(found, self.device) for variable, found in read.items()}

    def values(self, rows, variables, epoch=None):
        """Values of input variables, and the arrays whose memory they borrow."""
        read = self.read(rows, variables, epoch)
        return self.borrowing(read), read

    def minibatches(self, order, epoch, offset):
        """Rows of each minibatch of an epoch behind its first ``offset``, and what was read of them."""

        def read(rows):
            return self.read(rows, self.trained_on, epoch)

        minibatches = order.minibatches(epoch, offset)
        columns = [self.network.columns[variable] for variable in self.trained_on]
        if worthwhile(columns, order.minibatch_size):
            return ahead(minibatches, read)
        return ((rows, read(rows)) for rows in minibatches)

    def train(self, rows, read):
        """One step on what was read of rows; its loss, and every reported number summed over the rows."""
        values = self.borrowing(read)
        wanted = {self.report_output: None}
        C.cntk_py.Trainer.train_minibatch(self.trainer, values, False, wanted, self.device)
        report = wanted[self.report_output].data().to_ndarray()
        sums = report.reshape(len(rows), -1).sum(axis=0, dtype=np.float64)
        return self.objective.total(sums, len(rows)), sums

    def evaluate(self, order):
        """Sums of every reported number over all rows of an ``Order``, in inference mode."""
        total = 0.0
        for rows in order.minibatches():
            values, _borrowed = self.values(rows, self.reported_on)
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
