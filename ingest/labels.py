"""Labels that an XML file declares, as Mulan has them: ``<labels><label name="sad"/></labels>``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.parsers import expat

from ingest.faults import FaultList, file_pointer, listing, nearest, pointer
from ingest.fields import Upload
from ingest.normalise import companions
from ingest.options import Options

MAX_BYTES = 16 << 20


class _Refused(Exception):
    pass


def with_labels(options: Options, uploads: Sequence[Upload]) -> Options:
    """The options with the columns of every field that takes them from a file; InvalidInput."""
    if not companions(options):
        return options
    faults = FaultList()
    files = {upload.filename: upload for upload in uploads}
    fields = dict(options.fields)
    for filename, name in companions(options).items():
        if filename not in files:
            problem = f"no uploaded file is called {filename!r}; {nearest(filename, files)}"
            faults.add(pointer("options", "fields", name, "columns_from"), "unknown_file", problem)
            continue
        labels = read_labels(files[filename], faults)
        fields[name] = fields[name].model_copy(update={"columns": labels})
    faults.raise_if_any()
    return options.model_copy(update={"fields": fields})


def read_labels(upload: Upload, faults: FaultList) -> list[str]:
    """The names of all labels, those within others too, in the order of the file."""
    names: list[str] = []

    def open_element(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition("|")[2] == "label":
            names.append(attributes.get("name", ""))

    problem = _parse(upload.path, open_element)
    if problem is None and not names:
        problem = 'it declares no label, such as <labels><label name="sad"/></labels>'
    if problem is None and "" in names:
        problem = "a label has no name"
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if problem is None and repeated:
        problem = f"it declares {listing(repeated)} more than once"
    if problem is not None:
        faults.add(file_pointer(upload.filename), "malformed_labels", problem)
    return names


def _parse(path: Path, open_element: Callable[[str, dict[str, str]], None]) -> str | None:
    """What is wrong with the file as XML. A document type is refused: its entities may grow without end."""
    if path.stat().st_size > MAX_BYTES:
        return f"a list of labels of more than {MAX_BYTES:,} bytes"

    def refuse(*_: object) -> None:
        raise _Refused

    parser = expat.ParserCreate(namespace_separator="|")
    parser.StartElementHandler = open_element
    parser.StartDoctypeDeclHandler = refuse
    try:
        with path.open("rb") as stream:
            parser.ParseFile(stream)
    except expat.ExpatError as error:
        return f"it is no XML: {error}"
    except _Refused:
        return "it has a document type (<!DOCTYPE ...>), which is never read; leave it out"
    return None
