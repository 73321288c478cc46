"""Categories as numbers, one-hot or hashed, and numbers by their mean and deviation."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as drawing
from hypothesis import strategies as st

from ingest.field_options import HashOptions
from ingest.hashing import place_of
from tests.ingestion import Ingestion

PEOPLE = "age,job,town,part\n30,clerk,Oslo,train\n50,smith,Rome,train\n70,clerk,Rome,test\n"
BY_PART: dict[str, Any] = {"splits": {"column": "part"}}


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def test_the_hash_is_for_good() -> None:
    """Models are trained on these places: they may never change."""
    texts = ("clerk", "smith", "Ærø")
    assert [place_of("job", text, HashOptions(hash=1024)) for text in texts] == [951, 227, 312]
    assert place_of("job", "clerk", HashOptions(hash=1024, seed=1)) == 686


def test_one_column_one_hot(ingestion: Ingestion) -> None:
    fields = {"job": {"encode": "one_hot"}, "age": {"encode": "one_hot"}}
    found = ingestion.add({"p.csv": PEOPLE}, fields=fields, **BY_PART)
    job = found.schema.fields["job"]
    assert (job.kind, job.columns, job.row_sum) == ("dense", ["job=clerk", "job=smith"], (1, 1))
    assert found.array("job").tolist() == [[1, 0], [0, 1], [1, 0]]
    # Numbers that are told to be encoded are categories.
    assert found.schema.fields["age"].columns == ["age=30", "age=50", "age=70"]


def test_columns_share_a_hashed_dimension(ingestion: Ingestion) -> None:
    for kind in (None, "sparse"):
        options = {"columns": ["job", "town"], "encode": {"hash": 16, "seed": 3}, "kind": kind}
        found = ingestion.add({"p.csv": PEOPLE}, fields={"x": options}, **BY_PART)
        field = found.schema.fields["x"]
        assert (field.kind, field.shape) == (kind or "dense", (16,))
        assert field.hashed is not None
        assert field.hashed.model_dump() == {"dimension": 16, "seed": 3}
        expected = np.zeros((3, 16))
        for row, line in enumerate(PEOPLE.split()[1:]):
            for name, text in zip(("job", "town"), line.split(",")[1:3], strict=True):
                expected[row, place_of(name, text, HashOptions(hash=16, seed=3))] += 1
        if kind is None:
            assert np.array_equal(found.array("x"), expected)
        else:
            pairs = [[(int(i), row[i]) for i in np.flatnonzero(row)] for row in expected]
            assert found.pairs("x") == pairs


def test_whole_numbers_are_hashed_as_texts(ingestion: Ingestion) -> None:
    found = ingestion.add({"p.csv": PEOPLE}, fields={"age": {"encode": {"hash": 5000}}}, **BY_PART)
    assert found.array("age").argmax(axis=1).tolist() == [
        place_of("age", text, HashOptions(hash=5000)) for text in ("30", "50", "70")
    ]


values = st.sampled_from(["a", "b", "c"])


@given(
    rows=st.lists(st.tuples(values, values, values), min_size=1, max_size=9),
    dimension=st.integers(1, 6),
)
@drawing(max_examples=40, deadline=None)
def test_sparse_and_dense_count_alike(rows: list[tuple[str, ...]], dimension: int) -> None:
    text = "p,q,r\n" + "".join(",".join(row) + "\n" for row in rows)
    encode = {"hash": dimension}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.arrays.BLOCK_BYTES", 90)
        patch.setattr("ingest.hashing.REMEMBERED", 1)
        ingestion = Ingestion(Path(folder))
        dense = ingestion.add({"t.csv": text}, fields={"x": {"columns": ["*"], "encode": encode}})
        options = {"columns": ["*"], "encode": encode, "kind": "sparse"}
        sparse = ingestion.add({"t.csv": text}, fields={"x": options})
        matrix = dense.array("x")
        assert matrix.sum(axis=1).tolist() == [3] * len(rows)
        pairs = [[(int(i), float(row[i])) for i in np.flatnonzero(row)] for row in matrix]
        assert sparse.pairs("x") == pairs


def test_empty_categories_are_no_categories(ingestion: Ingestion) -> None:
    text = "a,b\nx,y\n,z\n"
    faults = ingestion.refused({"t.csv": text}, fields={"x": {"columns": ["*"], "encode": {"hash": 8}}})
    assert list(faults) == [("/file/t.csv/row 2/a", "missing")]
    replaced = {"columns": ["*"], "encode": {"hash": 8}, "replace": {"": "none"}}
    assert ingestion.add({"t.csv": text}, fields={"x": replaced}).array("x").sum() == 4


def test_numbers_are_standardized_by_the_training_rows(ingestion: Ingestion) -> None:
    fields = {"x": {"columns": ["age", "job"], "standardize": True}}
    found = ingestion.add({"p.csv": PEOPLE}, fields=fields, **BY_PART)
    field = found.schema.fields["x"]
    assert found.array("x").tolist() == [[-1, 1, 0], [1, 0, 1], [3, 1, 0]]
    assert field.standardized is not None
    assert field.standardized.model_dump() == {"mean": [40, 0, 0], "std": [10, 1, 1]}
    assert (field.min, field.max, field.mean) == (-1, 3, [0, 0.5, 0.5])


def test_a_constant_stays_zero_and_missing_numbers_are_the_mean(ingestion: Ingestion) -> None:
    text = "a,b\n5,1\n5,?\n5,4\n"
    fields = {"x": {"columns": ["a", "b"], "standardize": True, "missing": "mean"}}
    found = ingestion.add({"t.csv": text}, fields=fields)
    field = found.schema.fields["x"]
    assert field.fill == [5, 2.5]
    assert field.standardized is not None
    assert field.standardized.std[0] == 1
    assert found.array("x")[:, 0].tolist() == [0, 0, 0]
    assert found.array("x")[1, 1] == 0


def test_standardizing_bytes_and_steps_of_sequences(ingestion: Ingestion, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.array([[0, 10], [4, 20]], np.uint8))
    found = ingestion.add({"x.npz": tmp_path / "x.npz"}, fields={"x": {"standardize": True, "missing": 3}})
    assert found.array("x").tolist() == [[-1, -1], [1, 1]]
    assert found.schema.fields["x"].dtype == "float32"
    assert found.schema.fields["x"].fill == 3
    text = "1 |v 1\n1 |v 3\n2 |v 5\n2 |v 7\n3 |v 100\n3 |v 0\n"
    options = {"fields": {"v": {"standardize": True}}, "splits": {"fractions": {"test": 0.34}, "seed": 2}}
    steps = ingestion.add({"s.ctf": text}, **options)
    raw = np.array([1, 3, 5, 7, 100, 0.0])
    train = np.concatenate([raw[2 * row : 2 * row + 2] for row in steps.split("train")])
    assert steps.array("v").ravel() == pytest.approx((raw - train.mean()) / train.std(), rel=1e-6)


@pytest.mark.parametrize(
    ("field", "place", "code"),
    [
        ({"encode": "two_hot"}, "/encode", "encode"),
        ({"encode": {"hash": 0}}, "/encode", "encode"),
        ({"encode": {"hsh": 4}}, "/encode", "encode"),
        ({"encode": {"hash": 4}, "standardize": True}, "", "conflict"),
        ({"encode": {"hash": 4}, "missing": "mean"}, "", "conflict"),
        ({"encode": {"hash": 4}, "shape": [4]}, "", "conflict"),
        ({"encode": "one_hot", "kind": "sparse"}, "", "conflict"),
        ({"encode": "one_hot", "kind": "categorical"}, "", "conflict"),
        ({"encode": "one_hot", "classes": ["clerk"]}, "", "conflict"),
        ({"encode": {"hash": 70_000}}, "/encode/hash", "too_large"),
        ({"standardize": True, "kind": "categorical"}, "", "conflict"),
        ({"standardize": True}, "/standardize", "not_numbers"),
        ({"standardize": "yes"}, "/standardize", "bool-type"),
    ],
)
def test_what_is_refused(ingestion: Ingestion, field: dict[str, Any], place: str, code: str) -> None:
    faults = ingestion.refused({"p.csv": PEOPLE}, fields={"job": field})
    assert list(faults) == [("/options/fields/job" + place, code)]


def test_many_elements_are_not_standardized(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.assemble.MOST_ELEMENTS", 1)
    fields = {"x": {"columns": ["age", "job"], "standardize": True}}
    faults = ingestion.refused({"p.csv": PEOPLE}, fields=fields)
    assert list(faults) == [("/options/fields/x/standardize", "too_large")]


def test_other_formats_standardize_numbers_only(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"s.ctf": "|x 1:1\n"}, fields={"x": {"standardize": True}})
    assert list(faults) == [("/options/fields/x/standardize", "not_numbers")]
