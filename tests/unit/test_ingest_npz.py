"""NPZ into columns, and everything that can be wrong with one."""

from __future__ import annotations

import io
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.errors import InvalidInput, TooLarge
from tests.ingestion import Ingestion


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def npz(compressed: bool = False, **arrays: Any) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


def archive(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "."), data)
    return stream.getvalue()


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_are_fields(ingestion: Ingestion, compressed: bool) -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
    label = np.array([7, 3, 7, 12, 3])
    score = np.linspace(0, 1, 5)
    data = npz(compressed, pixels=pixels, label=label, score=score)
    found = ingestion.add({"d.npz": data}, splits={"fractions": {"test": 0.2}})
    assert found.schema.rows == 5
    assert found.array("pixels").dtype == np.uint8
    assert np.array_equal(found.array("pixels"), pixels)
    assert found.schema.fields["pixels"].shape == (3, 4)
    assert found.schema.fields["pixels"].dtype == "uint8"
    assert found.schema.fields["label"].classes == ["3", "7", "12"]
    assert found.array("label").tolist() == [1, 0, 1, 2, 0]
    assert found.array("score").tolist() == score.astype(np.float32).reshape(5, 1).tolist()
    train = found.split("train")
    assert found.schema.fields["pixels"].mean == pytest.approx(pixels[train].mean(axis=0).ravel().tolist())
    assert found.schema.fields["pixels"].std == pytest.approx(pixels[train].std(axis=0).ravel().tolist())


