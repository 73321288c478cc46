"""How CNTK is given what columns hold: values that borrow arrays, small ones kept from step to step."""

import ctypes

import numpy as np

from trainer.columns import Padded
from trainer.engine import C

SMALL = 1 << 16
"""Bytes that are copied sooner than CNTK is given a value of them."""
SEQUENCE_BEGIN = 2
"""CNTK's MaskKind: 0 is invalid, 1 valid."""


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


def fed_to(variables, *nodes):
    """Those input variables that nodes depend on, in order."""
    used = {argument.uid for node in nodes for argument in node.arguments}
    return [variable for variable in variables if variable.uid in used]


class Feed:
    """What some input variables are fed with, minibatch after minibatch."""

    def __init__(self, columns, *nodes):
        """Those of ``columns``, which have the input variables for keys, that the nodes depend on."""
        self.variables = fed_to(columns, *nodes)
        self.columns = [columns[variable] for variable in self.variables]
        self.device = C.cpu()
        self.given = {}
        self.kept = [None] * len(self.variables)
        """Arrays whose memory the values of today borrow."""

    def read(self, rows, epoch=None):
        """What the columns hold for rows.

        ``epoch`` says in which they are trained; None: they are evaluated, and read as they are.
        """
        return [column.read(rows, epoch) for column in self.columns]

    def values(self, read):
        """CNTK's values of what was read, by input variable; good until the next call.

        To make one takes Python longer than a small network's step: small arrays of the shape of the
        minibatch before go where those were.
        """
        for place, found in enumerate(read):
            kept = self.kept[place]
            small = isinstance(found, np.ndarray) and found.nbytes <= SMALL
            if small and isinstance(kept, np.ndarray) and kept.shape == found.shape:
                kept[...] = found
            else:
                self.kept[place] = found.copy() if small else found
                self.given[self.variables[place]] = value(self.kept[place], self.device)
        return self.given


class Received:
    """Where CNTK puts what a node with a value a row has for a minibatch: an array that a value borrows.

    To fetch CNTK's own value, make an array of it and dispose of both takes Python longer.
    """

    def __init__(self, node):
        self.output = node.output
        self.device = C.cpu()
        self.array = np.empty((0,) + node.shape, dtype=np.float32)
        """(rows, *shape) of the latest minibatch."""
        self.wanted = None
        """What CNTK's calls take as the outputs that are asked for; they replace the value by itself."""

    def of(self, rows):
        """``wanted`` for so many rows; until the next call ``array`` is theirs."""
        if len(self.array) != rows:
            self.array = np.empty((rows,) + self.array.shape[1:], dtype=np.float32)
            view = C.cntk_py.NDArrayView(self.array, self.device, False, True)
            self.wanted = {self.output: C.cntk_py.Value(view)}
        return self.wanted
