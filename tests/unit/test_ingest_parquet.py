"""Parquet into columns, and everything that can be wrong with a file of it."""

from __future__ import annotations

import contextlib
import datetime
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as drawing
from hypothesis import strategies as st

from jobs.errors import InvalidInput, TooLarge
from tests.ingestion import Ingestion


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, **options)
    return stream.getvalue()


def test_each_type_as_its_kind(ingestion: Ingestion) -> None:
    columns = {
        "n": pa.array([1, None, 3], pa.int64()),
        "f": pa.array([0.5, 1.5, 2.5], pa.float16()),
        "u": pa.array([2**63, 0, 1], pa.uint64()),
        "b": pa.array([True, False, True]),
        "t": pa.array(["x", "y", " x"]),
        "large": pa.array(["p", "q", "p"], pa.large_string()),
        "d": pa.array(["v", "w", "v"]).dictionary_encode(),
        "pair": pa.array([[1, 2], [3, None], None], pa.list_(pa.float32())),
        "fixed": pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int32(), 2)),
        "words": pa.array([["to", "be"], ["or"], ["to", "to"]]),
        "a.b": pa.array([7, 8, 9], pa.uint8()),
    }
    fields = {"n": {"missing": "mean"}, "pair": {"missing": 0}}
    found = ingestion.add({"t.parquet": parquet(columns, row_group_size=2)}, fields=fields)
    schema = found.schema.fields
    assert found.array("n").ravel().tolist() == [1, 2, 3]
    assert found.array("f").ravel().tolist() == [0.5, 1.5, 2.5]
    assert found.array("u").ravel().tolist() == [2.0**63, 0, 1]
    assert found.texts("b") == ["true", "false", "true"]
    assert found.texts("t") == ["x", "y", "x"]
    assert found.texts("large") == ["p", "q", "p"]
    assert (found.texts("d"), schema["d"].classes) == (["v", "w", "v"], ["v", "w"])
    assert found.array("pair").tolist() == [[1, 2], [3, 0], [0, 0]]
    assert found.array("fixed").tolist() == [[1, 2], [3, 4], [5, 6]]
    assert schema["words"].classes == ["<unk>", "to", "be", "or"]
    assert found.array("words", "offsets").tolist() == [0, 2, 3, 5]
    assert found.array("a.b").ravel().tolist() == [7, 8, 9]


def test_whole_numbers_that_are_classes_keep_every_digit(ingestion: Ingestion) -> None:
    big = 2**53
    columns = {"id": pa.array([big, big + 1], pa.int64()), "part": ["train", "test"]}
    found = ingestion.add(
        {"t.parquet": parquet(columns)}, fields={"id": {"kind": "categorical"}}, splits={"column": "part"}
    )
    assert found.texts("id") == [str(big), str(big + 1)]
    assert found.splits == {"train": 1, "test": 1}


def test_files_follow_each_other_in_any_order_of_columns(ingestion: Ingestion) -> None:
    one, other = {"x": [1.0], "t": ["a"]}, {"t": ["b"], "x": [2.0]}
    found = ingestion.add({"a.parquet": parquet(one), "b.parquet": parquet(other)})
    assert found.array("x").ravel().tolist() == [1, 2]
    faults = ingestion.refused({"a.parquet": parquet(one), "b.parquet": parquet({"x": ["u"], "t": ["b"]})})
    assert list(faults) == [("/file/b.parquet", "other_columns")]


