"""Columns of an ingested data set, memory-mapped, and their rows as CNTK takes them."""

import numpy as np

from trainer.layout import read_json


class DenseColumn:
    """(rows, *shape) numbers."""

    sparse = False

    def __init__(self, folder, schema):
        self.shape = tuple(schema["shape"])
        self.values = np.load(str(folder.file(schema["files"]["values"])), mmap_mode="r")

    def read(self, rows):
        """Float32 array (len(rows), *shape)."""
        return np.ascontiguousarray(self.values[rows], dtype=np.float32).reshape((len(rows),) + self.shape)


class CategoricalColumn:
    """Class codes, read as one-hot rows."""

    sparse = False

    def __init__(self, folder, schema):
        self.shape = tuple(schema["shape"])
        self.codes = np.load(str(folder.file(schema["files"]["values"])), mmap_mode="r")
        self.one_hot = np.eye(self.shape[0], dtype=np.float32)

    def read(self, rows):
        """Float32 array (len(rows), classes)."""
        return self.one_hot[self.codes[rows]]


class SparseColumn:
    """Compressed rows."""

    sparse = True

    def __init__(self, folder, schema):
        self.shape = tuple(schema["shape"])
        self.values, self.indices, self.indptr = (
            np.load(str(folder.file(schema["files"][role])), mmap_mode="r")
            for role in ("values", "indices", "indptr")
        )

    def read(self, rows):
        """scipy.sparse.csr_matrix (len(rows), dimension), float32."""
        from scipy.sparse import csr_matrix

        starts, ends = self.indptr[rows], self.indptr[np.asarray(rows) + 1]
        lengths = ends - starts
        indptr = np.concatenate(([0], np.cumsum(lengths)))
        if not indptr[-1]:
            # Of rows without an element CNTK makes nothing, or the last gradient again: a zero stands in.
            return csr_matrix(([np.float32(0)], ([0], [0])), shape=(len(rows), self.shape[0]))
        taken = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        return csr_matrix((self.values[taken], self.indices[taken], indptr), shape=(len(rows), self.shape[0]))


KINDS = {"dense": DenseColumn, "categorical": CategoricalColumn, "sparse": SparseColumn}


class Dataset:
    """The fields and splits of one data set folder."""

    def __init__(self, folder):
        self.folder = folder
        self.schema = read_json(folder.schema)
        self.fields = self.schema["fields"]

    def column(self, field):
        return KINDS[self.fields[field]["kind"]](self.folder, self.fields[field])

    def rows(self, split):
        """Row indices of a split, or None where the data set has no such split."""
        if split not in self.schema["splits"]:
            return None
        return np.load(str(self.folder.file(self.schema["splits"][split]["file"])))
