"""The data-set store: identity, one rename to appear, one to vanish, nothing left of failures."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest import store
from ingest.arrays import GrowingArray, open_rows
from ingest.incoming import incoming_folder, sweep_incoming
from ingest.store import Upload, ingest
from jobs.dataset import load_schema
from jobs.errors import InvalidInput, NotFound, Unavailable
from tests.ingestion import Ingestion

TABLE = "a,b\n1,x\n2,y\n3,x\n"


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def add(ingestion: Ingestion, files: dict[str, bytes | str | Path], **options: Any) -> tuple[str, bool]:
    schema, new = ingest(ingestion.write(files), options, ingestion.settings)
    return schema.id, new


def test_equal_bytes_and_options_are_one_data_set(ingestion: Ingestion) -> None:
    first, new = add(ingestion, {"t.csv": TABLE}, name="first")
    assert new
    assert first.startswith("ds_")
    assert len(first) == 27
    for files, options in [
        ({"t.csv": TABLE}, {"name": "second"}),
        ({"other.csv": TABLE}, {"delimiter": ",", "header": True, "format": "csv"}),
        ({"t.csv": TABLE}, {"splits": {"seed": 0}, "fields": {}, "exclude": []}),
        ({"t.csv": TABLE}, {"splits": {"files": {"train": ["t.csv"]}}}),
    ]:
        assert add(ingestion, dict(files), **options) == (first, False)
    assert store.get(ingestion.volume, first).name == "first"
    others = [
        add(ingestion, {"t.csv": TABLE + "4,y\n"}),
        add(ingestion, {"t.csv": TABLE}, exclude=["b"]),
        add(ingestion, {"t.csv": TABLE}, splits={"fractions": {"test": 0.4}}),
        add(ingestion, {"t.csv": TABLE, "u.csv": TABLE}),
        add(ingestion, {"t.csv": TABLE, "u.csv": TABLE}, splits={"files": {"test": ["u.csv"]}}),
        add(ingestion, {"t.csv": TABLE, "u.csv": TABLE}, splits={"files": {"test": ["t.csv"]}}),
    ]
    assert all(new for _, new in others)
    assert len({dataset for dataset, _ in others} | {first}) == 7


def test_schema_says_where_it_came_from(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": TABLE}, fields={"a": {"missing": 0}})
    source = found.schema.sources[0]
    assert (source.filename, source.size) == ("t.csv", len(TABLE))
    assert source.sha256 == hashlib.sha256(TABLE.encode()).hexdigest()
    assert found.schema.format == "csv"
    assert found.schema.options["delimiter"] == ","
    files = [path for path in found.folder.iterdir() if path.name != "schema.json"]
    assert found.schema.size == sum(path.stat().st_size for path in files)
    assert load_schema(ingestion.volume, found.schema.id) == found.schema


def test_list_get_and_remove(ingestion: Ingestion) -> None:
    volume = ingestion.volume
    first, _ = add(ingestion, {"t.csv": TABLE})
    second, _ = add(ingestion, {"t.csv": TABLE}, exclude=["b"])
    (volume.datasets / "stray").mkdir()
    assert (store.get(volume, first).id, store.get(volume, second).id) == (first, second)
    store.remove(volume, first)
    assert {path.name for path in volume.datasets.iterdir()} == {second, "stray"}
    assert list(volume.incoming.iterdir()) == []
    for gone in (first, "ds_" + "0" * 24, "../jobs", "stray", ""):
        with pytest.raises(NotFound):
            store.get(volume, gone)
        with pytest.raises(NotFound):
            store.remove(volume, gone)
    assert add(ingestion, {"t.csv": TABLE}) == (first, True)


def test_arrays_are_open_to_plain_numpy_memory_mapping(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": TABLE})
    mapped = np.load(found.folder / found.schema.fields["a"].files["values"], mmap_mode="r")
    assert mapped.tolist() == [[1], [2], [3]]
    assert mapped.flags.aligned


def test_no_files_or_two_of_one_name(ingestion: Ingestion) -> None:
    assert list(ingestion.refused({})) == [("/file", "missing")]
    upload = ingestion.write({"t.csv": TABLE})[0]
    with pytest.raises(InvalidInput) as caught:
        ingest([upload, upload], {}, ingestion.settings)
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/file/t.csv", "duplicate")]


@pytest.mark.parametrize(
    "step", ["ingest.convert.sync", "ingest.convert.split_rows", "ingest.store.write_json"]
)
@pytest.mark.parametrize(
    ("error", "raised"),
    [(OSError(errno.ENOSPC, "full"), Unavailable), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_nothing_is_left_of_a_conversion_that_fails(
    ingestion: Ingestion,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: BaseException,
    raised: type[BaseException],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(step, fail)
    with pytest.raises(raised):
        add(ingestion, {"t.csv": TABLE})
    assert [path for path in ingestion.volume.path.rglob("*") if path.name != "incoming"] == []


KILLED = """
import os, signal, sys
from pathlib import Path
import ingest.convert
from ingest.store import Upload, ingest as add
from jobs.settings import Settings

