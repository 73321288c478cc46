"""Answers as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from client.comparing import Comparison
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
    table = table_of("id", "name", "status", "progress", "tags", "created")
    for job in found:
        progress = f"{share_done(job):.0%}" if job["progress"].get("samples") else ""
        tags = ", ".join(job["tags"])
        row(table, job["id"], job["name"], job["status"], progress, tags, moment(job["created_at"]))
    return table


def job(one: Job) -> Table:
    """One job, a line for each thing known of it."""
    table = Table.grid(padding=(0, 2))
    row(table, "job", one["id"])
    row(table, "name", one["name"])
    row(table, "state", state_line(one) or "training")
    if one["detail"]:
        row(table, "detail", one["detail"])
    if waits := one["waiting_for"]:
        place = f", place {one['queue_position']}" if one["queue_position"] else ""
        row(table, "waits", f"{waits['detail']}{place}")
    if one["tags"]:
        row(table, "tags", ", ".join(one["tags"]))
    if one["owner"]:
        row(table, "owner", one["owner"])
    if one["resumed_from"]:
        start = one["resumed_from"]
        row(table, "started from", f"{start['checkpoint']} ({start['mode']}), step {start['step']}")
    if forked := one["forked_from"]:
        row(table, "forked from", forked["job"])
        for change in forked["diff"] or ():
            row(table, "", f"{change['pointer']}: {change['from']!r} -> {change['to']!r}")
    for name, value in one["timings"].items():
        row(table, name.removesuffix("_s"), duration(value) if value >= 10 else f"{value:.3g} s")
    for kind in (one["losses"], one["metrics"]):
        for split, values in kind.items():
            shown = (f"{name} {value:.5g}" for name, value in values.items() if value is not None)
            row(table, split, ", ".join(shown))
    if digest := (one["result"] or {}).get("parameters_sha256"):
        row(table, "parameters", f"sha256 {digest}")
    return table


def checkpoints(found: Sequence[Checkpoint]) -> Table:
    table = table_of("checkpoint", "epoch", "step", "size", "loss", "metric", "kept", "sha256")
    for one in found:
        kept = [mark for mark in ("best", "pinned") if one[mark]]
        row(
            table,
            one["id"],
            str(one["epoch"]),
            str(one["step"]),
            size(one["size"]),
            headline(one["losses"], ("train", "valid")),
            headline(one["metrics"], ("valid", "train")),
            ", ".join(kept),
            one["sha256"][:12],
        )
    return table


def lineage(found: Sequence[Descent]) -> Table:
    """Each job and what it started from; what it changed from the job below it, one a line."""
    table = table_of("job", "name", "status", "started from", "step", "changed")
    for one in found:
        start = f"{one['checkpoint']} ({one['mode']})" if one["checkpoint"] else ""
        status = "gone" if one["found"] == "nothing" else one["status"] or "unknown"
        changed = "\n".join(
            f"{change['pointer']}: {change['there']!r} -> {change['here']!r}"
            for change in one["changed"] or ()
        )
        step = "" if one["step"] is None else str(one["step"])
        row(table, one["job"], one["name"] or "", status, start, step, changed)
    return table


def datasets(found: Sequence[Dataset]) -> Table:
    table = table_of("id", "name", "rows", "size", "fields", "splits")
    for one in found:
        fields = ", ".join(f"{name} {shape_of(field['shape'])}" for name, field in one["fields"].items())
        splits = ", ".join(f"{name} {split['rows']}" for name, split in one["splits"].items())
        row(table, one["id"], one["name"], str(one["rows"]), size(one["size"]), fields, splits)
    return table


def fields(one: Dataset) -> Group:
    """One data set and its fields, one a line."""
    table = table_of("field", "kind", "dtype", "shape", "classes")
    for name, field in one["fields"].items():
        classes = field.get("classes")
        kind, dtype = (str(field.get(key) or "") for key in ("kind", "dtype"))
        row(table, name, kind, dtype, shape_of(field["shape"]), str(len(classes)) if classes else "")
    return Group(datasets([one]), table)


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


def matched(found: Mapping[str, Any]) -> Table:
    """The jobs that a filter matched, and whether they were cancelled."""
    table = table_of(f"{found['matched']} job(s) {'would be' if found['preview'] else 'were'} cancelled")
    for job_id in found["jobs"]:
        row(table, job_id)
    return table


def course(found: Mapping[str, Any]) -> Table:
    """Losses and metrics of a job, an epoch a line."""
    names = {
        f"{split} {name}": (kind, split, name)
        for point in found["epochs"]
        for kind in ("losses", "metrics")
        for split, values in point[kind].items()
        for name in values
    }
    table = table_of("epoch", *names)
    for point in found["epochs"]:
        values = [(point[kind].get(split) or {}).get(name) for kind, split, name in names.values()]
        row(table, str(point["epoch"]), *("" if value is None else f"{value:.5g}" for value in values))
    return table


def comparison(found: Comparison) -> Table:
    """Jobs side by side: a column a job."""
    table = table_of("", *found["jobs"])

    def rows(values: Mapping[str, Sequence[Any]]) -> None:
        for place, found_there in values.items():
            row(table, place, *("" if value is None else _short(value) for value in found_there))

    rows({"name": found["names"], "status": found["statuses"]})
    rows(found["differences"])
    rows(found["losses"])
    rows(found["metrics"])
    rows({"training, s": found["seconds"]})
    return table


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def models(found: Sequence[Model]) -> Table:
    table = table_of("id", "name", "status", "from", "input", "parameters", "detail")
    for one in found:
        source = one["source"]
        inputs = ", ".join(f"{entry['name']} {shape_of(entry['shape'])}" for entry in one["inputs"])
        origin = source["checkpoint"] or source["job"] or source["format"]
        row(
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
    table = table_of("node", "operation", "shape", "parameters", "takes in")
    for one in model["nodes"]:
        parameters = f"{one['parameters']:,}" if one["parameters"] else ""
        row(table, one["name"], one["op"], shape_of(one["shape"]), parameters, ", ".join(one["inputs"]))
    return table


def problem(error: JobsApiError, console: Console) -> None:
    """The problem on ``console``: its detail, then every fault with its place."""
    console.print(f"cntk-jobs: {error.detail}", markup=False, highlight=False, soft_wrap=True)
    for fault in error.errors:
        line = f"{fault.get('pointer', '')}: {fault.get('detail', '')}"
        # The detail of a problem with one fault is that fault.
        if error.detail not in (line, fault.get("detail")):
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
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


def shape_of(shape: Sequence[int]) -> str:
    return "×".join(str(dimension) for dimension in shape)


def row(table: Table, *cells: str) -> None:
    """A row of plain text: names come from users, and rich would read their brackets as markup."""
    table.add_row(*(Text(cell) for cell in cells))


def table_of(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        # The first column is what people copy into the next command.
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    return table
