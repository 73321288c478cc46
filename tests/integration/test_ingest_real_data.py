"""Real data sets, each with its own habits, as their owners publish them."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from ingest.field_options import HashOptions
from ingest.hashing import place_of
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


SENTENCES: dict[str, Any] = {
    "delimiter": "\t",
    "quote": "",
    "columns": ["genre", "source", "year", "id", "score", "one", "two"],
    "surplus": "drop",
    "exclude": ["genre", "source", "year", "id"],
    "fields": {"one": {"tokens": {"min_count": 2}}, "two": {"tokens": {"vocabulary_of": "one"}}},
}


def test_sentence_pairs_as_tokens_of_one_vocabulary(ingestion: Ingestion, test_data: FindData) -> None:
    folder = test_data("pair_stsb")
    files = {f"sts-{part}.csv": folder / f"sts-{part}.csv" for part in ("train", "dev", "test")}
    splits = {"files": {"valid": ["sts-dev.csv"], "test": ["sts-test.csv"]}}
    found = ingestion.add(dict(files), **SENTENCES, splits=splits)
    assert found.splits == {"train": 5749, "valid": 1500, "test": 1379}
    one, two, score = (found.schema.fields[name] for name in ("one", "two", "score"))
    assert one.classes == two.classes
    assert one.classes is not None
    assert one.classes[:4] == ["<unk>", ".", "a", "the"]
    assert (score.min, score.max) == (0, 5)

    # The same by hand, with another tokenizer of the same meaning and plain counting.
    rows = [
        line.rstrip("\n").split("\t")[:7]
        for path in files.values()
        for line in path.read_text(encoding="utf-8").split("\n")[:-1]
    ]
    texts = [[re.findall(r"\w+|[^\w\s]", row[column].lower()) for row in rows] for column in (5, 6)]
    counts = Counter(token for column in texts for tokens in column[:5749] for token in tokens)
    known = {token for token, count in counts.items() if count > 1}
    assert set(one.classes) == known | {"<unk>"}
    for name, column in zip(("one", "two"), texts, strict=True):
        expected = [token if token in known else "<unk>" for tokens in column for token in tokens]
        assert found.texts(name) == expected
        assert np.diff(found.array(name, "offsets")).tolist() == [len(tokens) for tokens in column]
    assert one.tokens is not None
    unseen = [token not in known for tokens in texts[0][-1379:] for token in tokens]
    assert one.tokens.unknown_tokens["test"].model_dump() == {"count": sum(unseen), "share": np.mean(unseen)}

    # Evaluated on by itself, the test file is what it was among the others.
    alone = ingestion.add({"sts-test.csv": files["sts-test.csv"]}, like=found.schema.id)
    assert alone.splits == {"test": 1379}
    for name in ("one", "two"):
        start = found.array(name, "offsets")[-1380]
        assert np.array_equal(alone.array(name), found.array(name)[start:])
    assert np.array_equal(alone.array("score"), found.array("score")[-1379:])


def test_airline_sentences_as_text(ingestion: Ingestion, test_data: FindData) -> None:
    """The same sentences as lines of words and of tags: the same sequences as from CNTK's text format."""
    folder = test_data("seq_atis")
    names = {
        "words": (folder / "query.wl").read_text().split(),
        "tags": (folder / "slots.wl").read_text().split()[:129],
    }
    coded = ingestion.add(
        {name: folder / name for name in ("atis.train.ctf", "atis.test.ctf")},
        fields={
            "words": {"columns": ["S0"], "classes": names["words"]},
            "tags": {"columns": ["S2"], "classes": names["tags"]},
        },
        exclude=["S1"],
        splits={"files": {"test": ["atis.test.ctf"]}},
    )
    offsets = coded.array("words", "offsets")
    sequences = {field: np.split(np.array(coded.texts(field)), offsets[1:-1]) for field in names}
    pairs = zip(sequences["words"], sequences["tags"], strict=True)
    lines = [" ".join(words) + "\t" + " ".join(tags) + "\n" for words, tags in pairs]
    as_written = {"pattern": r"\S+", "lowercase": False, "unknown": None}
    found = ingestion.add(
        {"train.tsv": "".join(lines[:4978]), "test.tsv": "".join(lines[4978:])},
        columns=["words", "tags"],
        quote="",
        fields={
            "words": {"tokens": {"pattern": r"\S+"}},
            "tags": {"tokens": as_written, "classes": names["tags"]},
        },
        splits={"files": {"test": ["test.tsv"]}},
    )
    words, tags = found.schema.fields["words"], found.schema.fields["tags"]
    assert words.axis == tags.axis == "tags"
    assert words.max_length == coded.schema.fields["words"].max_length
    assert np.array_equal(found.array("words", "offsets"), offsets)
    assert np.array_equal(found.array("tags"), coded.array("tags"))
    assert tags.histogram == coded.schema.fields["tags"].histogram
    assert found.texts("words")[:66_547] == [text.lower() for text in coded.texts("words")[:66_547]]