@pytest.mark.parametrize(
    "dtype", ["float16", "float64", ">f4", "int8", ">i8", "uint64", "bool", "longdouble"]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_number_becomes_float32(
    ingestion: Ingestion, dtype: str, order: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.arrays.BLOCK_BYTES", 64)
    values = np.array(np.arange(42).reshape(7, 3, 2) % 2, dtype=dtype, order=order)
    found = ingestion.add({"d.npz": npz(x=values)})
    assert found.array("x").dtype == np.float32
    assert np.array_equal(found.array("x"), values.astype(np.float32))


def test_told_shapes_and_kinds(ingestion: Ingestion) -> None:
    data = npz(pixels=np.zeros((4, 6), np.uint8), label=np.arange(4), code=np.array([[1], [0], [1], [1]]))
    found = ingestion.add(
        {"d.npz": data},
        fields={
            "pixels": {"shape": [1, 2, 3]},
            "label": {"kind": "dense"},
            "code": {"kind": "categorical"},
        },
    )
    assert found.array("pixels").shape == (4, 1, 2, 3)
    assert found.array("label").tolist() == [[0], [1], [2], [3]]
    assert found.texts("code") == ["1", "0", "1", "1"]


def test_many_different_whole_numbers_are_dense(
    ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.npz.FEW_VALUES", 3)
    found = ingestion.add({"d.npz": npz(few=np.arange(6) % 3, many=np.arange(6) % 4)})
    assert {name: field.kind for name, field in found.schema.fields.items()} == {
        "few": "categorical",
        "many": "dense",
    }


def test_class_names_stand_for_numbers_from_zero(ingestion: Ingestion) -> None:
    label = np.array([2, 0, 2, 0])
    found = ingestion.add({"d.npz": npz(y=label)}, fields={"y": {"classes": ["cat", "dog", "elk"]}})
    assert found.texts("y") == ["elk", "cat", "elk", "cat"]
    assert found.schema.fields["y"].histogram == [2, 0, 2]
    faults = Ingestion(ingestion.uploads).refused(
        {"d.npz": npz(y=label)}, fields={"y": {"classes": ["cat", "dog"]}}
    )
    assert "y[0]" in faults["/file/d.npz/row 0/y", "unknown_class"]
    assert "'2' is no class" in faults["/file/d.npz/row 2/y", "unknown_class"]


def test_gathered_arrays(ingestion: Ingestion) -> None:
    data = npz(a=np.arange(4), b=np.arange(16).reshape(4, 2, 2), y=np.arange(4) % 2)
    found = ingestion.add({"d.npz": data}, fields={"x": {"columns": ["*"]}, "y": {}})
    assert found.schema.fields["x"].columns == ["a", "b[0,0]", "b[0,1]", "b[1,0]", "b[1,1]"]
    assert found.array("x")[2].tolist() == [2, 8, 9, 10, 11]
    whole = npz(a=np.ones((2, 2), np.uint8), b=np.zeros((2, 1), np.uint8))
    assert ingestion.add({"e.npz": whole}, fields={"x": {"columns": ["a", "b"]}}).array("x").dtype == np.uint8


def test_files_follow_each_other(ingestion: Ingestion) -> None:
    files = {
        "a.npz": npz(x=np.zeros(2), y=np.array([0, 1])),
        "b.npz": npz(x=np.ones(3), y=np.array([2, 0, 0])),
    }
    found = ingestion.add(files, splits={"files": {"test": ["b.npz"]}})
    assert found.array("x").ravel().tolist() == [0, 0, 1, 1, 1]
    assert found.texts("y") == ["0", "1", "2", "0", "0"]
    assert found.split("test") == [2, 3, 4]
    assert found.schema.fields["y"].histogram == [1, 1, 0]


def test_files_that_are_not_alike(ingestion: Ingestion) -> None:
    files = {"a.npz": npz(x=np.zeros((2, 3)), y=np.ones(2)), "b.npz": npz(x=np.zeros((2, 4)), z=np.ones(2))}
    assert set(ingestion.refused(files)) == {
        ("/file/b.npz/x", "shape"),
        ("/file/b.npz/y", "other_columns"),
        ("/file/b.npz/z", "other_columns"),
    }


def test_a_column_of_words_tells_the_split(ingestion: Ingestion) -> None:
    data = npz(x=np.arange(4.0), part=np.array(["train", "test", "valid", "train"]))
    found = ingestion.add({"d.npz": data}, splits={"column": "part"})
    assert found.splits == {"train": 2, "valid": 1, "test": 1}
    assert list(found.schema.fields) == ["x"]
    wrong = npz(x=np.arange(2.0), part=np.array(["train", "tset"]))
    faults = Ingestion(ingestion.uploads).refused({"d.npz": wrong}, splits={"column": "part"})
    assert "'tset'" in faults["/file/d.npz/row 1/part", "unknown_split"]
    codes = npz(x=np.arange(2.0), part=np.array([0, 1]))
    faults = Ingestion(ingestion.settings.home.parent / "uploads" / "uploads").refused(
        {"d.npz": codes}, splits={"column": "part"}
    )
    assert ("/options/splits/column", "unknown_split") in faults


def test_nan_and_infinity_name_their_place(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.arrays.BLOCK_BYTES", 64)
    x = np.zeros((9, 2, 3))
    x[7, 1, 2], x[8, 0, 0] = np.nan, -np.inf
    faults = ingestion.refused({"d.npz": npz(x=x)})
    assert "x[7, 1, 2]" in faults["/file/d.npz/row 7/x", "nan"]
    assert "x[8, 0, 0]" in faults["/file/d.npz/row 8/x", "infinite"]
    x[8] = 6
    filled = ingestion.add({"d.npz": npz(x=x)}, fields={"x": {"missing": "mean"}})
    assert filled.array("x")[7, 1, 2] == pytest.approx(6 / 8)


class Treacherous:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("unpickled"),))


def test_pickles_are_refused_unopened(
    ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    data = npz(x=np.zeros(2), bad=np.array([Treacherous(), 1], dtype=object))
    faults = ingestion.refused({"d.npz": data})
    assert "pickled" in faults["/file/d.npz/bad", "pickled"]
    raw = archive(x__npy=pickle.dumps(Treacherous()))
    assert ("/file/d.npz/x", "damaged") in ingestion.refused({"d.npz": raw})
    structured = npz(x=np.zeros(2, dtype=[("a", "O")]))
    assert ("/file/d.npz/x", "pickled") in ingestion.refused({"d.npz": structured})
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.zeros(2, complex), "unsupported_dtype"),
        (np.array(["a", "b"]), "unsupported_dtype"),
        (np.zeros(2, "M8[s]"), "unsupported_dtype"),
        (np.zeros(2, [("a", "f4")]), "unsupported_dtype"),
        (np.float32(3), "no_rows"),
        (np.zeros((0, 3)), "empty"),
        (np.zeros((3, 0)), "empty"),
    ],
)
def test_arrays_that_cannot_be_trained_on(ingestion: Ingestion, array: Any, code: str) -> None:
    assert ("/file/d.npz/bad", code) in ingestion.refused({"d.npz": npz(bad=array)})


def test_row_counts_must_be_equal(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"d.npz": npz(a=np.zeros(3), b=np.zeros(4))})
    assert "{'a': 3, 'b': 4}" in faults["/file/d.npz", "row_counts"]


