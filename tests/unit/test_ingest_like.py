"""New data taken in as another data set was: everything that was fitted comes from there."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest import store
from tests.ingestion import Ingested, Ingestion

TRAINING = """\
age;pay;job;town;text;tags;grade;part
30;?;clerk;Oslo;The cat sat;D N V;3;train
50;10;smith;Rome;the dog;D N;1;train
10;30;clerk;Rome;a cat;D N;2;test
"""
FIELDS: dict[str, Any] = {
    "x": {"columns": ["age", "job"], "standardize": True},
    "pay": {"missing": "mean"},
    "place": {"columns": ["town"], "encode": {"hash": 32, "seed": 5}, "replace": {"Roma": "Rome"}},
    "text": {"tokens": {"max_length": 4}},
    "tags": {"tokens": {"pattern": r"\S+", "unknown": None, "lowercase": False}},
    "grade": {"kind": "categorical"},
    "town": {"replace": {"Roma": "Rome"}},
}
NEW = """\
job;age;pay;town;text;tags;grade;more
smith;40;?;Roma;the bird sat on the cat;D N V N;1;u
clerk;20;7;Oslo;dog;N;3;v
"""


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


@pytest.fixture
def trained(ingestion: Ingestion) -> Ingested:
    return ingestion.add({"t.csv": TRAINING}, delimiter=";", fields=FIELDS, splits={"column": "part"})


def test_everything_is_as_it_was_fitted(ingestion: Ingestion, trained: Ingested) -> None:
    found = ingestion.add({"new.csv": NEW}, like=trained.schema.id)
    old, new = trained.schema, found.schema
    assert (new.like, new.name, new.rows, found.splits) == (old.id, "new", 2, {"test": 2})
    assert new.fields.keys() == old.fields.keys()
    for name, field in new.fields.items():
        for key in (
            "kind",
            "shape",
            "classes",
            "columns",
            "sources",
            "replace",
            "fill",
            "hashed",
            "standardized",
        ):
            assert getattr(field, key) == getattr(old.fields[name], key), (name, key)
        for key in ("mean", "std", "histogram"):
            assert getattr(field, key) == getattr(old.fields[name], key), (name, key)
    # Means and deviations are (40, 10) for age and 10 for pay, of the training rows alone.
    assert found.array("x").tolist() == [[0, 0, 1], [-2, 1, 0]]
    assert found.array("pay").ravel().tolist() == [10, 7]
    assert found.texts("text") == ["the", "<unk>", "sat", "<unk>", "dog"]
    assert found.texts("tags") == ["D", "N", "V", "N", "N"]
    assert found.texts("grade") == ["1", "3"]
    assert found.texts("town") == ["Rome", "Oslo"]
    assert found.array("place")[0].tolist() == trained.array("place")[1].tolist()
    tokens = new.fields["text"].tokens
    assert tokens is not None
    assert tokens.unknown_tokens["test"].count == 2
    assert tokens.cut_rows == {"test": 1}
    assert new.fields["pay"].min == 7


def test_the_same_bytes_again_are_the_same_arrays(ingestion: Ingestion, trained: Ingested) -> None:
    found = ingestion.add({"t.csv": TRAINING}, like=trained.schema.id, splits={"column": "part"})
    assert found.schema.id != trained.schema.id
    assert found.splits == trained.splits
    for name, field in trained.schema.fields.items():
        for role in field.files:
            assert np.array_equal(found.array(name, role), trained.array(name, role)), (name, role)
    once_more = ingestion.add({"t.csv": TRAINING}, like=found.schema.id)
    assert once_more.array("x").tolist() == trained.array("x").tolist()


def test_it_outlives_the_other_data_set(ingestion: Ingestion, trained: Ingested) -> None:
    found = ingestion.add({"new.csv": NEW}, like=trained.schema.id)
    store.remove(ingestion.volume, trained.schema.id)
    again = ingestion.add({"n.csv": NEW}, like=found.schema.id)
    assert again.texts("text") == found.texts("text")
    faults = ingestion.refused({"n.csv": NEW}, like=trained.schema.id)
    assert list(faults) == [("/options/like", "unknown_dataset")]


def test_other_formats_of_tables_will_do(ingestion: Ingestion, trained: Ingested) -> None:
    rows = [line.split(";") for line in NEW.split("\n")[:-1]]
    objects: list[dict[str, Any]] = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    for found in objects:
        found |= {"age": float(found["age"]), "pay": None if found["pay"] == "?" else int(found["pay"])}
        found["grade"] = int(found["grade"])
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(objects), stream)
    expected = ingestion.add({"n.csv": NEW}, like=trained.schema.id)
    for files in (
        {"n.jsonl": "\n".join(map(json.dumps, objects))},
        {"n.parquet": stream.getvalue()},
        {"n.csv": NEW.replace(";", ",")},
    ):
        told = {"delimiter": ","} if "n.csv" in files else {}
        found = ingestion.add(files, like=trained.schema.id, **told)
        for name, field in expected.schema.fields.items():
            for role in field.files:
                assert np.array_equal(found.array(name, role), expected.array(name, role)), (name, role)


def test_a_header_takes_the_place_of_told_names(ingestion: Ingestion) -> None:
    source = ingestion.add({"t.csv": "1,x\n2,y\n"}, columns=["a", "b"])
    assert ingestion.add({"u.csv": "3,y\n"}, like=source.schema.id).array("a").tolist() == [[3]]
    found = ingestion.add({"u.csv": "b,a\ny,3\n"}, like=source.schema.id, header=True)
    assert (found.array("a").tolist(), found.texts("b")) == ([[3]], ["y"])


@pytest.mark.parametrize(
    ("old", "new", "place", "code", "words"),
    [
        ("smith;40", "baker;40", "/row 1/job", "unknown_class", "'baker' is no class"),
        (";Oslo;", ";Bonn;", "/row 2/town", "unknown_class", "the classes are those of the data set"),
        ("D N V N", "D N X N", "/row 1/tags", "unknown_token", "'X' is not in the vocabulary"),
        (";N;3", ";N;4", "/row 2/grade", "unknown_class", "'4'"),
        (";N;3", ";;3", "/row 2/tags", "empty_sequence", "no token"),
        ("clerk;20", "clerk;x", "/row 2/age", "not_a_number", "'x'"),
        ("clerk;20", "clerk;?", "/row 2/age", "nan", "missing number"),
    ],
)
def test_values_that_the_other_data_set_has_no_place_for(
    ingestion: Ingestion, trained: Ingested, old: str, new: str, place: str, code: str, words: str
) -> None:
    faults = ingestion.refused({"n.csv": NEW.replace(old, new)}, like=trained.schema.id)
    assert list(faults) == [("/file/n.csv" + place, code)]
    assert words in faults["/file/n.csv" + place, code]


def test_absent_columns_are_named_all_at_once(ingestion: Ingestion, trained: Ingested) -> None:
    text = NEW.replace("job;", "work;", 1).replace(";tags;", ";marks;", 1)
    faults = ingestion.refused({"n.csv": text}, like=trained.schema.id)
    assert list(faults) == [("/options/like", "unknown_column")]
    assert (
        "the files lack 'tags', 'job'; there are 'work', 'age'" in faults["/options/like", "unknown_column"]
    )


def test_what_may_stand_next_to_like(ingestion: Ingestion, trained: Ingested) -> None:
    like = trained.schema.id
    faults = ingestion.refused({"n.csv": NEW}, like=like, fields={}, exclude=["more"])
    assert faults.keys() == {("/options/fields", "conflict"), ("/options/exclude", "conflict")}
    for unknown in ("ds_" + "0" * 24, "x"):
        assert [place for place, _ in ingestion.refused({"n.csv": NEW}, like=unknown)] == ["/options/like"]
    faults = ingestion.refused({"n.csv": NEW}, like=like, splits={"fractions": {"valid": 0.5}})
    assert list(faults) == [("/options/splits/fractions/valid", "empty_split")]
    assert ingestion.refused({"n.ctf": "|age 1\n"}, like=like).keys() == {("/options/like", "other_format")}
    files = {"a.csv": NEW, "b.csv": NEW}
    faults = ingestion.refused(files, like=like, splits={"files": {"test": ["a.csv"]}})
    assert list(faults) == [("/options/splits/files", "unassigned_file")]
    found = ingestion.add(
        files, like=like, splits={"files": {"train": ["b.csv"]}, "fractions": {"valid": 0.5}}
    )
    assert found.splits == {"train": 1, "valid": 1, "test": 2}
    # The id covers what it is like.
    other = ingestion.add({"t.csv": TRAINING}, delimiter=";", fields=FIELDS, exclude=["part"])
    ids = {ingestion.add({"n.csv": NEW}, like=dataset).schema.id for dataset in (like, other.schema.id)}
    assert len(ids) == 2


def test_a_data_set_of_before(ingestion: Ingestion, trained: Ingested) -> None:
    path = trained.folder / "schema.json"
    schema = json.loads(path.read_text())
    for field in schema["fields"].values():
        del field["sources"]
    path.write_text(json.dumps(schema))
    faults = ingestion.refused({"n.csv": NEW}, like=trained.schema.id)
    assert list(faults) == [("/options/like", "not_fitted")]


def test_lists_stay_lists(ingestion: Ingestion) -> None:
    source = ingestion.add({"t.jsonl": '{"w": ["A", "b"], "v": [1, 2]}\n{"w": ["b"], "v": [3, 4]}\n'})
    found = ingestion.add({"n.jsonl": '{"v": [5, 6], "w": ["a", "A"]}\n'}, like=source.schema.id)
    assert found.texts("w") == ["<unk>", "A"]
    faults = ingestion.refused({"n.csv": "w,v\nA b,1\n"}, like=source.schema.id)
    assert faults.keys() == {("/options/like", "other_kind"), ("/options/like", "shape")}


def test_lists_of_another_length(ingestion: Ingestion) -> None:
    fields = {"x": {"columns": ["v", "n"]}}
    source = ingestion.add({"t.jsonl": '{"v": [1, 2], "n": 3}\n'}, fields=fields)
    faults = ingestion.refused({"n.jsonl": '{"v": [1, 2, 3], "n": 3}\n'}, like=source.schema.id)
    assert "'v' has 3 numbers a row, where 2 are expected" in faults["/options/like", "shape"]


def test_arrays(ingestion: Ingestion, tmp_path: Path) -> None:
    def add(name: str, like: str | None = None, **arrays: Any) -> Ingested:
        np.savez(tmp_path / name, **arrays)
        options = {"like": like} if like else {"fields": {"x": {"columns": ["a", "b"], "missing": "mean"}}}
        return ingestion.add({name: tmp_path / name}, **options)

    source = add("t.npz", a=np.array([[1.0, np.nan], [3, 8]]), b=np.array([1, 2]), y=np.array([4, 2]))
    found = add("n.npz", source.schema.id, b=np.array([7.5]), y=np.array([4]), a=np.array([[np.nan, np.nan]]))
    assert found.array("x").tolist() == [[2, 8, 7.5]]
    assert (found.texts("y"), found.schema.fields["y"].classes) == (["4"], ["2", "4"])
    np.savez(tmp_path / "bad.npz", a=np.ones((1, 3)), b=np.ones(1), y=np.array([3]))
    faults = ingestion.refused({"bad.npz": tmp_path / "bad.npz"}, like=source.schema.id)
    assert list(faults) == [("/file/bad.npz/row 0/y", "unknown_class")]
    np.savez(tmp_path / "bad.npz", a=np.ones((1, 3)), b=np.ones(1), y=np.array([2]))
    faults = ingestion.refused({"bad.npz": tmp_path / "bad.npz"}, like=source.schema.id)
    assert list(faults) == [("/options/like", "shape")]


def test_streams(ingestion: Ingestion) -> None:
    text = "1 |w 0:1 |t 2:1 |i 1\n1 |w 4:1 |t 0:1\n2 |w 1:1 |t 1:1 |i 0\n"
    fields = {"t": {"kind": "categorical"}, "i": {"kind": "categorical"}}
    source = ingestion.add({"t.ctf": text}, fields=fields)
    found = ingestion.add({"n.ctf": "1 |w 3:1 |t 0:1 |i 1\n"}, like=source.schema.id)
    # One step in every sequence, and sequences all the same: they were before.
    assert {name: field.sequence for name, field in found.schema.fields.items()} == {
        "w": True,
        "t": True,
        "i": False,
    }
    assert {name: field.shape for name, field in found.schema.fields.items()} == {
        "w": (5,),
        "t": (3,),
        "i": (2,),
    }
    faults = ingestion.refused({"n.ctf": "1 |w 5:1 |t 0:1 |i 1\n"}, like=source.schema.id)
    assert list(faults) == [("/file/n.ctf/line 1/w", "out_of_range")]
    faults = ingestion.refused({"n.ctf": "1 |w 0:1 |t 3:1 |i 1\n"}, like=source.schema.id)
    assert list(faults) == [("/file/n.ctf/line 1/t", "out_of_range")]
    faults = ingestion.refused(
        {"n.ctf": "1 |w 0:1 |t 0:1 |i 1\n1 |w 0:1 |t 1:1 |i 1\n"}, like=source.schema.id
    )
    assert list(faults) == [("/options/like", "other_kind")]
