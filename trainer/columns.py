"""Columns of an ingested data set, memory-mapped, and their rows as CNTK takes them.

Every column has ``read(rows, epoch=None)``: what it holds for these rows when they are trained in that
epoch, a pure function of the two; without an epoch, for evaluation. Most columns hold the same always.
A column whose reading is more than a copy says ``costly = True``, and is read ahead (trainer/prefetch.py).
One that reads an array with an entry for each row, whatever the others are, says ``by_row = True``
(trainer/gathering.py).
One whose file memory has no room for says in ``scarce`` how many bytes its rows have, on average, and is told
by ``expect(rows)`` what will be read (trainer/paging.py).
"""

import numpy as np

from trainer.files import read_json
from trainer.paging import Mapped


def stored(folder, schema, role="values"):
    """A field's file."""
    return Mapped(folder.file(schema["files"][role]))


class Entries:
    """What columns of one file have in common: an entry of it is a row."""

    axis = None
    sparse = False

    def __init__(self, file):
        self.file = file
        self.scarce = file.scarce

    def expect(self, rows):
        self.file.expect(rows)


class DenseColumn(Entries):
    """(rows, *shape) numbers."""

    by_row = True

    def __init__(self, folder, schema):
        super().__init__(stored(folder, schema))
        self.shape = tuple(schema["shape"])

    def read(self, rows, epoch=None):
        """Float32 array (len(rows), *shape)."""
        return np.ascontiguousarray(self.file.take(rows), dtype=np.float32).reshape((len(rows),) + self.shape)


class CategoricalColumn(Entries):
    """Class codes, read as one-hot rows."""

    by_row = True

    def __init__(self, folder, schema):
        super().__init__(stored(folder, schema))
        self.shape = tuple(schema["shape"])
        self.one_hot = np.eye(self.shape[0], dtype=np.float32)

    def read(self, rows, epoch=None):
        """Float32 array (len(rows), classes)."""
        return self.one_hot[self.file.take(rows)]


class SparseColumn:
    """Compressed rows."""

    axis = None
    sparse = True

    def __init__(self, folder, schema):
        self.shape = tuple(schema["shape"])
        self.files = [stored(folder, schema, role) for role in ("values", "indices")]
        self.indptr = stored(folder, schema, "indptr").array
        average = int(self.indptr[-1]) / max(len(self.indptr) - 1, 1)
        self.scarce = average * sum(file.scarce for file in self.files)

    def expect(self, rows):
        entries, _ = self.entries(rows)
        for file in self.files:
            file.expect(entries)

    def entries(self, rows):
        """Which of the values are the rows', one after the other, and where each row's begin and end."""
        starts, ends = self.indptr[rows], self.indptr[np.asarray(rows) + 1]
        indptr = np.concatenate(([0], np.cumsum(ends - starts)))
        return np.repeat(starts - indptr[:-1], ends - starts) + np.arange(indptr[-1]), indptr

    def read(self, rows, epoch=None):
        """scipy.sparse.csr_matrix (len(rows), dimension), float32."""
        from scipy.sparse import csr_matrix

        entries, indptr = self.entries(rows)
        if not len(entries):
            # Of rows without an element CNTK makes nothing, or the last gradient again: a zero stands in.
            return csr_matrix(([np.float32(0)], ([0], [0])), shape=(len(rows), self.shape[0]))
        values, indices = (file.take(entries) for file in self.files)
        return csr_matrix((values, indices, indptr), shape=(len(rows), self.shape[0]))


class CodeColumn(Entries):
    """Class codes as numbers, for layers that look classes up."""

    by_row = True
    shape = ()

    def __init__(self, folder, schema):
        super().__init__(stored(folder, schema))

    def read(self, rows, epoch=None):
        """Float32 array (len(rows),): exact below 2^24, which is more classes than a field may have."""
        return self.file.take(rows).astype(np.float32)


class Padded:
    """Rows of steps: ``values`` holds rows x longest entries, of which the first ``lengths`` count."""

    def __init__(self, values, lengths):
        self.values = values
        self.lengths = lengths


