"""Uploaded files to a folder of columns, row indices and a schema."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ingest import ctf, npz, tabular
from ingest.annotations.recalls import record_recall
from ingest.arrays import Array, sync
from ingest.assemble import assemble
from ingest.columns import Column
from ingest.faults import FaultList
from ingest.fields import NO_SPLIT, FieldPlan, Table, Upload
from ingest.images import table as images
from ingest.options import Options
from ingest.splits import split_rows
from ingest.statistics import axes_of, shortest, statistics
from jobs.dataset import AnySplit, DatasetSchema, FieldSchema, HashSchema, SourceFile, SplitSchema


def convert(
    uploads: Sequence[Upload],
    sources: Sequence[SourceFile],
    options: Options,
    dataset_id: str,
    folder: Path,
    unpacked_limit: int,
    like: DatasetSchema | None = None,
) -> DatasetSchema:
    """Fill ``folder`` with everything but schema.json, durably; returns the schema.

    ``options`` are normalised; ``like`` is the data set that they name. Raises InvalidInput
    with every fault that was found.
    """
    assert options.name is not None
    assert options.format is not None
    faults = FaultList()
    filenames = [upload.filename for upload in uploads]
    read = {"npz": npz.read, "ctf": ctf.read, "images": images.read}.get(options.format, tabular.read)
    table = read(uploads, options, like.fields if like else {}, folder, faults, unpacked_limit)
    faults.raise_if_any()
    rows = split_rows(table, filenames, options, faults)
    faults.raise_if_any()
    columns = assemble(table, filenames, rows, folder, faults)
    of_source = {column.sources[0].name: column for _, column in columns}
    proposed, drawn = of_source.get("proposals"), of_source.get("boxes")
    if proposed is not None and proposed.proposals is not None and drawn is not None:
        record_recall(drawn, proposed, rows)
    axes = axes_of({plan.name: column for plan, column in columns})
    train = rows.get("train", np.empty(0, np.int64))
    fields = {
        plan.name: _field(plan, column, f"field-{number}", folder, train, axes.get(plan.name))
        for number, (plan, column) in enumerate(columns)
    }
    for plan, _ in columns:
        if table.images is not None and plan.columns == (images.IMAGE,):
            fields[plan.name] = fields[plan.name].model_copy(update={"images": table.images})
    rows_of: dict[AnySplit, Array] = dict(rows.items())
    if len(unlabelled := _unlabelled(table)):
        rows_of["unlabelled"] = unlabelled
    lacked = [plan.name for plan, _ in columns if set(plan.columns) & set(table.lacked)]
    splits = {
        split: _write_split(split, found, lacked if split == "unlabelled" else [], folder)
        for split, found in rows_of.items()
    }
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
        like=options.like,
        fields=fields,
        splits=splits,
    )


def _field(
    plan: FieldPlan, column: Column, stem: str, folder: Path, train: Array, axis: str | None
) -> FieldSchema:
    """Describe a column and give its files their final names."""
    described, least = statistics(column, train), shortest(column)
    if plan.fitted is not None:
        described |= {key: getattr(plan.fitted, key) for key in ("mean", "std", "histogram")}
    hashing = plan.options.hashing
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
        min_length=least,
        max_length=column.max_length,
        axis=axis,
        sources=column.sources,
        replace=plan.options.replace,
        fill=column.fill,
        tokens=column.tokens,
        hashed=None if hashing is None else HashSchema(dimension=hashing.hash, seed=hashing.seed),
        standardized=column.standardized,
        boxes=column.boxes,
        proposals=column.proposals,
        **described,
    )


def _unlabelled(table: Table) -> Array:
    """The rows that are in no split."""
    codes = np.frombuffer(table.split_codes or b"", dtype=np.uint8)
    return np.flatnonzero(codes == NO_SPLIT).astype(np.int64)


def _write_split(split: AnySplit, rows: Array, lacked: list[str], folder: Path) -> SplitSchema:
    name = f"split-{split}.npy"
    np.save(folder / name, rows)
    return SplitSchema(rows=len(rows), file=name, lacks=lacked)
