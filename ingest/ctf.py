"""CNTK text format: ``[sequence id] |name values |name index:value ... |# comment``.

Every line is a step of one sequence: neighbouring lines with equal ids are one sequence and
one row of the data set; where lines have no ids, each is a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.faults import FaultList, file_pointer, nearest
from ingest.fields import Fitted, Table, Upload, plan_fields
from ingest.lines import LineTooLong, lines
from ingest.options import Options, SplitOptions
from ingest.streams import Stream


@dataclass(frozen=True)
class Line:
    """One line with samples: the values behind each stream's name, as written."""

    number: int
    sequence: int
    """The written id; where there are none, the line's number."""
    samples: dict[str, list[bytes]]


def read(
    uploads: Sequence[Upload], options: Options, fitted: Fitted, folder: Path, faults: FaultList, limit: int
) -> Table:
    """Write the streams of CTF files into ``folder``, one row a sequence, in the order of the files.

    The first sequence tells which streams there are and how each is written. Raises
    InvalidInput where it or the options rule out reading on; other faults are left in ``faults``.
    """
    if options.splits.column is not None:
        problem = "CNTK text format has no column of words; split by files or by fractions"
        faults.add("/options/splits/column", "not_for_format", problem)
        options = options.model_copy(update={"splits": SplitOptions()})
    examples = _first_sequence(uploads[0], faults)
    faults.raise_if_any()
    streams: dict[str, list[Stream]] = {name: [] for name in examples}
    fields = []
    for number, plan in enumerate(plan_fields(list(examples), options, fitted, faults)):
        name = plan.columns[0]
        if plan.gathered:
            problem = "streams are not gathered: each is a field of its own; name one stream"
            faults.add(plan.at("columns"), "not_for_format", problem)
            continue
        stream = Stream(plan, examples[name], folder / f"column-{number}", faults)
        streams[name].append(stream)
        fields.append((plan, stream))
    faults.raise_if_any()
    file_rows = [_read_file(upload, streams, faults) for upload in uploads]
    return Table([(plan, [stream.close()]) for plan, stream in fields], file_rows)


def _first_sequence(upload: Upload, faults: FaultList) -> dict[str, list[bytes]]:
    """The streams of the first sequence, each with its first sample that is not empty."""
    examples: dict[str, list[bytes]] = {}
    sequence = None
    # What is wrong here is found again, and reported, when the whole file is read.
    for line in _lines(upload, FaultList()):
        if sequence not in (None, line.sequence):
            break
        sequence = line.sequence
        for name, values in line.samples.items():
            examples[name] = examples.get(name) or values
    if not examples:
        for _ in _lines(upload, faults):
            pass
        if not faults.count:
            faults.add(file_pointer(upload.filename), "empty", "the file has no line with a sample")
    return examples


def _read_file(upload: Upload, streams: dict[str, list[Stream]], faults: FaultList) -> int:
    """Hand each sample to its streams; returns the number of sequences."""
    used = [(name, stream) for name, group in streams.items() for stream in group]
    rows = 0
    begin: Line | None = None

    def end_sequence(begin: Line) -> None:
        for name, stream in used:
            if not stream.end_row():
                problem = f"the sequence that begins on line {begin.number} has no sample of |{name}"
                faults.add(file_pointer(upload.filename, f"line {begin.number}", name), "missing", problem)

    for line in _lines(upload, faults):
        if begin is None or line.sequence != begin.sequence:
            if begin is not None:
                end_sequence(begin)
            begin = line
            rows += 1
        for name, values in line.samples.items():
            if name not in streams:
                place = file_pointer(upload.filename, f"line {line.number}", name)
                problem = f"line {line.number}: no stream |{name} in the first sequence"
                faults.add(place, "unknown_stream", f"{problem}; {nearest(name, streams)}")
            for stream in streams.get(name, ()):
                stream.add(values, upload.filename, line.number)
    if begin is not None:
        end_sequence(begin)
    else:
        faults.add(file_pointer(upload.filename), "empty", "the file has no line with a sample")
    return rows


def _lines(upload: Upload, faults: FaultList) -> Iterator[Line]:
    """Every line that holds samples; malformed ones are faults."""
    with_ids: bool | None = None
    try:
        for number, raw in enumerate(lines(upload.path), 1):
            head, *parts = raw.split(b"|")
            head = head.strip()
            if not parts and not head:
                continue
            problem = _head_problem(head, with_ids, parts)
            samples: dict[str, list[bytes]] = {}
            for part in () if problem else parts:
                # "|#" opens a comment; inside one it is an escaped pipe: a comment all the same.
                if part.startswith(b"#"):
                    continue
                name, *values = part.split() if part[:1].strip() else (b"",)
                word = name.decode("utf-8", "replace")
                if not word:
                    problem = "a | without the name of a stream right behind it"
                elif word in samples:
                    problem = f"stream |{word} twice; a step is one line"
                samples[word] = values
            if problem:
                place = file_pointer(upload.filename, f"line {number}")
                faults.add(place, "malformed_ctf", f"line {number}: {problem}")
            elif samples:
                with_ids = bool(head)
                yield Line(number, int(head) if head else number, samples)
    except LineTooLong as error:
        place = file_pointer(upload.filename, f"line {error.number}")
        faults.add(place, "malformed_ctf", f"{error}; is this a CNTK text file?")


def _head_problem(head: bytes, with_ids: bool | None, parts: Sequence[bytes]) -> str | None:
    """What is wrong in front of the first pipe."""
    if not parts or (head and not head.isdigit()):
        begin = head[:40].decode("utf-8", "replace")
        return f"it begins with {begin!r}; a sequence id (digits) or |name is expected"
    if with_ids is not None and with_ids != bool(head):
        return "it has no sequence id, the lines before have" if with_ids else "the lines before have no id"
    return None