ingest.convert.sync = lambda folder: os.kill(os.getpid(), signal.SIGKILL)
add([Upload("t.csv", Path(sys.argv[1]))], {}, Settings(home=Path(sys.argv[2])))
"""


def test_a_killed_conversion_is_never_seen_and_swept(ingestion: Ingestion) -> None:
    upload = ingestion.write({"t.csv": TABLE})[0]
    command = [sys.executable, "-c", KILLED, upload.path, ingestion.settings.home]
    root = Path(__file__).parents[2]
    assert subprocess.run(command, cwd=root, check=False).returncode == -signal.SIGKILL
    volume = ingestion.volume
    assert not list(volume.datasets.glob("ds_*"))
    assert len(list(volume.incoming.iterdir())) == 1
    assert sweep_incoming(volume) == 1
    assert add(ingestion, {"t.csv": TABLE})[1]


def test_other_errors_of_the_system_are_passed_on(
    ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(PermissionError):
        add(ingestion, {"t.csv": TABLE})


def test_the_same_upload_at_the_same_time(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both convert; the one that comes second finds the first one's data set."""
    convert = store.convert

    def overtaken(*arguments: Any) -> Any:
        schema = convert(*arguments)
        monkeypatch.setattr(store, "convert", convert)
        assert add(ingestion, {"t.csv": TABLE}, name="faster")[1]
        return schema

    monkeypatch.setattr(store, "convert", overtaken)
    schema, new = ingest(ingestion.write({"t.csv": TABLE}), {"name": "slower"}, ingestion.settings)
    assert (schema.name, new) == ("faster", False)
    assert list(ingestion.volume.incoming.iterdir()) == []


def test_sweeping_leaves_living_folders(ingestion: Ingestion) -> None:
    volume = ingestion.volume
    assert sweep_incoming(volume) == 0
    with incoming_folder(volume, "upload-") as living:
        (volume.incoming / "convert-dead" / "dataset").mkdir(parents=True)
        (volume.incoming / "stray").write_text("x")
        assert sweep_incoming(volume) == 2
        assert list(volume.incoming.iterdir()) == [living]
        descriptor = os.open(living, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
    assert list(volume.incoming.iterdir()) == []


def test_growing_arrays(tmp_path: Path) -> None:
    growing = GrowingArray(tmp_path / "x.npy", np.int16, (2, 3))
    blocks = [np.arange(n * 6).reshape(n, 2, 3) for n in (1, 0, 4)]
    for block in blocks:
        growing.append(block)
    assert growing.close() == 5
    expected = np.concatenate(blocks).astype(np.int16)
    assert np.array_equal(np.load(growing.path), expected)
    assert np.array_equal(open_rows(growing.path), expected)
    empty = GrowingArray(tmp_path / "empty.npy", np.float32, (3,))
    empty.close()
    assert open_rows(empty.path).shape == (0, 3)
    wide = GrowingArray(tmp_path / "wide.npy", np.uint8, (1,) * 20)
    wide.append(np.zeros(7))
    wide.close()
    assert np.load(wide.path).shape == (7, *[1] * 20)


def test_uploads_are_left_to_their_sender(ingestion: Ingestion) -> None:
    upload = ingestion.write({"t.csv": TABLE})[0]
    ingest([Upload("t.csv", upload.path)], {}, ingestion.settings)
    assert upload.path.read_text() == TABLE
