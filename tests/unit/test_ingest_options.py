"""The options of an upload: what is refused, how fields are planned, which rows a split gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.faults import FaultList, file_pointer, nearest
from ingest.normalise import normalise
from ingest.options import parse_options
from jobs.errors import InvalidInput
from tests.ingestion import Ingestion

TABLE = {"t.csv": "a1,a2,b,part\n" + "".join(f"{n},{n * n},{'xy'[n % 2]},train\n" for n in range(20))}


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def option_faults(document: dict[str, Any], *filenames: str) -> dict[tuple[str, str], str]:
    with pytest.raises(InvalidInput) as caught:
        normalise(parse_options(document), filenames or ("t.csv",))
    return {(fault.pointer, fault.code): fault.detail for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("document", "pointer", "code", "words"),
    [
        ({"colums": ["a"]}, "/colums", "unknown_option", "did you mean 'columns'?"),
        ({"fields": {"x/y": {"knd": "dense"}}}, "/fields/x~1y/knd", "unknown_option", "'kind'"),
        ({"splits": {"fraction": {}}}, "/splits/fraction", "unknown_option", "'fractions'"),
        ({"zzz": 1}, "/zzz", "unknown_option", "known are 'name', 'format'"),
        ({"fields": {"x": {"kind": "text"}}}, "/fields/x/kind", "literal-error", "'text'"),
        ({"fields": {"x": {"missing": "median"}}}, "/fields/x/missing", "missing_policy", "'median'"),
        ({"fields": {"x": {"missing": float("nan")}}}, "/fields/x/missing", "missing_policy", "nan"),
        ({"fields": {"x": {"missing": 1e300}}}, "/fields/x/missing", "missing_policy", "1e+300"),
        ({"fields": {"x": {"shape": [0]}}}, "/fields/x/shape/0", "greater-than-equal", "got 0"),
        ({"fields": {"x": {"shape": []}}}, "/fields/x/shape", "too-short", "[]"),
        ({"fields": {"x": {"classes": ["a", "a"]}}}, "/fields/x/classes", "duplicate", "'a'"),
        ({"fields": {"x": {"classes": [True]}}}, "/fields/x/classes/0", "string-type", "True"),
        ({"fields": {"x": {"classes": ["a"], "kind": "dense"}}}, "/fields/x", "conflict", "categorical"),
        ({"fields": {"x": {"kind": "categorical", "shape": [2]}}}, "/fields/x", "conflict", "shape"),
        ({"fields": {"x": {"kind": "categorical", "missing": 0}}}, "/fields/x", "conflict", "missing"),
        ({"fields": {"x": {"kind": "sparse", "shape": [2, 2]}}}, "/fields/x", "conflict", "one dimension"),
        ({"fields": {"x": {"columns": []}}}, "/fields/x/columns", "too-short", "[]"),
        ({"delimiter": ";;"}, "/delimiter", "string-too-long", ";;"),
        ({"delimiter": "\n"}, "/delimiter", "string-pattern-mismatch", "\\n"),
        ({"header": "yes"}, "/header", "bool-type", "'yes'"),
        ({"format": "xlsx"}, "/format", "literal-error", "'xlsx'"),
        (
            {"splits": {"fractions": {"valid": 0.5, "test": 0.5}}},
            "/splits",
            "fractions",
            "takes 1 of the rows",
        ),
        ({"splits": {"fractions": {"valid": 0}}}, "/splits/fractions/valid", "greater-than", "got 0"),
        ({"splits": {"fractions": {"train": 0.5}}}, "/splits/fractions/train", "literal-error", "'train'"),
        ({"splits": {"seed": -1}}, "/splits/seed", "greater-than-equal", "-1"),
        ({"splits": {"files": {"tset": ["t.csv"]}}}, "/splits/files/tset", "literal-error", "'tset'"),
        ({"splits": {"files": {"test": ["u.csv"]}}}, "/splits/files/test/0", "unknown_file", "'t.csv'"),
        (
            {"splits": {"files": {"test": ["t.csv"]}, "column": "part"}},
            "/splits",
            "conflict",
            "both files and column",
        ),
    ],
)
def test_options_that_are_refused(document: dict[str, Any], pointer: str, code: str, words: str) -> None:
    faults = option_faults(document)
    assert list(faults) == [("/options" + pointer, code)]
    assert words in faults["/options" + pointer, code]


def test_all_faults_at_once() -> None:
    faults = option_faults({"nme": "x", "header": 1, "fields": {"a": {"kind": 3, "shape": ["x"]}}})
    assert {pointer for pointer, _ in faults} == {
        "/options/nme",
        "/options/header",
        "/options/fields/a/kind",
        "/options/fields/a/shape/0",
    }


def test_formats() -> None:
    assert normalise(parse_options({}), ["x.TSV"]).delimiter == "\t"
    assert normalise(parse_options({}), ["x.npz"]).format == "npz"
    assert normalise(parse_options({"format": "ctf"}), ["x.txt", "y"]).format == "ctf"
    assert normalise(parse_options({}), [".csv.csv"]).name == ".csv"
    assert "/options/format" in option_faults({}, "x.xlsx")["/file/x.xlsx", "unknown_format"]
    assert ("/file/x", "unknown_format") in option_faults({}, "x")
    assert ("/file", "mixed_formats") in option_faults({}, "x.csv", "y.npz")
    csv_only = {
        "columns": ["a"],
        "header": False,
        "quote": "",
        "delimiter": ";",
        "fields": {"a": {"replace": {"": "0"}}},
    }
    assert {pointer for pointer, _ in option_faults(csv_only, "x.npz")} == {
        "/options/columns",
        "/options/header",
        "/options/quote",
        "/options/delimiter",
        "/options/fields/a/replace",
    }


def test_files_of_splits() -> None:
    files = {"train": ["a.csv"], "test": ["a.csv", "b.csv"]}
    faults = option_faults({"splits": {"files": files}}, "a.csv", "b.csv", "c.csv")
    assert set(faults) == {
        ("/options/splits/files/test/0", "duplicate"),
        ("/options/splits/files", "unassigned_file"),
    }


def test_unknown_columns_name_the_likely_one(ingestion: Ingestion) -> None:
    faults = ingestion.refused(
        TABLE,
        fields={"x": {"columns": ["a1", "c*"]}, "bb": {}},
        exclude=["parts", "q*"],
        splits={"column": "prt"},
    )
    assert set(faults) == {
        ("/options/exclude/0", "unknown_column"),
        ("/options/exclude/1", "unknown_column"),
        ("/options/splits/column", "unknown_column"),
        ("/options/fields/x/columns/1", "unknown_column"),
        ("/options/fields/bb", "unknown_column"),
    }
    assert "did you mean 'part'?" in faults["/options/splits/column", "unknown_column"]


def test_a_field_may_not_take_an_excluded_column_or_another_ones_name(ingestion: Ingestion) -> None:
    faults = ingestion.refused(TABLE, fields={"x": {"columns": ["b"]}}, exclude=["b"])
    assert list(faults) == [("/options/fields/x/columns/0", "unknown_column")]
    faults = ingestion.refused(TABLE, fields={"a1": {"columns": ["b"]}})
    assert list(faults) == [("/options/fields/a1", "duplicate")]
    faults = ingestion.refused(TABLE, exclude=["*"])
    assert list(faults) == [("/options/exclude", "no_fields")]


def test_globs_leave_what_others_name_outright(ingestion: Ingestion) -> None:
    found = ingestion.add(TABLE, fields={"x": {"columns": ["*"]}, "b": {}}, splits={"column": "part"})
    assert found.schema.fields["x"].columns == ["a1", "a2"]
    assert sorted(found.schema.fields) == ["b", "x"]


def test_a_column_may_be_in_two_fields(ingestion: Ingestion) -> None:
    found = ingestion.add(
        TABLE, fields={"x": {"columns": ["a1", "a2"]}, "weight": {"columns": ["a1"]}}, exclude=["part"]
    )
    assert found.array("x")[:, 0].tolist() == found.array("weight")[:, 0].tolist()
    assert sorted(found.schema.fields) == ["b", "weight", "x"]


def test_names_with_glob_characters_mean_themselves(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": "x[0],x0\n1,2\n"}, fields={"y": {"columns": ["x[0]"]}})
    assert found.array("y").tolist() == [[1]]


def test_split_by_column(ingestion: Ingestion) -> None:
    text = "a,part\n1,train\n2,valid\n3,Test\n4,train\n"
    found = ingestion.add({"t.csv": text}, splits={"column": "part"})
    assert {name: found.split(name) for name in found.splits} == {"train": [0, 3], "valid": [1], "test": [2]}
    assert np.load(found.folder / "split-train.npy").dtype == np.int64
    faults = Ingestion(ingestion.uploads).refused(
        {"t.csv": text.replace("valid", "dev")}, splits={"column": "part"}
    )
    assert "'dev' is no split" in faults["/file/t.csv/row 2/part", "unknown_split"]


def test_split_by_fractions_is_seeded_and_whole(ingestion: Ingestion) -> None:
    fractions = {"valid": 0.1, "test": 0.25}
    found = ingestion.add(TABLE, splits={"fractions": fractions, "seed": 3})
    assert found.splits == {"train": 13, "valid": 2, "test": 5}
    assert sorted(row for name in found.splits for row in found.split(name)) == list(range(20))
    # The draw is a promise: resumed and repeated jobs rest on it.
    assert found.split("valid") == [6, 16]
    assert found.split("test") == [1, 2, 4, 14, 17]
    other = ingestion.add(TABLE, splits={"fractions": fractions, "seed": 4})
    assert other.schema.id != found.schema.id
    assert other.split("test") != found.split("test")


def test_fractions_are_taken_out_of_the_training_files(ingestion: Ingestion) -> None:
    files = {"a.csv": "x\n" + "1\n" * 10, "b.csv": "x\n" + "2\n" * 4}
    found = ingestion.add(files, splits={"files": {"test": ["b.csv"]}, "fractions": {"valid": 0.2}})
    assert found.splits == {"train": 8, "valid": 2, "test": 4}
    assert found.split("test") == [10, 11, 12, 13]
    assert found.schema.fields["x"].mean == [1]


def test_empty_splits(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"t.csv": "x\n1\n2\n"}, splits={"fractions": {"valid": 0.1, "test": 0.01}})
    assert set(faults) == {
        ("/options/splits/fractions/valid", "empty_split"),
        ("/options/splits/fractions/test", "empty_split"),
    }
    faults = ingestion.refused({"t.csv": "x\n1\n2\n"}, splits={"files": {"test": ["t.csv"]}})
    assert list(faults) == [("/options/splits", "empty_split")]


def test_fault_lists_keep_the_first_and_count_the_rest() -> None:
    faults = FaultList(limit=2)
    faults.raise_if_any()
    for number in range(5):
        faults.add(file_pointer("a/b", number), "x", "wrong")
    with pytest.raises(InvalidInput) as caught:
        faults.raise_if_any()
    assert [fault.pointer for fault in caught.value.faults] == ["/file/a~1b/0", "/file/a~1b/1", "/file"]
    assert "3 further" in caught.value.faults[-1].detail


def test_nearest_words() -> None:
    assert nearest("x", []) == "there are none"
    assert nearest("q", [f"name{number}" for number in range(14)]).endswith("'name11' and 2 more")