@pytest.mark.parametrize(
    ("columns", "place", "code", "words"),
    [
        ({"x": pa.array([datetime.date(2026, 1, 1)])}, "/x", "unsupported_type", "'x' is of type date32"),
        ({"x": pa.array([{"a": 1}])}, "/x", "unsupported_type", "struct"),
        ({"x": pa.array([None])}, "/x", "unsupported_type", "null"),
        ({"x": pa.array([[[1]]])}, "/x", "unsupported_type", "list"),
        ({"x": pa.array([[1], [1, 2]])}, "/row 2/x", "ragged", "has 2 numbers where 1 are expected"),
        ({"x": pa.array([["a"], []])}, "/row 2/x", "empty_sequence", "no token"),
        ({"x": pa.array([["a"], ["b", None]])}, "/row 2/x", "missing", "a token is null"),
        ({"x": pa.array([1, None])}, "/row 2/x", "nan", "row 2, column 'x'"),
        ({"x": pa.array([1, 2, float("inf")])}, "/row 3/x", "infinite", "inf"),
        ({"x": pa.array(["a", None])}, "/row 2/x", "missing", "the value is empty"),
        ({"x": pa.array([], pa.int32())}, "", "empty", "no row of values"),
        ({}, "", "empty", "no column"),
    ],
)
def test_what_is_wrong_is_named(
    ingestion: Ingestion, columns: dict[str, Any], place: str, code: str, words: str
) -> None:
    faults = ingestion.refused({"t.parquet": parquet(columns)})
    assert list(faults) == [("/file/t.parquet" + place, code)]
    assert words in faults["/file/t.parquet" + place, code]


def test_lists_that_are_all_empty(ingestion: Ingestion) -> None:
    columns = {"x": pa.array([[], None], pa.list_(pa.int32()))}
    faults = ingestion.refused({"t.parquet": parquet(columns)})
    assert list(faults) == [("/file/t.parquet/x", "empty")]


def test_the_first_list_that_holds_something_tells_how_long_they_are(ingestion: Ingestion) -> None:
    columns = {"x": pa.array([None, [], [1, 2]], pa.list_(pa.int32()))}
    faults = ingestion.refused({"t.parquet": parquet(columns)}, fields={"x": {"missing": 0}})
    assert list(faults) == [("/file/t.parquet/row 2/x", "ragged")]


def test_a_column_that_no_field_takes_may_be_of_any_type(ingestion: Ingestion) -> None:
    data = parquet({"day": pa.array([datetime.date(2026, 1, 1)]), "x": [1.0]})
    assert ingestion.add({"t.parquet": data}, exclude=["day"]).array("x").tolist() == [[1]]


def test_two_columns_of_one_name(ingestion: Ingestion) -> None:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"]), stream)
    faults = ingestion.refused({"t.parquet": stream.getvalue()})
    assert list(faults) == [("/file/t.parquet", "duplicate_column")]


WHOLE = parquet({"x": np.arange(2000.0), "t": [str(n) for n in range(2000)]}, row_group_size=500)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"x" * 100, WHOLE[:-1], WHOLE[:5000], WHOLE[1:]])
def test_a_file_that_is_not_whole(ingestion: Ingestion, data: bytes) -> None:
    faults = ingestion.refused({"t.parquet": data})
    assert list(faults) == [("/file/t.parquet", "damaged")]


@given(at=st.integers(4, len(WHOLE) - 1), length=st.integers(1, 40))
@drawing(max_examples=60, deadline=None)
def test_damage_is_refused_or_makes_other_values(at: int, length: int) -> None:
    """Never another error than a refusal. (Parquet without checksums cannot tell a flipped number.)"""
    data = WHOLE[:at] + b"\xff" * length + WHOLE[at + length :]
    with tempfile.TemporaryDirectory() as folder:
        ingestion = Ingestion(Path(folder))
        with contextlib.suppress(InvalidInput):
            ingestion.add({"t.parquet": data})


def test_a_small_file_of_many_equal_values_is_refused(tmp_path: Path) -> None:
    ingestion = Ingestion(tmp_path, max_upload_bytes=100_000)
    data = parquet({"t": pa.array(["x" * 1000] * 10_000)})
    assert len(data) < 10_000
    faults = ingestion.refused({"t.parquet": data}, TooLarge)
    assert "unpacks to" in faults["/file/t.parquet", "too_large"]


def test_rows_are_read_by_the_block(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.cells.ROWS_AT_ONCE", 7)
    found = ingestion.add({"t.parquet": WHOLE})
    assert found.array("x").ravel().tolist() == list(range(2000))
    assert found.texts("t") == [str(n) for n in range(2000)]
