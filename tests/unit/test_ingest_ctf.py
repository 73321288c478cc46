"""CNTK text format into columns, and everything that can be wrong with a file of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as drawing
from hypothesis import strategies as st

from tests.ingestion import Ingestion

SENTENCES = """\
7\t|S0 1:1 |# hello\t|S1 2:1 |# greeting\t|S2 0:1
7\t|S0 3:1 |# world\t\t|S2 1:1

8 |S0 0:1 |S1 0:1 |S2 1:1
9 |S0 2:1|S1 0:1|S2 0:1
9 |S0 1:1 |S2 1:1
9 |S0 3:1 |S2 1:1
"""


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def test_sequences(ingestion: Ingestion) -> None:
    found = ingestion.add({"s.ctf": SENTENCES}, fields={"S0": {"shape": [9]}})
    assert found.schema.rows == 3
    words, intent = found.schema.fields["S0"], found.schema.fields["S1"]
    assert (words.kind, words.shape, words.sequence, words.count, words.max_length) == (
        "sparse",
        (9,),
        True,
        6,
        3,
    )
    assert found.array("S0", "offsets").tolist() == [0, 2, 3, 6]
    assert found.array("S0", "offsets").dtype == np.int64
    assert [pairs[0][0] for pairs in found.pairs("S0")] == [1, 3, 0, 2, 1, 3]
    assert [found.array("S0", role).dtype for role in ("values", "indices", "indptr")] == ["f4", "i4", "i8"]
    # One step in every sequence: no sequence any more.
    assert (intent.sequence, intent.count, intent.shape, intent.max_length) == (False, 3, (3,), None)
    assert found.pairs("S1") == [[(2, 1)], [(0, 1)], [(0, 1)]]


def test_fields_of_equally_long_sequences_share_an_axis(ingestion: Ingestion) -> None:
    text = "1 |q 1 |a 1:1 |b 2\n1 |q 2 |a 0:1 |b 3\n1 |b 2\n2 |q 5 |a 1:1 |b 4\n2 |q 5 |a 1:1\n"
    found = ingestion.add({"s.ctf": text})
    assert {name: field.axis for name, field in found.schema.fields.items()} == {
        "q": "a",
        "a": "a",
        "b": "b",
    }


def test_sequences_of_classes(ingestion: Ingestion) -> None:
    fields = {
        "intent": {"columns": ["S1"], "classes": ["ask", "beg", "greet"]},
        "slots": {"columns": ["S2"], "kind": "categorical"},
    }
    found = ingestion.add(
        {"s.ctf": SENTENCES}, fields=fields, splits={"fractions": {"test": 0.34}, "seed": 1}
    )
    assert found.texts("intent") == ["greet", "ask", "ask"]
    assert found.texts("slots") == ["0", "1", "1", "0", "1", "1"]
    offsets, train = found.array("slots", "offsets"), found.split("train")
    codes = np.concatenate([found.array("slots")[offsets[row] : offsets[row + 1]] for row in train])
    assert found.schema.fields["slots"].histogram == np.bincount(codes, minlength=2).tolist()
    assert sorted(found.schema.fields) == ["S0", "intent", "slots"]


def test_lines_without_ids_are_rows(ingestion: Ingestion) -> None:
    text = "|x 1 2.5 -3e1 |y 0:1 4:0.5\n|y |x 4\t5 6\n|# only words | \n"
    found = ingestion.add({"d.ctf": text.replace("|# only words | \n", "|# only words |# and a pipe\n")})
    assert found.schema.rows == 2
    assert found.array("x").tolist() == [[1, 2.5, -30], [4, 5, 6]]
    assert found.schema.fields["x"].mean == [2.5, 3.75, -12]
    assert found.pairs("y") == [[(0, 1), (4, 0.5)], []]
    assert found.schema.fields["y"].shape == (5,)


def test_dense_shapes_kinds_and_classes(ingestion: Ingestion) -> None:
    text = "|x 1 2 3 4 |hot 0 1 0 |code 7\n|x 5 6 7 8 |hot 1 0 0 |code 3\n"
    fields: dict[str, Any] = {
        "x": {"shape": [2, 2]},
        "hot": {"kind": "categorical"},
        "code": {"kind": "categorical"},
    }
    found = ingestion.add({"d.ctf": text}, fields=fields)
    assert found.array("x")[1].tolist() == [[5, 6], [7, 8]]
    assert (found.schema.fields["hot"].classes, found.array("hot").tolist()) == (["0", "1", "2"], [1, 0])
    assert found.texts("code") == ["7", "3"]
    names = [str(number) for number in "abcdefgh"]
    named = ingestion.add(
        {"d.ctf": text}, fields={"code": {"classes": names}, "hot": {"classes": ["u", "v", "w"]}}
    )
    assert named.texts("code") == ["h", "d"]
    assert named.texts("hot") == ["v", "u"]


def test_dense_sequences_and_their_statistics(ingestion: Ingestion) -> None:
    text = "1 |x 1\n1 |x 3\n2 |x 100\n3 |x 5\n"
    found = ingestion.add({"a.ctf": text, "b.ctf": "3 |x -9\n"}, splits={"files": {"test": ["b.ctf"]}})
    assert found.array("x", "offsets").tolist() == [0, 2, 3, 4, 5]
    assert found.schema.fields["x"].mean == [109 / 4]
    assert found.schema.fields["x"].min == -9
    assert found.split("train") == [0, 1, 2]


def test_streams_in_blocks(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.samples.NUMBERS_AT_ONCE", 3)
    monkeypatch.setattr("ingest.streams.NUMBERS_AT_ONCE", 3)
    monkeypatch.setattr("ingest.statistics.ROWS_AT_ONCE", 2)
    lines = [
        f"{n // 3} |d {n} {n} |s {n}:{n} 0:{n / 2 if n else 5} |c {n % 2}:1 |k {n % 4}" for n in range(1, 20)
    ]
    found = ingestion.add(
        {"d.ctf": "\n".join(lines)}, fields={"c": {"kind": "categorical"}, "k": {"kind": "categorical"}}
    )
    assert found.array("d")[:, 0].tolist() == list(range(1, 20))
    assert found.pairs("s") == [[(0, n / 2), (n, n)] for n in range(1, 20)]
    assert found.texts("c") == [str(n % 2) for n in range(1, 20)]
    assert found.texts("k") == [str(n % 4) for n in range(1, 20)]
    assert found.array("k", "offsets").tolist() == [0, 2, 5, 8, 11, 14, 17, 19]
    assert found.schema.fields["c"].histogram == [9, 10]
    assert found.schema.fields["d"].mean == [10, 10]


def test_neighbouring_files_with_equal_ids_are_two_sequences(ingestion: Ingestion) -> None:
    found = ingestion.add({"a.ctf": "5 |x 1\n", "b.ctf": "5 |x 2\n5 |x 3\n"})
    assert found.array("x", "offsets").tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    ("line", "pointer", "code", "words"),
    [
        ("abc |x 1 |y 0:1", "/line 2", "malformed_ctf", "'abc'"),
        ("just text", "/line 2", "malformed_ctf", "'just text'"),
        ("|x 1 |y 0:1", "/line 2", "malformed_ctf", "no sequence id"),
        ("2 | x 1 |y 0:1", "/line 2", "malformed_ctf", "without the name"),
        ("2 |x 1 | |y 0:1", "/line 2", "malformed_ctf", "without the name"),
        ("2 |x 1 |x 2 |y 0:1", "/line 2", "malformed_ctf", "|x twice"),
        ("2 |x one |y 0:1", "/line 2/x", "malformed_ctf", "'one'"),
        ("2 |x 1_0 |y 0:1", "/line 2/x", "malformed_ctf", "'1_0'"),
        ("2 |x 1 2 |y 0:1", "/line 2/x", "ragged", "2 values where 1"),
        ("2 |x |y 0:1", "/line 2/x", "ragged", "0 values"),
        ("2 |x 1 |y 0", "/line 2/y", "malformed_ctf", "'0'"),
        ("2 |x 1 |y a:1", "/line 2/y", "malformed_ctf", "'a:1'"),
        ("2 |x 1 |y 1:1:1", "/line 2/y", "malformed_ctf", "'1:1:1'"),
        ("2 |x 1 |y 1_0:1", "/line 2/y", "malformed_ctf", "'1_0:1'"),
        ("2 |x 1 |y -1:1", "/line 2/y", "out_of_range", "-1"),
        ("2 |x 1 |y 5:1", "/line 2/y", "out_of_range", "0..4"),
        ("2 |x 1 |y 3:1 3:2", "/line 2/y", "malformed_ctf", "twice"),
        ("2 |x nan |y 0:1", "/line 2/x", "nan", "line 2"),
        ("2 |x 1e40 |y 0:1", "/line 2/x", "too_large", "float32"),
        ("2 |x 1 |y 0:inf", "/line 2/y", "infinite", "line 2"),
        ("2 |x 1 |z 1 |y 0:1", "/line 2/z", "unknown_stream", "known are"),
        ("2 |x 1", "/line 2/y", "missing", "no sample of |y"),
    ],
)
def test_malformed_lines(ingestion: Ingestion, line: str, pointer: str, code: str, words: str) -> None:
    text = f"1 |x 1 |y 2:1\n{line}\n3 |x 1 |y 0:1\n"
    faults = ingestion.refused({"d.ctf": text}, fields={"y": {"shape": [5]}})
    assert list(faults) == [("/file/d.ctf" + pointer, code)]
    assert words in faults["/file/d.ctf" + pointer, code]


def test_every_fault_of_a_file_at_once(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"d.ctf": "|x 1\n|x a\nhello\n|x nan\n9 |x 1\n|y 1\n"})
    assert set(faults) == {
        ("/file/d.ctf/line 2/x", "malformed_ctf"),
        ("/file/d.ctf/line 3", "malformed_ctf"),
        ("/file/d.ctf/line 4/x", "nan"),
        ("/file/d.ctf/line 5", "malformed_ctf"),
        ("/file/d.ctf/line 6/x", "missing"),
        ("/file/d.ctf/line 6/y", "unknown_stream"),
    }


@pytest.mark.parametrize("text", ["", "\n\n", "|# a remark\n"])
def test_empty_files(ingestion: Ingestion, text: str) -> None:
    assert list(ingestion.refused({"d.ctf": text})) == [("/file/d.ctf", "empty")]
    both = ingestion.refused({"c.ctf": "|x 1\n", "d.ctf": text})
    assert list(both) == [("/file/d.ctf", "empty")]


def test_a_file_of_something_else(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"d.ctf": "a,b\n1,2\n"})
    assert set(faults) == {("/file/d.ctf/line 1", "malformed_ctf"), ("/file/d.ctf/line 2", "malformed_ctf")}


def test_a_line_without_end(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.lines.LONGEST_LINE", 100)
    faults = ingestion.refused({"d.ctf": "|x 1\n|x " + "1" * 101})
    assert "longer than" in faults["/file/d.ctf/line 2", "malformed_ctf"]


@pytest.mark.parametrize(
    ("field", "stream", "sample", "code"),
    [
        ({"kind": "categorical"}, "s 1:1", "s 1:1 2:1", "not_categorical"),
        ({"kind": "categorical"}, "s 1:1", "s 1:2", "not_categorical"),
        ({"kind": "categorical"}, "s 1:1", "s 200000:1", "out_of_range"),
        ({"classes": ["a", "b"]}, "s 1:1", "s 2:1", "out_of_range"),
        ({"kind": "categorical"}, "s 0 1", "s 1 1", "not_categorical"),
        ({"kind": "categorical"}, "s 0 1", "s 0 1 0", "not_categorical"),
        ({"kind": "categorical"}, "s 1", "s 1.5", "not_categorical"),
        ({"kind": "categorical"}, "s 1", "s nan", "not_categorical"),
        ({"classes": [1, 2]}, "s 1", "s 3", "unknown_class"),
    ],
)
def test_samples_that_are_no_class(
    ingestion: Ingestion, field: dict[str, Any], stream: str, sample: str, code: str
) -> None:
    faults = ingestion.refused({"d.ctf": f"|{stream}\n|{sample}\n"}, fields={"s": field})
    assert list(faults) == [("/file/d.ctf/line 2/s", code)]


@pytest.mark.parametrize(
    ("field", "stream", "pointer", "code"),
    [
        ({"kind": "dense"}, "s 1:1", "/kind", "other_kind"),
        ({"kind": "sparse"}, "s 1 2", "/kind", "other_kind"),
        ({"shape": [3]}, "s 1 2", "/shape", "shape"),
        ({"shape": [3, 2]}, "s 1:1", "/shape", "shape"),
        ({"classes": ["a", "b", "c"]}, "s 1 0", "/classes", "shape"),
        ({"columns": ["s", "t"]}, "s 1 |t 1", "/columns", "not_for_format"),
    ],
)
def test_options_that_do_not_fit_the_streams(
    ingestion: Ingestion, field: dict[str, Any], stream: str, pointer: str, code: str
) -> None:
    faults = ingestion.refused({"d.ctf": f"|{stream}\n"}, fields={"s": field})
    assert ("/options/fields/s" + pointer, code) in faults


def test_a_split_column_is_not_for_ctf(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"d.ctf": "|x 1\n"}, splits={"column": "x"})
    assert list(faults) == [("/options/splits/column", "not_for_format")]


numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
dense = st.lists(numbers, min_size=3, max_size=3)
sparse = st.dictionaries(st.integers(0, 99), numbers, max_size=5)
steps = st.lists(st.tuples(dense, sparse), min_size=1, max_size=4)


@given(sequences=st.lists(steps, min_size=1, max_size=8), ids=st.booleans(), remarks=st.booleans())
@drawing(max_examples=60, deadline=None)
def test_what_is_written_is_read_back(
    sequences: list[list[tuple[list[float], dict[int, float]]]], ids: bool, remarks: bool
) -> None:
    lines = []
    for number, sequence in enumerate(sequences):
        for values, pairs in sequence:
            start = f"{number} " if ids else ""
            words = " |# 1:1 a remark" if remarks else ""
            body = " ".join(f"{index}:{value!r}" for index, value in pairs.items())
            lines.append(f"{start}|x {' '.join(map(repr, values))}{words}\t|s {body}\n")
    rows = [step for sequence in sequences for step in sequence]
    with tempfile.TemporaryDirectory() as folder:
        found = Ingestion(Path(folder)).add({"d.ctf": "".join(lines)}, fields={"s": {"shape": [100]}})
        assert found.schema.rows == (len(sequences) if ids else len(rows))
        assert found.array("x").tolist() == [values for values, _ in rows]
        assert found.pairs("s") == [sorted(pairs.items()) for _, pairs in rows]
        if found.schema.fields["x"].sequence:
            lengths = np.diff(found.array("x", "offsets")).tolist()
            assert lengths == [len(sequence) for sequence in sequences]
