"""Archives of images to columns: listed, decoded once in the order of the listing, and written."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

import numpy as np

from ingest.arrays import Array, GrowingArray
from ingest.columns import Column
from ingest.faults import FaultList, listing, pointer
from ingest.fields import NO_SPLIT, FieldPlan, Fitted, Table, Upload, plan_fields
from ingest.images.archives import Archive, Unreadable, open_archive
from ingest.images.decode import MAX_BYTES, BadImage, Decoded, decode, upright_size
from ingest.images.geometry import Size
from ingest.images.layouts import list_images
from ingest.images.listing import Entry, Listing, Row
from ingest.images.options import ImageOptions
from ingest.options import SPLITS, Options
from jobs import dataset
from jobs.dataset import ImagesSchema
from jobs.errors import Fault, Unavailable

IMAGE = "image"
"""The column of pixels."""
NAMES = "image_names.txt"
LISTED = 100
"""Bad images that the schema lists."""
THREADS = 2
"""Pillow lets go of the interpreter while it decodes and resizes."""
IN_FLIGHT_BYTES = 16 << 20
"""About how many bytes of pixels are decoded before they are written."""

Found = TypeVar("Found")


def read(
    uploads: Sequence[Upload], options: Options, fitted: Fitted, folder: Path, faults: FaultList, limit: int
) -> Table:
    """Decode the images of all archives into ``folder``.

    Raises TooLarge where an archive unpacks to more than ``limit`` bytes, Unavailable where the
    pixels find no room, InvalidInput where the archives or options rule out reading on; other
    faults are left in ``faults``.
    """
    assert options.images is not None
    by_file = {name: split for split, names in (options.splits.files or {}).items() for name in names}
    with ExitStack() as opened:
        archives = []
        for number, upload in enumerate(uploads):
            spool = folder / f"spool-{number}.tar"
            opened.callback(spool.unlink, missing_ok=True)
            archive = open_archive(upload, spool, limit, faults)
            if archive is not None:
                archive.split = by_file.get(upload.filename)
                archives.append(opened.enter_context(closing(archive)))
        faults.raise_if_any()
        found = _listing(archives, options, fitted, faults)
        plans = _plans(found, options, fitted, faults)
        by_column = {plan.columns[0]: plan for plan in plans}
        found.annotations.check(found.entries, by_column, faults)
        faults.raise_if_any()
        size = _size(found.entries, options.images, faults)
        faults.raise_if_any()
        pixels, rows, bad = _decode(found.entries, size, options.images, folder)
    _report(bad, len(rows), options.images, faults)
    faults.raise_if_any()
    _write_names(rows, len(archives) > 1, folder / NAMES)
    columns = {IMAGE: pixels, **found.annotations.write(rows, pixels, by_column, folder, faults)}
    kept = Counter(row.entry.archive.filename for row in rows)
    return Table(
        [(plan, [columns[plan.columns[0]]]) for plan in plans],
        [kept[upload.filename] for upload in uploads],
        bytes(
            NO_SPLIT if row.entry.unlabelled else SPLITS.index(row.entry.part or options.rest) for row in rows
        ),
        ImagesSchema(
            channels=options.images.channels,
            size=size,
            fit=options.images.fit,
            names=NAMES,
            bad_count=len(bad),
            bad=[
                dataset.BadImage(
                    archive=entry.archive.filename, path=entry.path, code=found.code, detail=found.detail
                )
                for entry, found in bad[:LISTED]
            ],
        ),
        tuple(found.annotations.columns),
    )


def _listing(archives: Sequence[Archive], options: Options, fitted: Fitted, faults: FaultList) -> Listing:
    found = list_images(archives, options, fitted, faults)
    for archive in archives:
        members = [entry for entry in found.entries if entry.archive is archive]
        if not members and not found.scattered and not faults.count:
            some = listing(list(archive.sizes)) or "nothing"
            faults.add(archive.at(), "empty", f"the archive holds no image; it holds {some}")
        if archive.split is not None and any(entry.split is not None for entry in members):
            problem = f"{archive.filename!r} has folders or files of splits itself; leave it out here"
            faults.add(pointer("options", "splits", "files", archive.split), "conflict", problem)
    faults.raise_if_any()
    return found


def _plans(found: Listing, options: Options, fitted: Fitted, faults: FaultList) -> list[FieldPlan]:
    """The fields; of data that are to be like others, what nothing tells of these images is left out."""
    available = (IMAGE, *found.annotations.columns)
    told = {
        name: field
        for name, field in fitted.items()
        if all(source.name in available for source in field.sources)
    }
    plans = plan_fields(available, options, told, faults)
    for plan in plans:
        if plan.gathered:
            problem = f"a field of images takes one column, {listing(available)}, and no other beside it"
            faults.add(plan.at("columns"), "gathered", problem)
    if not any(IMAGE in plan.columns for plan in plans) and not faults.count:
        faults.add("/options/exclude", "no_fields", f"without {IMAGE!r} nothing is left of the images")
    faults.raise_if_any()
    return plans


def _size(entries: Sequence[Entry], told: ImageOptions, faults: FaultList) -> Size:
    """The size that is told, or else the one that all images have."""
    if told.size is not None:
        return told.size[0], told.size[1]
    sizes: Counter[Size] = Counter()
    bad = []
    for entry, found in _each(_upright_size, entries, 1 << 10):
        if isinstance(found, BadImage):
            bad.append((entry, found))
        else:
            sizes[found] += 1
    if not sizes:
        _report(bad, 0, told, faults)
        faults.raise_if_any()
    if len(sizes) > 1:
        common = [f"{height} x {width} ({count:,})" for (height, width), count in sizes.most_common(8)]
        more = f" and {len(sizes) - 8:,} more" if len(sizes) > 8 else ""
        problem = f"the images are of several sizes, height x width (images): {', '.join(common)}{more}; "
        problem += 'say which size all shall have, such as {"images": {"size": [224, 224]}}'
        faults.add("/options/images/size", "sizes", problem)
    return sizes.most_common(1)[0][0]


def _decode(
    entries: Sequence[Entry], size: Size, told: ImageOptions, folder: Path
) -> tuple[Column, list[Row], list[tuple[Entry, BadImage]]]:
    shape = (1 if told.channels == "gray" else 3, *size)
    wanted, free = len(entries) * math.prod(shape), shutil.disk_usage(folder).free
    if wanted > free:
        raise Unavailable(f"the images need {wanted:,} bytes, and the volume has {free:,} free")
    pixels = GrowingArray(folder / "column-image.npy", np.uint8, shape)
    rows: list[Row] = []
    bad: list[tuple[Entry, BadImage]] = []

    def decoded(entry: Entry) -> Decoded | BadImage:
        return _read(entry, lambda data: decode(data, size, told.fit, told.channels))

    held: list[Array] = []
    at_once = max(1, IN_FLIGHT_BYTES // math.prod(shape))
    for entry, found in _each(decoded, entries, at_once):
        if isinstance(found, BadImage):
            bad.append((entry, found))
            continue
        rows.append(Row(entry, found.original, found.placement))
        held.append(found.pixels)
        if len(held) == at_once:
            pixels.append(np.stack(held))
            held.clear()
    if held:
        pixels.append(np.stack(held))
    return Column("dense", shape, {"values": pixels.path}, pixels.close(), "uint8"), rows, bad


def _each(
    function: Callable[[Entry], Found], entries: Sequence[Entry], at_once: int
) -> Iterator[tuple[Entry, Found]]:
    """What ``function`` makes of each entry, in their order, by several threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(entries), at_once):
            some = entries[start : start + at_once]
            yield from zip(some, pool.map(function, some), strict=True)


