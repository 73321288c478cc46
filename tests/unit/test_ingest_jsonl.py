"""JSONL into columns, and everything that can be wrong with a file of it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as drawing
from hypothesis import strategies as st

from tests.ingestion import Ingestion

PEOPLE = """\
{"age": 39, "job": "clerk", "member": true, "place": [0.5, 1], "words": ["Good", "day"]}

{"job": "smith", "age": 50.5, "member": false, "place": [2, null], "words": ["day"], "note": null}
{"age": null, "job": " clerk ", "member": true, "place": null, "words": ["Good", "Good", "night"]}
"""


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def lines(*objects: object) -> str:
    return "".join(json.dumps(found) + "\n" for found in objects)


def test_each_key_is_a_column(ingestion: Ingestion) -> None:
    fields = {"age": {"missing": 7}, "place": {"missing": "mean"}}
    found = ingestion.add({"p.jsonl": PEOPLE}, fields=fields, exclude=["note"])
    schema = found.schema.fields
    assert found.schema.rows == 3
    assert found.array("age").tolist() == [[39], [50.5], [7]]
    assert found.texts("job") == ["clerk", "smith", "clerk"]
    assert (schema["member"].classes, found.array("member").tolist()) == (["false", "true"], [1, 0, 1])
    assert schema["place"].shape == (2,)
    assert found.array("place").tolist() == [[0.5, 1], [2, 1], [1.25, 1]]
    assert (schema["words"].kind, schema["words"].sequence) == ("categorical", True)
    assert schema["words"].classes == ["<unk>", "Good", "day", "night"]
    assert found.array("words").tolist() == [1, 2, 2, 1, 1, 3]
    assert found.array("words", "offsets").tolist() == [0, 2, 3, 6]


def test_one_file_may_lack_a_key_and_have_another_order(ingestion: Ingestion) -> None:
    files = {
        "a.ndjson": lines({"x": 1, "y": "u"}),
        "b.ndjson": lines({"y": "v"}),
        "c.ndjson": lines({"y": "w", "x": 3}),
    }
    found = ingestion.add(files, fields={"x": {"missing": -1}})
    assert found.array("x").ravel().tolist() == [1, -1, 3]
    assert found.texts("y") == ["u", "v", "w"]


def test_files_that_disagree_on_a_key(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"a.jsonl": lines({"x": 1}), "b.jsonl": lines({"x": "u"})})
    assert "'x' is declared otherwise" in faults["/file/b.jsonl", "other_columns"]


def test_booleans_side_by_side_are_numbers(ingestion: Ingestion) -> None:
    text = lines({"a": True, "b": False}, {"a": False, "b": False})
    found = ingestion.add({"l.jsonl": text}, fields={"labels": {"columns": ["a", "b"]}})
    assert found.array("labels").tolist() == [[1, 0], [0, 0]]
    assert found.schema.fields["labels"].row_sum == (0, 1)
    alone = ingestion.add({"l.jsonl": text}, fields={"a": {"kind": "dense"}})
    assert alone.array("a").ravel().tolist() == [1, 0]


def test_numbers_that_are_classes_and_a_column_of_splits(ingestion: Ingestion) -> None:
    big = 2**53
    text = lines({"id": big, "g": 5, "s": "train"}, {"id": big + 1, "g": 4.0, "s": "test"})
    fields = {"g": {"kind": "categorical"}, "id": {"kind": "categorical"}}
    found = ingestion.add({"t.jsonl": text}, fields=fields, splits={"column": "s"})
    assert found.texts("g") == ["5", "4"]
    assert found.texts("id") == [str(big), str(big + 1)]
    assert found.splits == {"train": 1, "test": 1}


def test_text_is_replaced_and_null_is_a_missing_text(ingestion: Ingestion) -> None:
    text = lines({"j": "clerk", "m": True}, {"j": None, "m": False})
    found = ingestion.add({"t.jsonl": text}, fields={"j": {"replace": {"": "none", "clerk": "c"}}})
    assert found.texts("j") == ["c", "none"]
    faults = ingestion.refused({"t.jsonl": lines({"j": "clerk", "m": None}, {"m": True})})
    assert faults.keys() == {("/file/t.jsonl/row 2/j", "missing"), ("/file/t.jsonl/row 1/m", "missing")}


def test_lists_gathered_with_numbers(ingestion: Ingestion) -> None:
    text = lines({"v": [1, 2], "n": 3, "c": "x"}, {"v": [4, 5], "n": 6, "c": "y"})
    found = ingestion.add({"t.jsonl": text}, fields={"all": {"columns": ["*"]}})
    assert found.schema.fields["all"].columns == ["v[0]", "v[1]", "n", "c=x", "c=y"]
    assert found.array("all").tolist() == [[1, 2, 3, 1, 0], [4, 5, 6, 0, 1]]
    shaped = ingestion.add({"t.jsonl": text}, fields={"v": {"shape": [2, 1]}})
    assert shaped.array("v").shape == (2, 2, 1)


def test_lists_of_numbers_of_any_length_are_tokens_where_told(ingestion: Ingestion) -> None:
    text = lines({"ids": [7, 3]}, {"ids": [3]})
    options: dict[str, Any] = {"tokens": {"unknown": None}, "classes": ["3", "7"]}
    found = ingestion.add({"t.jsonl": text}, fields={"ids": options})
    assert found.array("ids").tolist() == [1, 0, 0]
    faults = ingestion.refused({"t.jsonl": lines({"ids": [7, 4]}, {"ids": [3]})}, fields={"ids": options})
    detail = faults["/file/t.jsonl/row 1/ids", "unknown_token"]
    assert "'4' is not in the vocabulary" in detail


@pytest.mark.parametrize(
    ("text", "place", "code", "words"),
    [
        ('{"a": 1}\n{"a": 1\n', "/line 2", "malformed_jsonl", "line 2 is no JSON"),
        ('{"a": 1}\n[1]\n', "/line 2", "malformed_jsonl", "holds a list where an object is expected"),
        ("3\n", "/line 1", "malformed_jsonl", "holds a number"),
        ('{"a": 1, "a": 2}\n', "/line 1", "malformed_jsonl", "a key stands twice"),
        ('{"a": ' + "[" * 100_000 + "\n", "/line 1", "malformed_jsonl", "cannot be read"),
        (b'{"a": "\xff"}\n', "/line 1", "not-utf-8", "0xff"),
        (
            '{"a": 1}\n\n{"a": {"b": 1}}\n',
            "/row 2/a",
            "nested",
            "row 2 (line 3), key 'a': an object is no value",
        ),
        ('{"a": [[1]]}\n', "/row 1/a", "nested", "a list is no value"),
        ('{"a": [1, "x"]}\n', "/row 1/a", "nested", "a list is no value"),
        ('{"a": ["x", null]}\n', "/row 1/a", "nested", "a list is no value"),
        ('{"a": 1}\n{"a": "x"}\n', "/row 2/a", "mixed_values", "a text, where the rows before have numbers"),
        ('{"a": 1}\n{"a": true}\n', "/row 2/a", "mixed_values", "a boolean"),
        ('{"a": [1]}\n{"a": 1}\n', "/row 2/a", "mixed_values", "have lists of numbers"),
        ('{"a": [1]}\n{"a": [1, 2]}\n', "/row 2/a", "ragged", "has 2 numbers where 1 are expected"),
        ('{"a": [1]}\n{"a": []}\n', "/row 2/a", "ragged", "has 0 numbers"),
        ('{"a": [1, NaN]}\n', "/row 1/a", "nan", "column 'a', number 2: a missing number"),
        ('{"a": Infinity}\n', "/row 1/a", "infinite", "inf is not finite"),
        ('{"a": 1' + "0" * 400 + "}\n", "/row 1/a", "infinite", "inf is not finite"),
        ('{"a": null}\n', "/row 1/a", "nan", "a missing number"),
        ('{"a": ["x"]}\n{"a": []}\n', "/row 2/a", "empty_sequence", "there is no token"),
        ('{"a": ["x"]}\n{"a": null}\n', "/row 2/a", "empty_sequence", "there is no token"),
        ("\n \n", "", "empty", "no object with a key"),
        ("{}\n", "", "empty", "no object with a key"),
    ],
)
def test_what_is_wrong_is_named(
    ingestion: Ingestion, text: str | bytes, place: str, code: str, words: str
) -> None:
    faults = ingestion.refused({"t.jsonl": text})
    assert list(faults) == [("/file/t.jsonl" + place, code)]
    assert words in faults["/file/t.jsonl" + place, code]


def test_a_key_that_no_field_takes_may_hold_anything(ingestion: Ingestion) -> None:
    text = lines({"x": 1, "meta": {"a": 1}, "odd": 1}, {"x": 2, "meta": 3, "odd": "u"})
    assert ingestion.add({"t.jsonl": text}, exclude=["meta", "odd"]).array("x").ravel().tolist() == [1, 2]
    faults = ingestion.refused({"t.jsonl": text})
    assert faults.keys() == {
        ("/file/t.jsonl/row 1/meta", "nested"),
        ("/file/t.jsonl/row 2/odd", "mixed_values"),
    }


def test_booleans_and_text_are_not_one_column(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"t.jsonl": lines({"a": True}, {"a": "true"})})
    assert list(faults) == [("/file/t.jsonl/row 2/a", "mixed_values")]
    assert "where the rows before have booleans" in faults["/file/t.jsonl/row 2/a", "mixed_values"]


def test_what_is_no_file_of_objects(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.jsonl.MOST_KEYS", 2)
    faults = ingestion.refused({"t.jsonl": lines({"a": 1}, {"b": 1, "c": 1})})
    assert list(faults) == [("/file/t.jsonl/line 2", "malformed_jsonl")]
    monkeypatch.setattr("ingest.lines.LONGEST_LINE", 10)
    faults = ingestion.refused({"t.jsonl": lines({"a": 1}, {"a": 1_000_000})})
    assert list(faults) == [("/file/t.jsonl/line 2", "malformed_jsonl")]


def test_lists_of_which_one_is_empty_are_lists_of_what_the_others_hold(ingestion: Ingestion) -> None:
    fields = {"w": {"tokens": {"empty": "unknown"}}}
    found = ingestion.add({"t.jsonl": lines({"w": []}, {"w": ["a"]}, {"w": []})}, fields=fields)
    assert found.texts("w") == ["<unk>", "a", "<unk>"]
    ids = {"w": {"tokens": {"empty": "unknown", "unknown": "0"}}}
    found = ingestion.add({"t.jsonl": lines({"w": []}, {"w": [7, 7.5]})}, fields=ids)
    assert found.texts("w") == ["0", "7", "7.5"]


@pytest.mark.parametrize(
    ("field", "place", "code"),
    [
        ({"v": {"kind": "categorical"}}, "v/kind", "other_kind"),
        ({"w": {"kind": "dense"}}, "w/kind", "other_kind"),
        ({"w": {"encode": "one_hot"}}, "w/encode", "gathered"),
        ({"v": {"encode": {"hash": 8}}}, "v/kind", "other_kind"),
        ({"v": {"shape": [3]}}, "v/shape", "shape"),
        ({"w": {"tokens": {"pattern": "a"}}}, "w/tokens/pattern", "conflict"),
        ({"all": {"columns": ["v", "w"]}}, "all/columns", "gathered"),
        ({"w": {"standardize": True}}, "w/standardize", "not_numbers"),
    ],
)
def test_what_a_list_cannot_be(ingestion: Ingestion, field: dict[str, Any], place: str, code: str) -> None:
    faults = ingestion.refused({"t.jsonl": lines({"v": [1, 2], "w": ["a"]})}, fields=field)
    assert list(faults) == [("/options/fields/" + place, code)]


texts = st.text(st.characters(codec="utf-8"), max_size=8)
rows = st.fixed_dictionaries(
    {
        "n": st.none()
        | st.integers(-(2**24), 2**24)
        | st.floats(width=32, allow_nan=False, allow_infinity=False),
        "t": texts.map(str.strip).filter(bool),
        "b": st.booleans(),
        "v": st.lists(st.integers(-9, 9), min_size=2, max_size=2),
        "w": st.lists(texts, min_size=1, max_size=4),
    }
)


@given(objects=st.lists(rows, min_size=1, max_size=12), block=st.integers(1, 5))
@drawing(max_examples=40, deadline=None)
def test_what_was_written_is_read(objects: list[dict[str, Any]], block: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.cells.ROWS_AT_ONCE", block)
        found = Ingestion(Path(folder)).add({"t.jsonl": lines(*objects)}, fields={"n": {"missing": 5}})
        numbers = [5 if row["n"] is None else row["n"] for row in objects]
        assert found.array("n").ravel().tolist() == np.float32(numbers).tolist()
        assert found.texts("t") == [row["t"] for row in objects]
        assert found.array("b").tolist() == [row["b"] for row in objects]
        assert found.array("v").tolist() == [row["v"] for row in objects]
        assert found.texts("w") == [word.strip() for row in objects for word in row["w"]]