def test_adult_hashed_and_standardized(ingestion: Ingestion, test_data: FindData) -> None:
    folder = test_data("tab_shared")
    found = ingestion.add(
        {name: folder / name for name in ("adult-train.csv", "adult-test.csv")},
        columns=ADULT,
        fields={
            "numbers": {"columns": ["age", "education_num", "gain", "loss", "hours"], "standardize": True},
            "categories": {"columns": ["*"], "encode": {"hash": 512}, "kind": "sparse"},
            "income": {"replace": {"<=50K.": "<=50K", ">50K.": ">50K"}},
        },
        exclude=["fnlwgt"],
        splits={"files": {"test": ["adult-test.csv"]}},
    )
    numbers, categories = found.schema.fields["numbers"], found.schema.fields["categories"]
    train = found.array("numbers")[:32_561].astype(np.float64)
    assert train.mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-6)
    assert train.std(axis=0) == pytest.approx(np.ones(5), rel=1e-6)
    assert numbers.standardized is not None
    assert numbers.standardized.mean[0] == pytest.approx(38.58, abs=0.01)
    assert (categories.kind, categories.shape) == ("sparse", (512,))
    texts = ["State-gov", "Bachelors", "Never-married", "Adm-clerical", "Not-in-family", "White", "Male"]
    columns = ["workclass", "education", "marital", "occupation", "relationship", "race", "sex", "country"]
    pairs = zip(columns, [*texts, "United-States"], strict=True)
    expected = Counter(place_of(column, text, HashOptions(hash=512)) for column, text in pairs)
    assert found.pairs("categories")[0] == sorted(expected.items())
    assert found.array("categories").sum() == 8 * 48_842


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


@pytest.mark.parametrize(("name", "rows", "labels"), [("emotions", 593, 6), ("yeast", 2417, 14)])
def test_labels_by_their_xml(
    ingestion: Ingestion, test_data: FindData, name: str, rows: int, labels: int
) -> None:
    folder = test_data(f"ml_{name}")
    files = {path: folder / path for path in (f"{name}-train.arff", f"{name}.xml", f"{name}-test.arff")}
    found = ingestion.add(
        files,
        fields={"features": {"columns": ["*"]}, "labels": {"columns_from": f"{name}.xml"}},
        splits={"files": {"test": [f"{name}-test.arff"]}},
    )
    declared = found.schema.fields["labels"].columns
    assert declared is not None
    assert declared == re.findall('label name="(.*?)"', (folder / f"{name}.xml").read_text())
    assert set(declared) == (set(EMOTIONS) if name == "emotions" else {f"Class{n}" for n in range(1, 15)})
    assert found.array("labels").shape == (rows, labels)
    assert set(np.unique(found.array("labels"))) == {0, 1}
    xml = (folder / f"{name}.xml").read_text().replace(f'"{declared[2]}"', '"no such label"')
    faults = ingestion.refused(
        {**files, f"{name}.xml": xml}, fields={"labels": {"columns_from": f"{name}.xml"}}
    )
    [detail] = faults.values()
    assert "'no such label'" in detail


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


@pytest.mark.parametrize(("pack", "fit"), [("zip", "resize"), ("gztar", "crop")])
def test_ants_and_bees(
    ingestion: Ingestion, test_data: FindData, tmp_path: Path, pack: str, fit: Literal["resize", "crop"]
) -> None:
    folder = test_data("tl_hymenoptera")
    archive = Path(shutil.make_archive(str(tmp_path / "hymenoptera"), pack, folder))
    found = ingestion.add({archive.name: archive}, images={"size": 224, "fit": fit})
    assert found.splits == {"train": 244, "valid": 153}
    assert found.schema.fields["class"].classes == ["ants", "bees"]
    assert found.schema.fields["class"].histogram == [123, 121]
    images = found.schema.fields["image"].images
    assert images is not None
    assert images.bad_count == 0
    names = [json.loads(line) for line in (found.folder / images.names).read_text().splitlines()]
    # Against Pillow itself, without a JPEG's short cut to a smaller size.
    for row in (0, 200, 396):
        with Image.open(folder / names[row]) as image:
            whole = image.convert("RGB")
        if fit == "resize":
            expected = whole.resize((224, 224), Image.Resampling.BILINEAR)
        else:
            expected = ImageOps.fit(whole, (224, 224), Image.Resampling.BILINEAR)
        pixels = np.moveaxis(found.array("image")[row], 0, 2).astype(int)
        assert np.abs(pixels - np.asarray(expected)).mean() < 2
        assert found.texts("class")[row] == names[row].split("/")[1]
