"""Files ingested into a volume of a test's own, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ingest.store import Upload, ingest
from jobs.dataset import DatasetSchema
from jobs.errors import InvalidInput
from jobs.settings import Settings

Array = npt.NDArray[Any]


class Ingested:
    """A data set as a reader finds it."""

    def __init__(self, schema: DatasetSchema, folder: Path) -> None:
        self.schema = schema
        self.folder = folder

    def array(self, field: str, role: str = "values") -> Array:
        array: Array = np.load(self.folder / self.schema.fields[field].files[role], allow_pickle=False)
        return array

    def texts(self, field: str) -> list[str]:
        """The class of each row of a categorical field."""
        classes = self.schema.fields[field].classes
        assert classes is not None
        return [classes[code] for code in self.array(field)]

    def pairs(self, field: str) -> list[list[tuple[int, float]]]:
        """The (index, value) pairs of each row of a sparse field."""
        indptr = self.array(field, "indptr")
        flat = list(zip(self.array(field, "indices").tolist(), self.array(field).tolist(), strict=True))
        return [flat[begin:end] for begin, end in pairwise(indptr)]

    def split(self, name: str) -> list[int]:
        rows: list[int] = np.load(self.folder / self.schema.splits[name].file).tolist()  # type: ignore[index]
        return rows

    @property
    def splits(self) -> dict[str, int]:
        return {str(name): split.rows for name, split in self.schema.splits.items()}


class Ingestion:
    """Ingests what it is given as bytes."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.uploads = folder / "uploads"
        self.uploads.mkdir()
        self.settings = Settings(home=folder / "home", **settings)
        self.volume = self.settings.volume

    def write(self, files: Mapping[str, bytes | str | Path]) -> list[Upload]:
        uploads = []
        for number, (name, data) in enumerate(files.items()):
            path = data if isinstance(data, Path) else self.uploads / f"{number}.part"
            if not isinstance(data, Path):
                path.write_bytes(data.encode() if isinstance(data, str) else data)
            uploads.append(Upload(name, path))
        return uploads

    def add(self, files: Mapping[str, bytes | str | Path], **options: Any) -> Ingested:
        schema, _ = ingest(self.write(files), options, self.settings)
        found = Ingested(schema, self.volume.dataset(schema.id).path)
        named = {name for field in schema.fields.values() for name in field.files.values()}
        named |= {split.file for split in schema.splits.values()} | {"schema.json"}
        named |= {field.images.names for field in schema.fields.values() if field.images is not None}
        assert {path.name for path in found.folder.iterdir()} == named
        return found

    def refused(
        self, files: Mapping[str, bytes | str | Path], kind: type[InvalidInput] = InvalidInput, **options: Any
    ) -> dict[tuple[str, str], str]:
        """The details of the faults by pointer and code; nothing more may be left on the volume."""
        before = {self.volume.incoming, *self.volume.path.rglob("*")}
        with pytest.raises(kind) as caught:
            ingest(self.write(files), options, self.settings)
        left = set(self.volume.path.rglob("*")) - before
        assert left == set(), left
        return {(fault.pointer, fault.code): fault.detail for fault in caught.value.faults}
