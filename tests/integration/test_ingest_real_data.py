"""Real data sets, each with its own habits, as their owners publish them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.ingestion import Ingestion

ADULT = [
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital", "occupation"),
    *("relationship", "race", "sex", "gain", "loss", "hours", "country", "income"),
]
EMOTIONS = [
    *("amazed-suprised", "happy-pleased", "relaxing-calm"),
    *("quiet-still", "sad-lonely", "angry-aggresive"),
]
FindData = Callable[[str], Path]


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def test_adult(ingestion: Ingestion, test_data: FindData) -> None:
    folder = test_data("tab_shared")
    found = ingestion.add(
        {name: folder / name for name in ("adult-train.csv", "adult-test.csv")},
        columns=ADULT,
        fields={
            "x": {"columns": ["*"]},
            "income": {"replace": {"<=50K.": "<=50K", ">50K.": ">50K"}},
            "weight": {"columns": ["fnlwgt"]},
        },
        splits={"files": {"test": ["adult-test.csv"]}, "fractions": {"valid": 0.1}, "seed": 1},
    )
    assert found.splits == {"train": 29305, "valid": 3256, "test": 16281}
    income, x = found.schema.fields["income"], found.schema.fields["x"]
    assert income.classes == ["<=50K", ">50K"]
    # 24.1 percent earn more, says the description that comes with the data.
    assert found.array("income")[: 29305 + 3256].mean() == pytest.approx(0.241, abs=0.0005)
    assert x.columns is not None
    assert len(x.columns) == 107
    assert found.array("x").shape == (48842, 107)
    first = dict(zip(x.columns, found.array("x")[0].tolist(), strict=True))
    assert {name for name, value in first.items() if value == 1} == {
        "workclass=State-gov",
        "education=Bachelors",
        "marital=Never-married",
        "occupation=Adm-clerical",
        "relationship=Not-in-family",
        "race=White",
        "sex=Male",
        "country=United-States",
    }
    assert (first["age"], first["gain"]) == (39, 2174)
    assert found.array("weight")[0, 0] == 77516


def test_white_wine_with_its_grades_as_classes(ingestion: Ingestion, test_data: FindData) -> None:
    found = ingestion.add(
        {"wine.csv": test_data("tab_shared") / "winequality-white.csv"},
        header=False,
        fields={"grade": {"columns": ["c12"], "kind": "categorical"}, "x": {"columns": ["*"]}},
    )
    assert found.schema.rows == 4898
    assert found.schema.fields["grade"].classes == ["3", "4", "5", "6", "7", "8", "9"]
    assert found.schema.fields["x"].shape == (11,)


def test_sentence_pairs_some_with_more_columns(ingestion: Ingestion, test_data: FindData) -> None:
    """Tabs, stray quotes, and a source's licence behind the last lines: ragged, and said so."""
    faults = ingestion.refused(
        {"dev.csv": test_data("pair_stsb") / "sts-dev.csv"}, delimiter="\t", quote="", header=False
    )
    assert len(faults) == 22
    detail = faults["/file/dev.csv/line 1479", "ragged"]
    assert detail == "line 1479 has 9 values where 7 columns are named"


def test_airline_sentences(ingestion: Ingestion, test_data: FindData) -> None:
    folder = test_data("seq_atis")
    intents = (folder / "intent.wl").read_text().split()
    # The list goes on with tags that no sentence has.
    tags = (folder / "slots.wl").read_text().split()[:129]
    found = ingestion.add(
        {name: folder / name for name in ("atis.train.ctf", "atis.test.ctf")},
        fields={
            "words": {"columns": ["S0"], "shape": [943]},
            "intent": {"columns": ["S1"], "classes": intents},
            "slots": {"columns": ["S2"], "classes": tags},
        },
        splits={"files": {"test": ["atis.test.ctf"]}},
    )
    assert found.splits == {"train": 4978, "test": 893}
    words, slots = found.schema.fields["words"], found.schema.fields["slots"]
    assert (words.kind, words.sequence, words.count) == ("sparse", True, 66_547 + 10_984)
    assert found.array("words", "offsets")[4978] == 66_547
    assert (slots.kind, slots.sequence, slots.shape) == ("categorical", True, (129,))
    assert slots.histogram is not None
    assert sum(slots.histogram) == 66_547
    assert not found.schema.fields["intent"].sequence
    assert found.texts("intent")[0] == "flight"
    offsets = found.array("slots", "offsets")
    assert slots.classes is not None
    tagged = [slots.classes[code] for code in found.array("slots")[: offsets[1]]]
    assert tagged.count("B-fromloc.city_name") == 1


def idx(path: Path) -> npt.NDArray[np.uint8]:
    """The array of an IDX file of bytes."""
    data = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(data, ">u4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def test_digits(ingestion: Ingestion, test_data: FindData, tmp_path: Path) -> None:
    folder = test_data("mnist10k")
    files = {}
    for split in ("train", "valid"):
        files[f"{split}.npz"] = tmp_path / f"{split}.npz"
        np.savez_compressed(
            files[f"{split}.npz"],
            pixels=idx(folder / f"{split}-images-idx3-ubyte.gz"),
            digit=idx(folder / f"{split}-labels-idx1-ubyte.gz"),
        )
    found = ingestion.add(
        files, fields={"pixels": {"shape": [1, 28, 28]}}, splits={"files": {"valid": ["valid.npz"]}}
    )
    assert found.splits == {"train": 8000, "valid": 2000}
    pixels, digit = found.schema.fields["pixels"], found.schema.fields["digit"]
    assert (pixels.dtype, pixels.shape, pixels.min, pixels.max) == ("uint8", (1, 28, 28), 0, 255)
    assert digit.classes == [str(number) for number in range(10)]
    train = idx(folder / "train-images-idx3-ubyte.gz")
    assert np.array_equal(found.array("pixels")[:8000, 0], train)
    assert pixels.mean == pytest.approx(train.reshape(8000, 784).mean(axis=0).tolist())


@pytest.mark.parametrize(
    ("name", "train", "test", "fields", "share"),
    [
        # The share of labels that are set is the Hamming loss of saying no to all, in the data's README.
        ("emotions", 391, 202, {"features": ["*"], "labels": EMOTIONS}, 0.3292),
        ("yeast", 1500, 917, {"features": ["Att*"], "labels": ["Class*"]}, 0.3037),
    ],
)
def test_several_labels_a_row(
    ingestion: Ingestion,
    test_data: FindData,
    name: str,
    train: int,
    test: int,
    fields: dict[str, list[str]],
    share: float,
) -> None:
    folder = test_data(f"ml_{name}")
    found = ingestion.add(
        {f"{name}-{part}.arff": folder / f"{name}-{part}.arff" for part in ("train", "test")},
        fields={field: {"columns": columns} for field, columns in fields.items()},
        splits={"files": {"test": [f"{name}-test.arff"]}},
    )
    assert found.splits == {"train": train, "test": test}
    marks = found.array("labels")
    assert found.array("features").shape == (train + test, 72 if name == "emotions" else 103)
    assert set(np.unique(marks)) == {0, 1}
    assert marks[train:].mean() == pytest.approx(share, abs=5e-5)