@pytest.mark.parametrize(
    ("data", "pointer", "code"),
    [
        (b"", "/file/d.npz", "damaged"),
        (b"no archive", "/file/d.npz", "damaged"),
        (archive(), "/file/d.npz", "empty"),
        (archive(readme__txt=b"hello"), "/file/d.npz/readme.txt", "not_an_array"),
        (archive(x__npy=b""), "/file/d.npz/x", "damaged"),
        (archive(x__npy=npy(np.zeros(9))[:-1]), "/file/d.npz/x", "damaged"),
        (archive(x__npy=npy(np.zeros(9)) + b"1"), "/file/d.npz/x", "damaged"),
        (archive(x__npy=b"\x93NUMPY\x03\x00" + npy(np.zeros(9))[8:]), "/file/d.npz/x", "damaged"),
    ],
)
def test_broken_archives(ingestion: Ingestion, data: bytes, pointer: str, code: str) -> None:
    assert (pointer, code) in ingestion.refused({"d.npz": data})


def test_an_array_that_is_there_twice(ingestion: Ingestion) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("x.npy", npy(np.zeros(2)))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("x.npy", npy(np.ones(2)))
    assert ("/file/d.npz/x", "duplicate") in ingestion.refused({"d.npz": stream.getvalue()})


def test_a_method_that_numpy_never_packs_by(ingestion: Ingestion) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("x.npy", npy(np.zeros(2)))
    assert ("/file/d.npz/x", "damaged") in ingestion.refused({"d.npz": stream.getvalue()})


def test_any_truncation_and_any_flipped_byte_is_an_answer(ingestion: Ingestion) -> None:
    """Whatever the damage, the file is refused, or (where nothing that counts was hit) read as it was."""
    x = np.arange(300.0)
    draw = random.Random(0)
    whole = npz(compressed=True, x=x)
    damaged = [whole[: draw.randrange(len(whole))] for _ in range(40)]
    for _ in range(150):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        damaged.append(bytes(flipped))
    refused = 0
    for data in damaged:
        try:
            found = ingestion.add({"d.npz": data})
        except InvalidInput:
            refused += 1
        else:
            assert all(np.array_equal(found.array(name).ravel(), x) for name in found.schema.fields)
    assert refused > 150


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path) -> None:
    ingestion = Ingestion(tmp_path, max_upload_bytes=100_000)
    bomb = npz(compressed=True, x=np.zeros(20_000))
    assert len(bomb) < 1000
    faults = ingestion.refused({"d.npz": bomb}, TooLarge)
    assert "160,128 bytes" in faults["/file/d.npz", "too_large"]


def test_an_archive_of_too_many_arrays(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.archive.MAX_MEMBERS", 1)
    ingestion.refused({"d.npz": npz(x=np.zeros(1), y=np.zeros(1))}, TooLarge)


def test_a_header_that_promises_more_than_its_bytes(ingestion: Ingestion) -> None:
    """The sizes that a header declares are believed only where the bytes are there."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (2**60,)})
    faults = ingestion.refused({"d.npz": archive(x__npy=stream.getvalue())})
    assert ("/file/d.npz/x", "damaged") in faults


def test_what_an_npz_has_not(ingestion: Ingestion) -> None:
    data = npz(x=np.zeros((2, 3)), y=np.zeros(2))
    faults = ingestion.refused(
        {"d.npz": data},
        fields={"x": {"kind": "sparse"}, "y": {"kind": "categorical"}},
    )
    assert set(faults) == {
        ("/options/fields/x/kind", "not_for_format"),
        ("/options/fields/y", "not_categorical"),
    }
    faults = ingestion.refused({"d.npz": data}, fields={"x": {"shape": [2, 2]}})
    assert list(faults) == [("/options/fields/x/shape", "shape")]


def test_damage_that_only_reading_finds(ingestion: Ingestion) -> None:
    whole = bytearray(npz(x=np.arange(100_000.0)))
    whole[400_000] ^= 1
    faults = ingestion.refused({"d.npz": bytes(whole)})
    assert "Bad CRC-32" in faults["/file/d.npz/x", "damaged"]


def test_an_archive_that_lies_about_its_size(ingestion: Ingestion) -> None:
    """Directory and header agree on more bytes than are packed."""
    short = npy(np.zeros(1000))[:200]
    lying = bytearray(archive(x__npy=short))
    directory = lying.index(b"PK\x01\x02")
    lying[directory + 24 : directory + 28] = (128 + 8000).to_bytes(4, "little")
    faults = ingestion.refused({"d.npz": bytes(lying)})
    assert "truncated" in faults["/file/d.npz/x", "damaged"]
