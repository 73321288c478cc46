"""Proposals of a data set: given, or computed from the stored images in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Literal

import numpy as np

from ingest.annotations.given import Given
from ingest.annotations.placing import Limits, Steps
from ingest.arrays import Array, open_rows
from ingest.columns import Column
from ingest.images.listing import Row
from ingest.proposals import ProposalSettings, propose
from jobs.dataset import ProposalsSchema
from jobs.errors import Unavailable

ROWS_AT_ONCE = 4
AHEAD = 2
"""Pieces of work that wait, for each process: the proposals of so many images are in memory."""
FEW = 8
"""So few images are not worth processes."""

Method = Literal["selective_search+grid", "selective_search", "grid", "given"]
Window = tuple[int, int, int, int]
"""Left, top, right and bottom of the original image on the stored one."""


def computed_column(rows: Sequence[Row], pixels: Column, settings: ProposalSettings, folder: Path) -> Column:
    """What is proposed on the stored images of all rows."""
    steps = Steps(folder / "proposals", (4,))
    for found in compute(pixels.files["values"], [window(row, pixels.shape) for row in rows], settings):
        steps.add(found)
    said = settings.model_dump(mode="json", exclude={"method"})
    return _described(steps.close(), settings.method, said)


def given_column(rows: Sequence[Row], given: Mapping[str, Given], limits: Limits, folder: Path) -> Column:
    """What was proposed before, on the stored images; rows without a line have no proposal."""
    steps = Steps(folder / "proposals", (4,))
    for row in rows:
        found = given.get(row.entry.path)
        steps.add(np.empty((0, 4), np.float32) if found is None else _on_stored(row, found, limits))
    column = _described(steps.close(), "given", {})
    column.boxes = limits.record()
    return column


def _on_stored(row: Row, given: Given, limits: Limits) -> Array:
    kept = []
    for number, corners in enumerate(given.boxes.tolist(), 1):
        where = f"{given.where}, box {number}"
        place, words = limits.at(given.file, where), f"{given.file}, {where}, on {row.entry.path}"
        found = limits.on_stored(tuple(corners), row.original, row.placement, place, words)
        if found is not None:
            kept.append(found)
    return np.array(kept, dtype=np.float32)


def _described(column: Column, method: Method, settings: dict[str, object]) -> Column:
    offsets = np.load(column.files["offsets"])
    column.proposals = ProposalsSchema(
        method=method, settings=settings, images_without=int((np.diff(offsets) == 0).sum()), recall={}
    )
    return column


def window(row: Row, shape: Sequence[int]) -> Window:
    """Where the original lies on a stored image of ``shape`` (channels, height, width)."""
    _, height, width = shape
    placement = row.placement
    right = placement.left + placement.scale_x * row.original[1]
    bottom = placement.top + placement.scale_y * row.original[0]
    return (
        max(round(placement.left), 0),
        max(round(placement.top), 0),
        min(round(right), width),
        min(round(bottom), height),
    )


def compute(
    images: Path, windows: Sequence[Window], settings: ProposalSettings, processes: int | None = None
) -> Iterator[Array]:
    """(n, 4) float32 for each row of stored ``images``, which are (rows, channels, height, width) uint8.

    Only what lies in an image's window is looked at: a border is no object. Unavailable where a process of
    the work was ended.
    """
    starts = range(0, len(windows), ROWS_AT_ONCE)
    pieces = [range(start, min(start + ROWS_AT_ONCE, len(windows))) for start in starts]
    if len(windows) <= FEW or settings.method == "grid":
        for rows in pieces:
            yield from propose_rows(images, rows, [windows[row] for row in rows], settings)
        return
    processes = processes or len(os.sched_getaffinity(0))
    # Spawned: this process may have threads and locks, of which a forked one would inherit a half.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, initializer=end_with_parent)
    try:
        yield from _by_processes(pool, processes, images, pieces, windows, settings)
    except BrokenProcessPool:
        ended = (
            "proposals were being computed, and a process of that was ended: the service stops, or memory is "
        )
        raise Unavailable(ended + "short; upload again") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _by_processes(
    pool: ProcessPoolExecutor,
    processes: int,
    images: Path,
    pieces: Sequence[range],
    windows: Sequence[Window],
    settings: ProposalSettings,
) -> Iterator[Array]:
    waiting: deque[Future[list[Array]]] = deque()
    for rows in pieces:
        if len(waiting) >= AHEAD * processes:
            yield from waiting.popleft().result()
        try:
            waiting.append(pool.submit(propose_rows, images, rows, [windows[row] for row in rows], settings))
        except RuntimeError as error:
            # Besides a broken pool: an interpreter that ends takes no more work.
            raise BrokenProcessPool from error
    while waiting:
        yield from waiting.popleft().result()


def end_with_parent() -> None:
    """Have this process end when its parent does, however that ends: nobody would take its work."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def propose_rows(
    images: Path, rows: range, windows: Sequence[Window], settings: ProposalSettings
) -> list[Array]:
    """The proposals of some rows."""
    stored = open_rows(images)
    found = []
    for row, (left, top, right, bottom) in zip(rows, windows, strict=True):
        pixels = np.moveaxis(stored[row][:, top:bottom, left:right], 0, 2)
        rgb = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
        offset = np.array([left, top, left, top], dtype=np.float32)
        found.append(propose(rgb, settings) + offset)
    return found
