"""Answers as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from client.documents import Checkpoint, Dataset, Descent, Job, Model
from client.problems import JobsApiError
from client.progress import duration, headline, share_done, state_line

WIDE = 160
"""Columns for output that goes to no terminal, where nothing needs to be folded."""


def wide_console(*, stderr: bool = False) -> Console:
    """A console as wide as its terminal, or wide enough for every table where there is none."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=WIDE)


def jobs(found: Sequence[Job]) -> Table:
    table = _table("id", "name", "status", "progress", "created")
    for job in found:
        progress = f"{share_done(job):.0%}" if job["progress"].get("samples") else ""
        _row(table, job["id"], job["name"], job["status"], progress, moment(job["created_at"]))
    return table


def job(one: Job) -> Table:
    """One job, a line for each thing known of it."""
    table = Table.grid(padding=(0, 2))
    _row(table, "job", one["id"])
    _row(table, "name", one["name"])
    _row(table, "state", state_line(one) or "training")
    if one["detail"]:
        _row(table, "detail", one["detail"])
    if one["resumed_from"]:
        start = one["resumed_from"]
        _row(table, "started from", f"{start['checkpoint']} ({start['mode']}), step {start['step']}")
    for name, value in one["timings"].items():
        _row(table, name.removesuffix("_s"), duration(value) if value >= 10 else f"{value:.3g} s")
    for kind in (one["losses"], one["metrics"]):
        for split, values in kind.items():
            shown = (f"{name} {value:.5g}" for name, value in values.items() if value is not None)
            _row(table, split, ", ".join(shown))
    if digest := (one["result"] or {}).get("parameters_sha256"):
        _row(table, "parameters", f"sha256 {digest}")
    return table


def checkpoints(found: Sequence[Checkpoint]) -> Table:
    table = _table("checkpoint", "epoch", "step", "size", "loss", "metric", "sha256")
    for one in found:
        _row(
            table,
            one["id"],
            str(one["epoch"]),
            str(one["step"]),
            size(one["size"]),
            headline(one["losses"], ("train", "valid")),
            headline(one["metrics"], ("valid", "train")),
            one["sha256"][:12],
        )
    return table


def lineage(found: Sequence[Descent]) -> Table:
    """Each job and what it started from; what it changed from the job below it, one a line."""
    table = _table("job", "name", "status", "started from", "step", "changed")
    for one in found:
        start = f"{one['checkpoint']} ({one['mode']})" if one["checkpoint"] else ""
        status = "gone" if one["found"] == "nothing" else one["status"] or "unknown"
        changed = "\n".join(
            f"{change['pointer']}: {change['there']!r} -> {change['here']!r}"
            for change in one["changed"] or ()
        )
        step = "" if one["step"] is None else str(one["step"])
        _row(table, one["job"], one["name"] or "", status, start, step, changed)
    return table


def datasets(found: Sequence[Dataset]) -> Table:
    table = _table("id", "name", "rows", "size", "fields", "splits")
    for one in found:
        fields = ", ".join(f"{name} {_shape(field['shape'])}" for name, field in one["fields"].items())
        splits = ", ".join(f"{name} {split['rows']}" for name, split in one["splits"].items())
        _row(table, one["id"], one["name"], str(one["rows"]), size(one["size"]), fields, splits)
    return table


def remarks(dataset: Dataset, console: Console) -> None:
    """What became of images, on ``console``: those left out, boxes cut or dropped, what proposals reach.

    Of very many images and boxes the schema lists the first ones.
    """
    for field in dataset["fields"].values():
        for line in (*_left_out(field["images"]), *_cut(field["boxes"]), *_reached(field["proposals"])):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _left_out(images: Mapping[str, Any] | None) -> Iterator[str]:
    if images is None:
        return
    for bad in images["bad"]:
        yield f"left out: {bad['path']!r} {bad['detail']}"
    if images["bad_count"] > len(images["bad"]):
        yield f"left out: {images['bad_count']:,} images in all"


def _cut(boxes: Mapping[str, Any] | None) -> Iterator[str]:
    if boxes is None:
        return
    yield from boxes["named"]
    if boxes["clipped"] + boxes["dropped"] > len(boxes["named"]):
        yield f"{boxes['clipped']:,} boxes clipped and {boxes['dropped']:,} dropped in all"


def _reached(proposals: Mapping[str, Any] | None) -> Iterator[str]:
    for split, recall in (proposals or {"recall": {}})["recall"].items():
        shares = [f"{share:.1%} by {threshold}" for threshold, share in recall.items() if share is not None]
        if shares:
            yield f"proposals overlap the boxes of {split}: {', '.join(shares)}"


def rescan(found: Mapping[str, Any]) -> Table:
    """What a rescan found, a line for each number; then the jobs that it could make nothing of."""
    table = Table.grid(padding=(0, 2))
    for name in ("known", "restored", "queued", "interrupted"):
        _row(table, name, str(found[name]))
    for job_id in found["unreadable"]:
        _row(table, "unreadable", job_id)
    return table


def models(found: Sequence[Model]) -> Table:
    table = _table("id", "name", "status", "from", "input", "parameters", "detail")
    for one in found:
        source = one["source"]
        inputs = ", ".join(f"{entry['name']} {_shape(entry['shape'])}" for entry in one["inputs"])
        origin = source["checkpoint"] or source["job"] or source["format"]
        _row(
            table,
            one["id"],
            one["name"],
            one["status"],
            origin,
            inputs,
            f"{one['parameters']:,}" if one["parameters"] else "",
            one["detail"],
        )
    return table


def nodes(model: Model) -> Table:
    """The nodes of a base model in the order in which they are computed."""
    table = _table("node", "operation", "shape", "parameters", "takes in")
    for one in model["nodes"]:
        parameters = f"{one['parameters']:,}" if one["parameters"] else ""
        _row(table, one["name"], one["op"], _shape(one["shape"]), parameters, ", ".join(one["inputs"]))
    return table


def problem(error: JobsApiError, console: Console) -> None:
    """The problem on ``console``: its detail, then every fault with its place."""
    console.print(f"cntk-jobs: {error.detail}", markup=False, highlight=False, soft_wrap=True)
    for fault in error.errors:
        line = f"  {fault.get('pointer', '')}: {fault.get('detail', '')}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for difference in error.extra.get("differences", ()):
        line = f"  {difference['pointer']}: {difference['here']!r} here, {difference['there']!r} there"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def size(count: float) -> str:
    """Bytes as B, kB, MB or GB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def moment(stamp: str) -> str:
    """An RFC 3339 time without its fraction of a second."""
    return stamp.replace("T", " ")[:19]


def _shape(shape: Sequence[int]) -> str:
    return "×".join(str(dimension) for dimension in shape)


def _row(table: Table, *cells: str) -> None:
    """A row of plain text: names come from users, and rich would read their brackets as markup."""
    table.add_row(*(Text(cell) for cell in cells))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        # The first column is what people copy into the next command.
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    return table
