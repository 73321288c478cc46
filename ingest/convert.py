"""Uploaded files to a folder of columns, row indices and a schema."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ingest import ctf, npz, tabular
from ingest.arrays import Array, sync
from ingest.columns import Column
from ingest.faults import FaultList
from ingest.fields import Table, Upload
from ingest.gather import gather
from ingest.options import Options, Split
from ingest.splits import split_rows
from ingest.statistics import axes_of, fill_missing, statistics
from jobs.dataset import DatasetSchema, FieldSchema, SourceFile, SplitSchema


def convert(
    uploads: Sequence[Upload],
    sources: Sequence[SourceFile],
    options: Options,
    dataset_id: str,
    folder: Path,
    unpacked_limit: int,
) -> DatasetSchema:
    """Fill ``folder`` with everything but schema.json, durably; returns the schema.

    ``options`` are normalised. Raises InvalidInput with every fault that was found.
    """
    assert options.name is not None
    assert options.format is not None
    faults = FaultList()
    table = _read(uploads, options, folder, faults, unpacked_limit)
    faults.raise_if_any()
    rows = split_rows(table, [upload.filename for upload in uploads], options, faults)
    faults.raise_if_any()

    columns = []
    for number, (plan, parts) in enumerate(table.fields):
        column = gather(plan, parts, folder / f"gathered-{number}.npy", faults) if plan.gathered else parts[0]
        if column.has_missing:
            fill_missing(plan, column, rows["train"], faults)
        columns.append((plan, column))
    faults.raise_if_any()
    axes = axes_of({plan.name: column for plan, column in columns})
    fields = {
        plan.name: _field(column, f"field-{number}", folder, rows["train"], axes.get(plan.name))
        for number, (plan, column) in enumerate(columns)
    }
    splits = {split: _write_split(split, found, folder) for split, found in rows.items()}
    sync(folder)
    return DatasetSchema(
        id=dataset_id,
        name=options.name,
        created_at=datetime.now(UTC),
        format=options.format,
        rows=table.rows,
        size=sum(path.stat().st_size for path in folder.iterdir()),
        sources=list(sources),
        options=options.model_dump(mode="json"),
        fields=fields,
        splits=splits,
    )


def _read(
    uploads: Sequence[Upload], options: Options, folder: Path, faults: FaultList, unpacked_limit: int
) -> Table:
    if options.format == "npz":
        return npz.read(uploads, options, folder, faults, unpacked_limit)
    read = ctf.read if options.format == "ctf" else tabular.read
    return read(uploads, options, folder, faults)


def _field(column: Column, stem: str, folder: Path, train: Array, axis: str | None) -> FieldSchema:
    """Describe a column and give its files their final names."""
    described = statistics(column, train)
    files = {}
    for role, path in column.files.items():
        files[role] = f"{stem}.{role}.npy"
        path.rename(folder / files[role])
    return FieldSchema(
        kind=column.kind,
        shape=column.shape,
        dtype=column.dtype,
        sequence=column.sequence,
        files=files,
        columns=column.elements,
        count=column.count,
        classes=column.classes,
        max_length=column.max_length,
        axis=axis,
        **described,
    )


def _write_split(split: Split, rows: Array, folder: Path) -> SplitSchema:
    name = f"split-{split}.npy"
    np.save(folder / name, rows)
    return SplitSchema(rows=len(rows), file=name)
