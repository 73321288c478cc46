"""One Parquet file, read by row groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.arrays import Array
from ingest.attributes import BOOLEANS, Attribute
from ingest.cells import Block, Cells, ValueCells, rows_at_once
from ingest.faults import FaultList, file_pointer, listing
from ingest.fields import Upload
from ingest.options import Options
from jobs.errors import Fault, TooLarge

_BROKEN = (pa.ArrowException, OSError, ValueError, NotImplementedError)
"""What Arrow raises over a damaged, encrypted or foreign file. (Its ArrowInvalid is a ValueError.)"""


class ParquetFile:
    """Reads its schema when made; ``names`` is empty where there is a fault.

    Columns are read through small buffers, so that little more than a block is in memory.
    """

    def __init__(self, upload: Upload, options: Options, faults: FaultList, *, limit: int) -> None:
        """``limit``: bytes that the file may unpack to."""
        self.upload = upload
        self.names: list[str] = []
        self.declared: dict[str, Attribute] = {}
        self._limit = limit
        try:
            with self._open() as file:
                stored = sum(
                    file.metadata.row_group(index).total_byte_size for index in range(file.num_row_groups)
                )
                self._check_size(stored)
                schema = file.schema_arrow
                repeated = [name for name, times in Counter(schema.names).items() if times > 1]
                if repeated:
                    problem = f"{listing(repeated)} more than once; each column needs its own name"
                    faults.add(file_pointer(upload.filename), "duplicate_column", problem)
                    return
                self.declared = {field.name: self._attribute(field, file) for field in schema}
        except _BROKEN as error:
            self._report(error, faults)
            return
        self.names = list(self.declared)
        if not self.names:
            faults.add(file_pointer(upload.filename), "empty", "the file has no column")

    def blocks(self, faults: FaultList) -> Iterator[Block]:
        usable = [name for name, found in self.declared.items() if found.fault is None]
        row = 1
        unpacked = 0
        try:
            with self._open() as file:
                for batch in file.iter_batches(rows_at_once(len(usable)), columns=usable, use_threads=False):
                    unpacked += batch.nbytes
                    self._check_size(unpacked)
                    columns = zip(batch.schema.names, batch.columns, strict=True)
                    cells: dict[str, Cells] = {name: _cells(column) for name, column in columns}
                    if batch.num_rows:
                        yield Block(range(row, row + batch.num_rows), None, cells)
                    row += batch.num_rows
        except _BROKEN as error:
            self._report(error, faults)

    def _open(self) -> pq.ParquetFile:
        # The path is opened here: Arrow takes a name that looks like an address for one.
        return pq.ParquetFile(pa.OSFile(str(self.upload.path)), pre_buffer=False, buffer_size=1 << 20)

    def _check_size(self, unpacked: int) -> None:
        """A small file can hold a disk full of equal values."""
        if unpacked > self._limit:
            problem = f"unpacks to {unpacked:,} bytes, where {self._limit:,} are allowed"
            raise TooLarge.of([Fault(file_pointer(self.upload.filename), "too_large", problem)])

    def _attribute(self, field: pa.Field, file: pq.ParquetFile) -> Attribute:
        name, kind = field.name, field.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if pa.types.is_boolean(kind):
            return Attribute(name, "texts", BOOLEANS)
        if _is_number(kind):
            return Attribute(name, "numbers")
        if _is_text(kind):
            return Attribute(name, "texts")
        if _is_list(kind) and _is_text(kind.value_type):
            return Attribute(name, "words")
        if _is_list(kind) and _is_number(kind.value_type):
            width = _width(name, file)
            problem = f"column {name!r} holds no list with a number in it; exclude the column"
            fault = None if width else Fault(self._place(name), "empty", problem)
            return Attribute(name, "vectors", size=width, fault=fault)
        cure = "write numbers, text, booleans, or lists of numbers or of text; or exclude the column"
        problem = f"column {name!r} is of type {field.type}; {cure}"
        return Attribute(name, "nothing", fault=Fault(self._place(name), "unsupported_type", problem))

    def _place(self, name: str) -> str:
        return file_pointer(self.upload.filename, name)

    def _report(self, error: Exception, faults: FaultList) -> None:
        words = " ".join(str(error).split())[:200]
        problem = f"not a whole Parquet file: {words} (truncated or damaged; write and upload it again)"
        faults.add(file_pointer(self.upload.filename), "damaged", problem)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _width(name: str, file: pq.ParquetFile) -> int:
    """Length of the first list that holds something; 0 where none does."""
    for batch in file.iter_batches(1024, columns=[name], use_threads=False):
        for found in batch.column(0):
            if found.is_valid and len(found):
                return len(found)
    return 0


def _cells(column: pa.Array) -> Cells:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return _NumberCells(column) if _is_number(column.type) else ValueCells(column.to_pylist())


class _NumberCells(ValueCells):
    """Numbers as Arrow holds them: only those that become classes turn into Python's."""

    def __init__(self, column: pa.Array) -> None:
        self._column = column

    def texts(self) -> list[str]:
        return ValueCells(self._column.to_pylist()).texts()

    def numbers(self) -> Array:
        found: Array = self._column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return found
