"""ARFF into columns: dense and sparse rows, declared kinds, and what can be wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingestion import Ingestion

HEAD = """% songs
@RELATION songs
@attribute tempo numeric
@attribute 'main key' {c, 'd sharp', e}
@attribute loud REAL
@attribute calm {0,1}
@attribute sad {1, 0}
@data
"""


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def test_dense_rows(ingestion: Ingestion) -> None:
    text = HEAD + "120, 'd sharp', -1.5, 0, 1\n\n% a remark\n90,c,2e1,1,0\r\n"
    found = ingestion.add({"songs.arff": text}, fields={"labels": {"columns": ["calm", "sad"]}})
    assert found.schema.format == "arff"
    assert found.array("tempo").tolist() == [[120], [90]]
    assert found.array("loud").tolist() == [[-1.5], [20]]
    assert found.texts("main key") == ["d sharp", "c"]
    assert found.schema.fields["main key"].classes == ["c", "d sharp", "e"]
    labels = found.schema.fields["labels"]
    assert (labels.kind, labels.shape, labels.columns) == ("dense", (2,), ["calm", "sad"])
    assert (labels.min, labels.max) == (0, 1)
    assert found.array("labels").tolist() == [[0, 1], [1, 0]]


def test_sparse_rows_leave_out_zeros_and_first_classes(ingestion: Ingestion) -> None:
    text = HEAD + "{0 120, 1 'd sharp', 3 1}\n{}\n{ 2 -4 , 4 0 }\n"
    found = ingestion.add({"songs.arff": text}, fields={"labels": {"columns": ["calm", "sad"]}})
    assert found.array("tempo").tolist() == [[120], [0], [0]]
    assert found.array("loud").tolist() == [[0], [0], [-4]]
    assert found.texts("main key") == ["d sharp", "c", "c"]
    # The first class of "sad" is 1.
    assert found.array("labels").tolist() == [[1, 1], [0, 1], [0, 0]]


def test_quotes_commas_and_escapes(ingestion: Ingestion) -> None:
    head = "@attribute t string\n@attribute n {\"a,b\", 'it\\'s'}\n@data\n"
    text = head + "\"x, y\", 'it\\'s'\nz,\"a,b\"\n{0 'p,q'}\n"
    found = ingestion.add({"t.arff": text})
    assert found.texts("t") == ["x, y", "z", "p,q"]
    assert found.texts("n") == ["it's", "a,b", "a,b"]


def test_binary_attribute_alone_is_categorical_unless_told_to_be_dense(ingestion: Ingestion) -> None:
    text = HEAD + "120,c,1,0,1\n90,e,2,1,0\n"
    found = ingestion.add({"songs.arff": text}, fields={"calm": {"kind": "dense"}})
    assert found.array("calm").tolist() == [[0], [1]]
    assert found.schema.fields["sad"].classes == ["1", "0"]


def test_gathered_classes_that_are_no_numbers_are_one_hot(ingestion: Ingestion) -> None:
    text = HEAD + "120,c,1,0,1\n90,e,2,1,0\n"
    found = ingestion.add({"songs.arff": text}, fields={"x": {"columns": ["*"]}})
    x = found.schema.fields["x"]
    assert x.columns == ["tempo", "main key=c", "main key=d sharp", "main key=e", "loud", "calm", "sad"]
    assert found.array("x")[1].tolist() == [90, 0, 0, 1, 2, 1, 0]


def test_missing_values(ingestion: Ingestion) -> None:
    text = HEAD + "?,?,1,0,1\n90,e,2,1,0\n"
    assert ingestion.refused({"songs.arff": text}).keys() == {
        ("/file/songs.arff/row 1/tempo", "nan"),
        ("/file/songs.arff/row 1/main key", "unknown_class"),
    }
    found = ingestion.add(
        {"songs.arff": text}, fields={"tempo": {"missing": "mean"}, "main key": {"replace": {"?": "c"}}}
    )
    assert found.array("tempo").tolist() == [[90], [90]]
    assert found.texts("main key") == ["c", "e"]


def test_declared_label_that_is_absent(ingestion: Ingestion) -> None:
    text = HEAD + "120,c,1,0,1\n"
    faults = ingestion.refused(
        {"songs.arff": text}, fields={"labels": {"columns": ["calm", "sadd", "mood*"]}}
    )
    assert faults.keys() == {
        ("/options/fields/labels/columns/1", "unknown_column"),
        ("/options/fields/labels/columns/2", "unknown_column"),
    }
    assert "did you mean 'sad'" in faults["/options/fields/labels/columns/1", "unknown_column"]


def test_label_that_is_neither_0_nor_1(ingestion: Ingestion) -> None:
    text = HEAD + "120,c,1,2,1\n90,c,1,1,yes\n"
    faults = ingestion.refused({"songs.arff": text}, fields={"labels": {"columns": ["calm", "sad"]}})
    assert ("/file/songs.arff/row 1/calm", "unknown_class") in faults
    assert ("/file/songs.arff/row 2/sad", "unknown_class") in faults


def test_broken_rows_are_named_by_line(ingestion: Ingestion) -> None:
    text = HEAD + "120,c,1,0\n90,'c,1,1,0\n{0 1\n{9 1}\n{0 1, 0 2}\n{zero 1}\n120,c,1,0,1\n"
    at = "/file/songs.arff/line "
    assert ingestion.refused({"songs.arff": text}).keys() == {
        (f"{at}9", "ragged"),
        (f"{at}10", "malformed_arff"),
        (f"{at}11", "malformed_arff"),
        (f"{at}12", "out_of_range"),
        (f"{at}13", "malformed_arff"),
        (f"{at}14", "malformed_arff"),
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "malformed_arff"),
        ("@attribute a numeric\n1\n", "malformed_arff"),
        ("@attribute a numeric\n", "malformed_arff"),
        ("@attribute a\n@data\n1\n", "malformed_arff"),
        ("@attribute a tensor\n@data\n1\n", "malformed_arff"),
        ("@attribute a {x, x}\n@data\nx\n", "malformed_arff"),
        ("@attribute a {x\n@data\nx\n", "malformed_arff"),
        ("@data\n1\n", "malformed_arff"),
        ("@attribute a real\n@attribute a real\n@data\n1,2\n", "duplicate_column"),
        ("@attribute a real\n@data\n", "empty"),
    ],
)
def test_broken_files(ingestion: Ingestion, text: str, code: str) -> None:
    faults = ingestion.refused({"t.arff": text})
    assert [found for _, found in faults] == [code]


def test_not_utf_8(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"t.arff": b"@attribute a {x, y}\n@data\nx\n\xff\n"})
    assert ("/file/t.arff/line 4", "not-utf-8") in faults


def test_files_that_declare_otherwise(ingestion: Ingestion) -> None:
    one, other = "@attribute a {x,y}\n@data\nx\n", "@attribute a {y,x}\n@data\nx\n"
    faults = ingestion.refused({"1.arff": one, "2.arff": other})
    assert faults.keys() == {("/file/2.arff", "other_columns")}


def test_options_of_csv_are_refused(ingestion: Ingestion) -> None:
    assert ("/options/header", "not_for_format") in ingestion.refused({"t.arff": HEAD}, header=True)