class SequenceColumn:
    """Rows of several steps each; ``steps`` is a column that has them all, row after row."""

    def __init__(self, folder, schema, steps):
        self.steps = steps
        self.axis = schema["axis"]
        self.shape = steps.shape
        self.sparse = steps.sparse
        self.offsets = stored(folder, schema, "offsets").array
        self.scarce = steps.scarce * int(self.offsets[-1]) / max(len(self.offsets) - 1, 1)

    def expect(self, rows):
        self.steps.expect(self.entries(rows))

    def lengths(self, rows, epoch=None):
        """How many steps each row has."""
        rows = np.asarray(rows)
        return self.offsets[rows + 1] - self.offsets[rows]

    def flat(self, rows, epoch=None):
        """All steps of the rows, one after the other, as ``steps`` reads them."""
        return self.steps.read(self.entries(rows))

    def entries(self, rows):
        """Which steps are the rows'."""
        lengths = self.lengths(rows)
        firsts = np.repeat(self.offsets[rows] - (np.cumsum(lengths) - lengths), lengths)
        return firsts + np.arange(lengths.sum())

    def read(self, rows, epoch=None):
        """Padded; values are (len(rows), longest, *shape), or for a sparse column a csr_matrix of as many
        rows."""
        lengths = self.lengths(rows)
        longest = int(lengths.max())
        inside = np.arange(longest) < lengths[:, None]
        flat = self.flat(rows)
        if not self.sparse:
            values = np.zeros(inside.shape + self.shape, dtype=np.float32)
            values[inside] = flat
            return Padded(values, lengths)
        from scipy.sparse import csr_matrix

        stored = np.zeros(inside.size, dtype=np.int64)
        stored[inside.ravel()] = np.diff(flat.indptr)
        indptr = np.concatenate(([0], np.cumsum(stored)))
        shape = (inside.size, flat.shape[1])
        return Padded(csr_matrix((flat.data, flat.indices, indptr), shape=shape), lengths)


EVALUATION_MINIBATCH = 256

KINDS = {"dense": DenseColumn, "categorical": CategoricalColumn, "sparse": SparseColumn}


class AbsentColumn:
    """Stands for a target that the data set lacks, where a network is only asked for its outputs."""

    sparse = False

    def __init__(self, schema):
        self.shape = tuple(schema["shape"])
        self.axis = schema.get("axis")

    def read(self, rows, epoch=None):
        """Zeros (len(rows), *shape)."""
        return np.zeros((len(rows),) + self.shape, dtype=np.float32)


class Dataset:
    """The fields and splits of one data set folder.

    ``fitted`` holds the fields of the data set that the network is trained on, as they were then:
    means, deviations and classes come from there. ``fitted_schema`` is where they are kept.
    ``split``: the one that alone is read. Fields that its rows lack are as if they were not there.
    """

    regions = None
    """Where there are such (``trainer.detection.regions``), what makes them."""

    def __init__(self, folder, fitted_schema=None, split=None):
        self.folder = folder
        self.schema = read_json(folder.schema)
        lacked = self.schema["splits"].get(split, {}).get("lacks", ())
        self.fields = {name: field for name, field in self.schema["fields"].items() if name not in lacked}
        self.fitted_schema = fitted_schema or folder.schema
        self.fitted = read_json(self.fitted_schema)["fields"]
        self.of_splits = {}

    def column(self, field, coded=False):
        """A field's column; ``coded`` reads a categorical one as the numbers of its classes."""
        if field not in self.fields:
            return AbsentColumn(self.fitted[field])
        schema = self.fields[field]
        column = (CodeColumn if coded else KINDS[schema["kind"]])(self.folder, schema)
        if not schema.get("sequence"):
            return column
        # The network is the same whatever data it is run on, the names of its axes included.
        return SequenceColumn(self.folder, dict(schema, axis=self.fitted[field]["axis"]), column)

    def evaluated_together(self, minibatch_size):
        """How many rows are evaluated at a time, where so many are trained on."""
        return max(minibatch_size, EVALUATION_MINIBATCH)

    def rows(self, split):
        """Row indices of a split, or None where the data set has no such split."""
        if split not in self.schema["splits"]:
            return None
        if split not in self.of_splits:
            self.of_splits[split] = Mapped(self.folder.file(self.schema["splits"][split]["file"])).array
        return self.of_splits[split]
