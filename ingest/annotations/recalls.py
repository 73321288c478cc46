"""How much of what is annotated the proposals of a data set reach."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ingest.arrays import Array, open_rows
from ingest.columns import Column
from ingest.options import Split
from ingest.proposals import recall

THRESHOLDS = (0.5, 0.7)


def record_recall(boxes: Column, proposals: Column, rows: Mapping[Split, Array]) -> None:
    """Write into the description of ``proposals`` how many of the ``boxes`` of each split they reach."""
    assert proposals.proposals is not None
    found = {split: _recall(boxes, proposals, members) for split, members in rows.items()}
    proposals.proposals = proposals.proposals.model_copy(update={"recall": found})


def _recall(boxes: Column, proposals: Column, rows: Array) -> dict[str, float | None]:
    drawn, proposed = (open_rows(column.files["values"]) for column in (boxes, proposals))
    drawn_ends, proposed_ends = (open_rows(column.files["offsets"]) for column in (boxes, proposals))
    reached = np.zeros(len(THRESHOLDS), dtype=np.int64)
    total = 0
    for row in rows:
        of_row = drawn[drawn_ends[row] : drawn_ends[row + 1]]
        total += len(of_row)
        for index, threshold in enumerate(THRESHOLDS):
            hits, _ = recall(of_row, proposed[proposed_ends[row] : proposed_ends[row + 1]], threshold)
            reached[index] += hits
    return {
        f"{threshold:g}": float(hits / total) if total else None
        for threshold, hits in zip(THRESHOLDS, reached, strict=True)
    }