def _upright_size(entry: Entry) -> Size | BadImage:
    return _read(entry, upright_size)


def _read(entry: Entry, use: Callable[[bytes], Found]) -> Found | BadImage:
    if entry.path not in entry.archive.sizes:
        return BadImage("missing_image", "is not in the archive")
    try:
        return use(entry.archive.read(entry.path, MAX_BYTES))
    except Unreadable as problem:
        return BadImage("damaged", str(problem))
    except BadImage as bad:
        return bad


def _report(bad: Sequence[tuple[Entry, BadImage]], good: int, told: ImageOptions, faults: FaultList) -> None:
    """Bad images are faults where they are not to be left out, or where no other is left."""
    if good and told.bad == "quarantine":
        return
    if not good:
        faults.add("/file", "no_rows", f"none of the {len(bad):,} images can be read")
    cure = 'correct it, leave it out, or say {"images": {"bad": "quarantine"}}'
    faults.extend(
        len(bad),
        (
            Fault(entry.archive.at(entry.path), found.code, f"{entry.path!r} {found.detail}; {cure}")
            for entry, found in bad
        ),
    )


def _write_names(rows: Sequence[Row], several: bool, path: Path) -> None:
    """A line a row: the image's path, behind the name of its archive where there are several."""
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            entry = row.entry
            name = f"{entry.archive.filename}/{entry.path}" if several else entry.path
            stream.write(json.dumps(name, ensure_ascii=False) + "\n")
