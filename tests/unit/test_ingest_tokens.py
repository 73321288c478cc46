"""Text to tokens: what a token is, which make the vocabulary, what is said of the rest."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as drawing
from hypothesis import strategies as st

from tests.ingestion import Ingested, Ingestion

TEXTS = """\
text,part
The cat sat.,train
the dog sat,train
A cat!,train
the bird sat on the cat,test
"""
BY_PART: dict[str, Any] = {"splits": {"column": "part"}}


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def sentences(found: Ingested, field: str) -> list[list[str]]:
    """The tokens of each row."""
    texts, offsets = found.texts(field), found.array(field, "offsets")
    return [texts[offsets[row] : offsets[row + 1]] for row in range(len(offsets) - 1)]


def test_words_and_marks_by_how_often_they_are_trained_on(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": TEXTS}, fields={"text": {"tokens": True}}, **BY_PART)
    text = found.schema.fields["text"]
    assert (text.kind, text.dtype, text.sequence, text.axis) == ("categorical", "int32", True, "text")
    assert text.classes == ["<unk>", "cat", "sat", "the", "!", ".", "a", "dog"]
    assert text.histogram == [0, 2, 2, 2, 1, 1, 1, 1]
    assert (text.shape, text.count, text.max_length) == ((8,), 16, 6)
    assert sentences(found, "text") == [
        ["the", "cat", "sat", "."],
        ["the", "dog", "sat"],
        ["a", "cat", "!"],
        ["the", "<unk>", "sat", "<unk>", "the", "cat"],
    ]
    assert text.tokens is not None
    assert text.tokens.model_dump() == {
        "pattern": r"\w+|[^\w\s]",
        "lowercase": True,
        "unknown": "<unk>",
        "empty": "error",
        "max_length": None,
        "vocabulary_of": None,
        "found": 7,
        "unknown_tokens": {"train": {"count": 0, "share": 0}, "test": {"count": 2, "share": 2 / 6}},
        "cut_rows": {"train": 0, "test": 0},
    }


@pytest.mark.parametrize(
    ("tokens", "classes", "first"),
    [
        ({"min_count": 2}, ["<unk>", "cat", "sat", "the"], ["the", "cat", "sat", "<unk>"]),
        ({"max_vocabulary": 2}, ["<unk>", "cat"], ["<unk>", "cat", "<unk>", "<unk>"]),
        ({"max_vocabulary": 1, "unknown": "?"}, ["?"], ["?"] * 4),
        ({"lowercase": False, "min_count": 2}, ["<unk>", "cat", "sat"], ["<unk>", "cat", "sat", "<unk>"]),
        ({"pattern": r"\S+", "min_count": 2}, ["<unk>", "the"], ["the", "<unk>", "<unk>"]),
        ({"pattern": "[a-z]*", "min_count": 2}, ["<unk>", "cat", "sat", "the"], ["the", "cat", "sat"]),
        ({"max_length": 2, "min_count": 2}, ["<unk>", "cat", "the"], ["the", "cat"]),
        ({"unknown": "the", "min_count": 2}, ["the", "cat", "sat"], ["the", "cat", "sat", "the"]),
    ],
)
def test_options(ingestion: Ingestion, tokens: dict[str, Any], classes: list[str], first: list[str]) -> None:
    found = ingestion.add({"t.csv": TEXTS}, fields={"text": {"tokens": tokens}}, **BY_PART)
    assert found.schema.fields["text"].classes == classes
    assert sentences(found, "text")[0] == first


def test_longer_rows_are_cut_and_counted(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": TEXTS}, fields={"text": {"tokens": {"max_length": 3}}}, **BY_PART)
    tokens = found.schema.fields["text"].tokens
    assert tokens is not None
    assert tokens.cut_rows == {"train": 1, "test": 1}
    assert found.schema.fields["text"].max_length == 3


def test_unknown_words_where_there_is_no_class_for_them(ingestion: Ingestion) -> None:
    fields = {"text": {"tokens": {"unknown": None}}}
    faults = ingestion.refused({"t.csv": TEXTS}, fields=fields, **BY_PART)
    # Both faults of the row have its pointer; the last one is here.
    detail = faults["/file/t.csv/row 4/text", "unknown_token"]
    assert "row 4, column 'text': 'on' is not in the vocabulary" in detail
    assert "/options/fields/text/tokens/unknown" in detail
    found = ingestion.add({"t.csv": TEXTS}, fields=fields, exclude=["part"])
    assert found.schema.fields["text"].classes == ["the", "cat", "sat", "!", ".", "a", "bird", "dog", "on"]
    tokens = found.schema.fields["text"].tokens
    assert tokens is not None
    assert tokens.unknown_tokens == {}


def test_the_file_and_row_of_an_unknown_token(ingestion: Ingestion) -> None:
    files = {"a.csv": "t\nx y\ny\n", "b.csv": "t\ny\ny x\ny z\n"}
    fields = {"t": {"tokens": {"unknown": None}, "classes": ["x", "y"]}}
    faults = ingestion.refused(files, fields=fields)
    assert list(faults) == [("/file/b.csv/row 3/t", "unknown_token")]
    assert "'z'" in faults["/file/b.csv/row 3/t", "unknown_token"]


def test_a_given_vocabulary_keeps_its_order(ingestion: Ingestion) -> None:
    fields = {"text": {"tokens": True, "classes": ["the", "<unk>", "cat", "zebra"]}}
    found = ingestion.add({"t.csv": TEXTS}, fields=fields, **BY_PART)
    text = found.schema.fields["text"]
    assert text.classes == ["the", "<unk>", "cat", "zebra"]
    assert text.histogram == [2, 6, 2, 0]
    assert text.tokens is not None
    assert (text.tokens.found, text.tokens.unknown_tokens["test"].count) == (7, 3)


PAIRS = "q,a,part\nwho is it,it is me,train\nwho,you,train\nme,us,test\n"


def test_two_fields_with_one_vocabulary(ingestion: Ingestion) -> None:
    fields = {"a": {"tokens": {"vocabulary_of": "q", "max_length": 2}}, "q": {"tokens": {"unknown": "-"}}}
    found = ingestion.add({"p.csv": PAIRS}, fields=fields, **BY_PART)
    question, answer = found.schema.fields["q"], found.schema.fields["a"]
    assert question.classes == answer.classes == ["-", "is", "it", "who", "you"]
    assert (question.histogram, answer.histogram) == ([0, 1, 1, 2, 0], [0, 1, 1, 0, 1])
    assert (question.axis, answer.axis) == ("q", "a")
    assert sentences(found, "q") == [["who", "is", "it"], ["who"], ["-"]]
    assert sentences(found, "a") == [["it", "is"], ["you"], ["-"]]
    assert answer.tokens is not None
    assert answer.tokens.vocabulary_of == "q"
    assert (answer.tokens.unknown, answer.tokens.found) == ("-", 4)
    like = ingestion.add({"n.csv": "q,a\nit,who\n"}, like=found.schema.id).schema.fields["a"]
    assert (like.classes, like.tokens and like.tokens.vocabulary_of) == (answer.classes, "q")


def test_tags_beside_words(ingestion: Ingestion) -> None:
    """One tag a token: equally long rows, so one axis; a tag too many shows in another."""
    text = "words,tags,part\nfly to Rome,O O B-city,train\nto Oslo,O B-city,test\n"
    fields = {
        "words": {"tokens": {"pattern": r"\S+"}},
        "tags": {"tokens": {"pattern": r"\S+", "lowercase": False, "unknown": None}},
    }
    found = ingestion.add({"t.csv": text}, fields=fields, **BY_PART)
    assert found.schema.fields["tags"].classes == ["O", "B-city"]
    assert sentences(found, "tags") == [["O", "O", "B-city"], ["O", "B-city"]]
    assert found.schema.fields["words"].axis == found.schema.fields["tags"].axis == "tags"
    other = ingestion.add({"t.csv": text.replace("O B-city,test", "B-city,test")}, fields=fields, **BY_PART)
    assert other.schema.fields["words"].axis == "words"


def test_a_text_without_a_token(ingestion: Ingestion) -> None:
    text = "t,u\n-,a\nb,\n"
    fields: dict[str, Any] = {name: {"tokens": {"pattern": r"\w+"}} for name in "tu"}
    faults = ingestion.refused({"t.csv": text}, fields=fields)
    assert faults.keys() == {
        ("/file/t.csv/row 1/t", "empty_sequence"),
        ("/file/t.csv/row 2/u", "empty_sequence"),
    }
    assert "row 1 (line 2), column 't': there is no token" in faults["/file/t.csv/row 1/t", "empty_sequence"]
    fields["t"]["tokens"]["empty"] = "unknown"
    fields["u"]["replace"] = {"": "nothing"}
    found = ingestion.add({"t.csv": text}, fields=fields)
    assert sentences(found, "t") == [["<unk>"], ["b"]]
    assert sentences(found, "u") == [["a"], ["nothing"]]
    tokens = found.schema.fields["t"].tokens
    assert tokens is not None
    assert (tokens.found, tokens.unknown_tokens["train"].count) == (1, 1)


def test_texts_of_arff(ingestion: Ingestion) -> None:
    text = "@relation r\n@attribute t string\n@attribute c {u, v}\n@data\n'so, it is', u\n\"is it\", v\n"
    found = ingestion.add({"t.arff": text}, fields={"t": {"tokens": {"unknown": None}}})
    assert sentences(found, "t") == [["so", ",", "it", "is"], ["is", "it"]]
    assert found.schema.fields["c"].axis is None


def test_numbers_in_a_column_of_text_are_tokens_too(ingestion: Ingestion) -> None:
    found = ingestion.add({"t.csv": "t\n12\n7\n"}, fields={"t": {"tokens": {"unknown": None}}})
    assert sentences(found, "t") == [["12"], ["7"]]


def test_a_pattern_that_takes_for_ever(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.tokens.MATCHING_SECONDS", 0.05)
    text = "t\n" + "a" * 60 + "!\n" + "a" * 60 + "!\n"
    faults = ingestion.refused({"t.csv": text}, fields={"t": {"tokens": {"pattern": "(?:a|a|aa)+$"}}})
    assert list(faults) == [("/file/t.csv/row 1/t", "slow_pattern")]


def test_too_many_different_tokens(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.tokens.MAX_TOKENS", 3)
    faults = ingestion.refused({"t.csv": TEXTS}, fields={"text": {"tokens": True}})
    assert list(faults) == [("/file/t.csv/row 1/text", "too_many_classes")]


@pytest.mark.parametrize(
    ("field", "place", "code", "words"),
    [
        ({"tokens": {"patern": "x"}}, "/tokens/patern", "unknown_option", "did you mean 'pattern'?"),
        ({"tokens": {"pattern": "("}}, "/tokens/pattern", "pattern", "no regular expression"),
        ({"tokens": {"pattern": "(a)"}}, "/tokens/pattern", "pattern", "(?:...)"),
        ({"tokens": {"pattern": "a{9999999}"}}, "/tokens/pattern", "pattern", "more than 1,000 times"),
        ({"tokens": {"pattern": "(?:a{,50}b){50}"}}, "/tokens/pattern", "pattern", "more than 1,000 times"),
        ({"tokens": {"pattern": "a(?R)?b"}}, "/tokens/pattern", "pattern", "calls itself"),
        ({"tokens": {"pattern": "(?:abc){e<=1}"}}, "/tokens/pattern", "pattern", "nearly"),
        ({"tokens": {"max_vocabulary": 0}}, "/tokens/max_vocabulary", "greater-than-equal", "got 0"),
        ({"tokens": {"max_vocabulary": 200_000}}, "/tokens/max_vocabulary", "less-than-equal", "200000"),
        ({"tokens": {"unknown": ""}}, "/tokens/unknown", "string-too-short", "''"),
        ({"tokens": False}, "/tokens", "model-type", "False"),
        ({"tokens": {"empty": "unknown", "unknown": None}}, "/tokens", "conflict", "no unknown"),
        ({"tokens": {"vocabulary_of": "u", "unknown": "x"}}, "/tokens", "conflict", "'unknown'"),
        ({"tokens": {"vocabulary_of": "u"}, "classes": ["a"]}, "", "conflict", "other field"),
        ({"tokens": True, "classes": ["a"]}, "", "conflict", "unknown word"),
        ({"tokens": True, "kind": "dense"}, "", "conflict", "categorical"),
        ({"tokens": True, "missing": 0}, "", "conflict", "missing"),
        ({"tokens": True, "encode": "one_hot"}, "", "conflict", "encoded"),
        ({"tokens": {"vocabulary_of": "x"}}, "/tokens/vocabulary_of", "vocabulary", "'x' has no vocabulary"),
        ({"tokens": {"vocabulary_of": "part"}}, "/tokens/vocabulary_of", "vocabulary", "no field of tokens"),
        ({"tokens": {"vocabulary_of": "zz"}}, "/tokens/vocabulary_of", "vocabulary", "no field of tokens"),
        ({"tokens": True, "columns": ["*"]}, "/tokens", "gathered", "one column"),
    ],
)
def test_what_is_refused(
    ingestion: Ingestion, field: dict[str, Any], place: str, code: str, words: str
) -> None:
    field = {"columns": ["text"], **field}
    faults = ingestion.refused({"t.csv": TEXTS}, fields={"x": field})
    assert list(faults) == [("/options/fields/x" + place, code)]
    assert words in faults["/options/fields/x" + place, code]


def test_a_shared_vocabulary_without_a_word_for_unknown_ones(ingestion: Ingestion) -> None:
    fields = {"q": {"tokens": {"unknown": None}}, "a": {"tokens": {"vocabulary_of": "q", "empty": "unknown"}}}
    faults = ingestion.refused({"p.csv": PAIRS}, fields=fields)
    assert list(faults) == [("/options/fields/a/tokens/empty", "conflict")]


def test_tokens_are_for_tables(ingestion: Ingestion) -> None:
    for field in ({"tokens": True}, {"encode": {"hash": 4}}):
        faults = ingestion.refused({"s.ctf": "|x 1\n"}, fields={"x": field})
        assert list(faults) == [(f"/options/fields/x/{next(iter(field))}", "not_for_format")]


words = st.lists(st.sampled_from(["a", "b", "c", "dd", "E"]), min_size=1, max_size=6)


@given(
    rows=st.lists(words, min_size=1, max_size=20),
    valid=st.sets(st.integers(1, 19), max_size=8),
    min_count=st.integers(1, 3),
    most=st.integers(1, 6),
    block=st.integers(1, 4),
)
@drawing(max_examples=60, deadline=None)
def test_against_counting_by_hand(
    rows: list[list[str]], valid: set[int], min_count: int, most: int, block: int
) -> None:
    lines = [f"{' '.join(row)},{'valid' if n in valid else 'train'}\n" for n, row in enumerate(rows)]
    tokens = {"lowercase": False, "min_count": min_count, "max_vocabulary": most}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.cells.ROWS_AT_ONCE", block)
        patch.setattr("ingest.arrays.BLOCK_BYTES", 12)
        patch.setattr("ingest.statistics.ROWS_AT_ONCE", 2)
        found = Ingestion(Path(folder)).add(
            {"t.csv": "t,part\n" + "".join(lines)}, fields={"t": {"tokens": tokens}}, **BY_PART
        )
    trained = Counter(word for n, row in enumerate(rows) if n not in valid for word in row)
    kept = [
        word
        for word in sorted(trained, key=lambda word: (-trained[word], word))
        if trained[word] >= min_count
    ]
    kept = kept[: most - 1]
    field = found.schema.fields["t"]
    assert field.classes == ["<unk>", *kept]
    assert field.histogram == [
        sum(trained.values()) - sum(trained[w] for w in kept),
        *(trained[w] for w in kept),
    ]
    assert field.tokens is not None
    assert field.tokens.found == len(trained)
    assert field.tokens.unknown_tokens["train"].count == field.histogram[0]
