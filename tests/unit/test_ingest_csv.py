"""CSV into columns, and everything that can be wrong with one."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as drawing
from hypothesis import strategies as st

from tests.ingestion import Ingestion

PEOPLE = "age,job,pay\n39,clerk,2.5\n50,smith,1e3\n38,clerk,-4\n"


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def test_numbers_are_dense_and_texts_categorical(ingestion: Ingestion) -> None:
    people = ingestion.add({"people.csv": PEOPLE})
    assert people.schema.rows == 3
    assert people.schema.name == "people"
    assert people.array("age").dtype == np.float32
    assert people.array("pay").tolist() == [[2.5], [1000], [-4]]
    assert people.texts("job") == ["clerk", "smith", "clerk"]
    job = people.schema.fields["job"]
    assert (job.kind, job.shape, job.classes, job.histogram) == (
        "categorical",
        (2,),
        ["clerk", "smith"],
        [2, 1],
    )
    age = people.schema.fields["age"]
    assert (age.kind, age.shape, age.count, age.min, age.max) == ("dense", (1,), 3, 38, 50)
    assert age.mean == pytest.approx([127 / 3])
    assert age.std == pytest.approx([np.std([39, 50, 38])])
    assert people.splits == {"train": 3}


def test_given_names_spaces_byte_order_mark_and_blank_end(ingestion: Ingestion) -> None:
    text = "\ufeff39, State-gov , <=50K\r\n50, Private, >50K\r\n\r\n\n"
    adult = ingestion.add({"adult.csv": text}, columns=["age", "workclass", "income"])
    assert adult.texts("workclass") == ["State-gov", "Private"]
    assert adult.array("age").tolist() == [[39], [50]]


def test_columns_rename_the_header_where_both_are_given(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": "a,a\n1,2\n"}, columns=["x", "y"], header=True)
    assert sorted(found.schema.fields) == ["x", "y"]
    assert found.schema.rows == 1


def test_columns_without_any_name_are_numbered(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": "1,2\n3,4\n"}, header=False)
    assert sorted(found.schema.fields) == ["c1", "c2"]
    assert found.schema.rows == 2


def test_delimiters_and_quotes(ingestion: Ingestion) -> None:
    quoted = ingestion.add({"t.csv": 'a;b\n"x;1";"say ""hi""\nthere"\n'}, delimiter=";")
    assert quoted.texts("a") == ["x;1"]
    assert quoted.texts("b") == ['say "hi"\nthere']
    bare = ingestion.add({"t.tsv": 'a\tb\n"x\t5" tall\n'}, quote="")
    assert bare.texts("a") == ['"x']
    assert bare.texts("b") == ['5" tall']


def test_a_late_text_makes_the_whole_column_text(
    ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.cells.ROWS_AT_ONCE", 2)
    found = ingestion.add({"t.csv": "a,b\n" + "1,1\n" * 5 + "x,2\n"})
    assert found.schema.fields["a"].classes == ["1", "x"]
    assert found.texts("a") == ["1"] * 5 + ["x"]
    assert found.schema.fields["b"].kind == "dense"


def test_classes_of_numbers_are_in_numeric_order(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": "a\n10\n9\n-1\n10\n"}, fields={"a": {"kind": "categorical"}})
    assert found.schema.fields["a"].classes == ["-1", "9", "10"]
    assert found.array("a").tolist() == [2, 1, 0, 2]
    assert found.array("a").dtype == np.int32


def test_given_classes_keep_their_order_and_may_be_unused(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": "a\n1\n0\n"}, fields={"a": {"classes": [2, 1, 0]}})
    assert found.schema.fields["a"].classes == ["2", "1", "0"]
    assert found.array("a").tolist() == [1, 2]
    assert found.schema.fields["a"].histogram == [0, 1, 1]


def test_unknown_class_names_row_line_and_the_likely_one(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"t.csv": "a\n<=50K\n<=50K.\n"}, fields={"a": {"classes": ["<=50K", ">50K"]}})
    detail = faults["/file/t.csv/row 2/a", "unknown_class"]
    assert "line 3" in detail
    assert "did you mean '<=50K'?" in detail
    assert "/options/fields/a/classes" in detail


def test_replace_comes_before_everything(ingestion: Ingestion) -> None:
    found = ingestion.add(
        {"t.csv": "a,b\n<=50K.,-\n<=50K,2\n,3\n"},
        fields={"a": {"replace": {"<=50K.": "<=50K", "": "unknown"}}, "b": {"replace": {"-": "0"}}},
    )
    assert found.texts("a") == ["<=50K", "<=50K", "unknown"]
    assert found.array("b").tolist() == [[0], [2], [3]]


def test_gathered_field(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": PEOPLE}, fields={"x": {"columns": ["*"]}, "target": {"columns": ["pay"]}})
    x = found.schema.fields["x"]
    assert x.columns == ["age", "job=clerk", "job=smith"]
    assert (x.kind, x.shape) == ("dense", (3,))
    assert found.array("x").tolist() == [[39, 1, 0], [50, 0, 1], [38, 1, 0]]
    assert x.mean == pytest.approx([127 / 3, 2 / 3, 1 / 3])
    assert sorted(found.schema.fields) == ["target", "x"]


def test_gathered_over_blocks_and_with_a_shape(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.arrays.BLOCK_BYTES", 40)
    lines = [f"{row},{row + 1},{row + 2},{row + 3}" for row in range(9)]
    found = ingestion.add(
        {"t.csv": "\n".join(["a,b,c,d", *lines])}, fields={"x": {"columns": ["[a-c]", "d"], "shape": [2, 2]}}
    )
    assert found.array("x").shape == (9, 2, 2)
    assert found.array("x")[8].tolist() == [[8, 9], [10, 11]]
    assert found.schema.fields["x"].mean == [4, 5, 6, 7]


def test_a_renamed_column_keeps_its_kind_and_a_weight_stays_a_field(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": PEOPLE}, fields={"work": {"columns": ["job"]}}, exclude=["a*"])
    assert sorted(found.schema.fields) == ["pay", "work"]
    assert found.schema.fields["work"].kind == "categorical"
    assert found.schema.fields["work"].columns is None


@pytest.mark.parametrize("word", ["", "?", "NA", "nan", "null", "N/A"])
def test_missing_numbers(ingestion: Ingestion, word: str) -> None:
    text = f"a,b\n1,1\n{word},2\n4,3\n"
    faults = ingestion.refused({"t.csv": text})
    assert "row 2 (line 3), column 'a'" in faults["/file/t.csv/row 2/a", "nan"]
    assert ingestion.add({"t.csv": text}, fields={"a": {"missing": -1}}).array("a").tolist() == [
        [1],
        [-1],
        [4],
    ]
    # The mean of the rows that are for training, which the last is not.
    mean = ingestion.add(
        {"t.csv": text, "u.csv": "a,b\n100,1\n"},
        fields={"a": {"missing": "mean"}},
        splits={"files": {"test": ["u.csv"]}},
    )
    assert mean.array("a").tolist() == [[1], [2.5], [4], [100]]
    assert mean.schema.fields["a"].mean == [2.5]


def test_the_mean_inside_a_gathered_field(ingestion: Ingestion) -> None:
    text = "a,b,c\n1,?,x\n3,8,y\n"
    found = ingestion.add({"t.csv": text}, fields={"x": {"columns": ["*"], "missing": "mean"}})
    assert found.array("x").tolist() == [[1, 8, 1, 0], [3, 8, 0, 1]]


def test_a_mean_of_nothing_is_a_fault(ingestion: Ingestion) -> None:
    faults = ingestion.refused(
        {"t.csv": "a,b\n1,\n", "u.csv": "a,b\n1,7\n"},
        fields={"b": {"missing": "mean"}},
        splits={"files": {"test": ["u.csv"]}},
    )
    assert ("/options/fields/b/missing", "missing") in faults


@pytest.mark.parametrize(
    ("value", "code"), [("inf", "infinite"), ("-Infinity", "infinite"), ("1e39", "too_large")]
)
def test_numbers_that_no_float32_holds(ingestion: Ingestion, value: str, code: str) -> None:
    faults = ingestion.refused({"t.csv": f"a\n1\n{value}\n"}, fields={"a": {"missing": 0}})
    assert list(faults) == [("/file/t.csv/row 2/a", code)]


def test_text_told_to_be_dense(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"t.csv": "a\n1\nx\n1_000\n"}, fields={"a": {"kind": "dense"}})
    assert "'x' is not a number" in faults["/file/t.csv/row 2/a", "not_a_number"]
    assert "'1_000'" in faults["/file/t.csv/row 3/a", "not_a_number"]


def test_an_empty_text_is_missing(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"t.csv": "a,b\nx,1\n,2\n"})
    assert "replace" in faults["/file/t.csv/row 2/a", "missing"]


@pytest.mark.parametrize(
    ("text", "pointer", "code"),
    [
        ("", "/file/t.csv/line 1", "empty"),
        ("\n\n1,2\n", "/file/t.csv/line 1", "empty"),
        ("a,b\n", "/file/t.csv", "empty"),
        ("a,b\n1,2\n1\n", "/file/t.csv/line 3", "ragged"),
        ("a,b\n1,2\n\n3,4\n", "/file/t.csv/line 3", "ragged"),
        ("a,b\n1,2,3\n4,5\n", "/file/t.csv/line 2", "ragged"),
        ("a,b,a\n1,2,3\n", "/file/t.csv/line 1", "duplicate_column"),
        ("a,,c\n1,2,3\n", "/file/t.csv/line 1", "unnamed_column"),
        ('a,b\n1,"2\n', "/file/t.csv/line 2", "malformed_csv"),
        ('a,b\n"1"x,2\n', "/file/t.csv/line 2", "malformed_csv"),
        ("a\n" + "x" * 200_000, "/file/t.csv/line 2", "malformed_csv"),
        (b"a\n1\n\xff\n", "/file/t.csv/line 3", "not-utf-8"),
        (b"a\xff,b\n1,2\n", "/file/t.csv/line 1", "not-utf-8"),
    ],
)
def test_broken_files(ingestion: Ingestion, text: str | bytes, pointer: str, code: str) -> None:
    assert (pointer, code) in ingestion.refused({"t.csv": text})


def test_a_line_without_end(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.lines.LONGEST_LINE", 100)
    faults = ingestion.refused({"t.csv": "a\n1\n" + "1" * 101})
    assert "longer than" in faults["/file/t.csv/line 3", "malformed_csv"]


def test_ragged_rows_keep_the_numbers_of_the_others(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"t.csv": "a,b\n1\n2,nan\n"})
    assert set(faults) == {("/file/t.csv/line 2", "ragged"), ("/file/t.csv/row 2/b", "nan")}


def test_rows_are_named_where_values_span_lines(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"t.csv": 'a,b\n"x\ny",1\nz\nw,nan\n'})
    assert set(faults) == {("/file/t.csv/row 2", "ragged"), ("/file/t.csv/row 3/b", "nan")}


def test_one_column_may_be_blank_at_the_end_only(ingestion: Ingestion) -> None:
    assert ingestion.add({"t.csv": "a\n1\n2\n\n"}).schema.rows == 2
    faults = Ingestion(ingestion.uploads).refused({"t.csv": "a\n1\n\n2\n"})
    assert list(faults) == [("/file/t.csv/line 3", "ragged")]


def test_files_follow_each_other_and_must_be_alike(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"a.csv": "x,y\n1,2\n", "b.csv": "x,z\n1,2\n", "c.csv": "y,x\n1,2\n"})
    assert set(faults) == {("/file/b.csv/line 1", "other_columns"), ("/file/c.csv/line 1", "other_columns")}
    both = ingestion.add({"a.csv": "x,y\n1,u\n", "b.csv": "x,y\n2,v\n3,u\n"})
    assert both.array("x").tolist() == [[1], [2], [3]]
    assert both.texts("y") == ["u", "v", "u"]


def test_too_few_names(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"t.csv": "1,2,3\n"}, columns=["a", "b"])
    assert "3 values" in faults["/options/columns", "ragged"]


def test_faults_are_listed_up_to_fifty_and_counted_beyond(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"t.csv": "a,b\n" + "nan,inf\n" * 100 + "1,2\n"})
    assert len(faults) == 51
    assert "150 further" in faults["/file", "more"]


def test_kinds_and_shapes_that_a_csv_has_not(ingestion: Ingestion) -> None:
    faults = ingestion.refused(
        {"t.csv": PEOPLE},
        fields={
            "age": {"kind": "sparse"},
            "pay": {"shape": [2]},
            "job": {"missing": "mean"},
        },
    )
    assert set(faults) == {
        ("/options/fields/age/kind", "not_for_format"),
        ("/options/fields/pay/shape", "shape"),
        ("/options/fields/job/missing", "missing_policy"),
    }


def test_gathering_that_cannot_be(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = ingestion.refused(
        {"t.csv": PEOPLE}, fields={"x": {"columns": ["age", "job"], "classes": ["a"], "kind": "categorical"}}
    )
    assert set(faults) == {("/options/fields/x/classes", "gathered"), ("/options/fields/x/kind", "gathered")}
    faults = ingestion.refused({"t.csv": PEOPLE}, fields={"x": {"columns": ["age", "job"], "shape": [2]}})
    assert "3 elements" in faults["/options/fields/x/shape", "shape"]
    monkeypatch.setattr("ingest.gather.MOST_ONE_HOT", 1)
    faults = ingestion.refused({"t.csv": PEOPLE}, fields={"x": {"columns": ["age", "job"]}})
    assert ("/options/fields/x/columns", "too_many_classes") in faults


def test_too_many_classes(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.columns.MAX_CLASSES", 2)
    faults = ingestion.refused({"t.csv": "a\nx\ny\nz\n"})
    assert [code for _, code in faults] == ["too_many_classes"]


def test_more_columns_than_open_files(ingestion: Ingestion) -> None:
    names = [f"p{number}" for number in range(3000)]
    text = ",".join(names) + "\n" + ",".join(["1"] * 3000) + "\n" + ",".join(["2"] * 3000)
    found = ingestion.add({"t.csv": text}, fields={"x": {"columns": ["p*"]}})
    assert found.array("x").shape == (2, 3000)


def test_more_fields_than_a_schema_may_have(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.fields.MAX_FIELDS", 2)
    faults = ingestion.refused({"t.csv": PEOPLE})
    assert "gather" in faults["/options/fields", "too_many_fields"]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=8).map(str.strip)
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    rows=st.lists(st.tuples(cells.filter(bool), numbers), min_size=1, max_size=30),
    dialect=st.sampled_from([(",", csv.QUOTE_MINIMAL), (";", csv.QUOTE_ALL), ("\t", csv.QUOTE_MINIMAL)]),
)
@drawing(max_examples=60, deadline=None)
def test_what_csv_writes_is_read_back(rows: list[tuple[str, float]], dialect: tuple[str, Any]) -> None:
    delimiter, quoting = dialect
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting)
    writer.writerow(["text", "number"])
    writer.writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        found = Ingestion(Path(folder)).add(
            {"t.csv": text.getvalue()}, delimiter=delimiter, fields={"text": {"kind": "categorical"}}
        )
        assert found.texts("text") == [word for word, _ in rows]
        values = [value for _, value in rows]
        assert found.array("number").ravel().tolist() == values
        number = found.schema.fields["number"]
        assert number.mean is not None
        assert math.isclose(number.mean[0], math.fsum(values) / len(values), rel_tol=1e-9, abs_tol=1e26)


def test_surplus_values_are_dropped_where_told(ingestion: Ingestion) -> None:
    text = "a\tb\n1\tx\tand more\n2\ty\n"
    faults = ingestion.refused({"t.tsv": text})
    assert list(faults) == [("/file/t.tsv/line 2", "ragged")]
    found = ingestion.add({"t.tsv": text}, surplus="drop")
    assert (found.array("a").ravel().tolist(), found.texts("b")) == ([1, 2], ["x", "y"])
    # The first line, too, may say more than there are names for, and never less.
    named = ingestion.add({"t.tsv": "1\tx\tmore\n2\ty\n"}, surplus="drop", columns=["a", "b"])
    assert named.texts("b") == ["x", "y"]
    faults = ingestion.refused({"t.tsv": "1\n2\ty\n"}, surplus="drop", columns=["a", "b"])
    assert list(faults) == [("/options/columns", "ragged")]
    faults = ingestion.refused({"t.tsv": "1\ty\n2\n"}, surplus="drop", columns=["a", "b"])
    assert list(faults) == [("/file/t.tsv/line 2", "ragged")]
