"""Labels that an XML file declares, gathered from the columns of their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingestion import Ingestion

SONGS = """\
@relation songs
@attribute tempo numeric
@attribute calm {0,1}
@attribute 'very sad' {0,1}
@attribute glad {0,1}
@data
120, 0, 1, 0
90, 1, 0, 1
"""
XML = """\
<?xml version="1.0" encoding="utf-8"?>
<labels xmlns="http://mulan.sourceforge.net/labels">
<label name="glad"><label name="calm"></label></label>
<label name="very sad"></label>
</labels>
"""
LABELS = {"labels": {"columns_from": "songs.xml"}}


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def test_labels_in_the_order_of_the_xml(ingestion: Ingestion) -> None:
    found = ingestion.add({"songs.xml": XML, "s.arff": SONGS}, fields=LABELS)
    labels = found.schema.fields["labels"]
    assert (labels.kind, labels.columns) == ("dense", ["glad", "calm", "very sad"])
    assert found.array("labels").tolist() == [[0, 0, 1], [1, 1, 0]]
    assert found.schema.fields.keys() == {"labels", "tempo"}
    assert (found.schema.name, found.schema.rows) == ("s", 2)
    assert [source.filename for source in found.schema.sources] == ["songs.xml", "s.arff"]
    # What counts is which labels it declares, not what its file is called.
    other = ingestion.add(
        {"s.arff": SONGS, "l.xml": XML.replace("\n", "")}, fields={"labels": {"columns_from": "l.xml"}}
    )
    assert other.schema.id == found.schema.id
    like = ingestion.add({"n.arff": SONGS}, like=found.schema.id)
    assert like.array("labels").tolist() == found.array("labels").tolist()


def test_one_label_is_a_field_of_one_element(ingestion: Ingestion) -> None:
    xml = '<labels><label name="calm"/></labels>'
    found = ingestion.add({"s.arff": SONGS, "songs.xml": xml}, fields=LABELS)
    assert found.schema.fields["labels"].shape == (1,)
    assert found.array("labels").ravel().tolist() == [0, 1]


def test_labels_of_a_csv(ingestion: Ingestion) -> None:
    text = "tempo,calm,glad,very sad\n1,0,1,1\n2,1,1,0\n"
    found = ingestion.add({"s.csv": text, "songs.xml": XML}, fields=LABELS)
    assert found.array("labels").tolist() == [[1, 0, 1], [1, 1, 0]]
    faults = ingestion.refused({"s.csv": text.replace("2,1", "2,2"), "songs.xml": XML}, fields=LABELS)
    assert list(faults) == [("/file/s.csv/row 2/calm", "not_a_label")]
    assert "2 is no label" in faults["/file/s.csv/row 2/calm", "not_a_label"]


def test_labels_that_are_absent(ingestion: Ingestion) -> None:
    xml = XML.replace('"calm"', '"clam"')
    faults = ingestion.refused({"s.arff": SONGS, "songs.xml": xml}, fields=LABELS)
    assert list(faults) == [("/options/fields/labels/columns_from", "unknown_column")]
    detail = faults["/options/fields/labels/columns_from", "unknown_column"]
    assert "'clam'; did you mean 'calm'?" in detail


BOMB = """<?xml version="1.0"?><!DOCTYPE labels [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;">]>
<labels><label name="&b;"/></labels>"""


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        (BOMB, "document type"),
        ("<labels><label name='a'>", "it is no XML"),
        ("", "it is no XML"),
        ("<labels/>", "declares no label"),
        ("<labels><label/></labels>", "a label has no name"),
        ("<labels><label name='a'/><label name='a'/></labels>", "'a' more than once"),
    ],
)
def test_a_file_that_declares_no_labels(ingestion: Ingestion, xml: str, words: str) -> None:
    faults = ingestion.refused({"s.arff": SONGS, "songs.xml": xml}, fields=LABELS)
    assert list(faults) == [("/file/songs.xml", "malformed_labels")]
    assert words in faults["/file/songs.xml", "malformed_labels"]


def test_a_list_that_is_too_long(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.labels.MAX_BYTES", 10)
    faults = ingestion.refused({"s.arff": SONGS, "songs.xml": XML}, fields=LABELS)
    assert list(faults) == [("/file/songs.xml", "malformed_labels")]


def test_files_and_options_that_do_not_fit(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"s.arff": SONGS, "song.xml": XML}, fields=LABELS)
    detail = faults["/options/fields/labels/columns_from", "unknown_file"]
    assert "did you mean 'song.xml'?" in detail
    faults = ingestion.refused({"s.arff": SONGS, "songs.xml": XML})
    assert "columns_from" in faults["/file/songs.xml", "unknown_format"]
    assert ingestion.refused({"songs.xml": XML}, fields=LABELS).keys() == {("/file", "missing")}
    both = {"labels": {"columns_from": "songs.xml", "columns": ["calm"]}}
    faults = ingestion.refused({"s.arff": SONGS, "songs.xml": XML}, fields=both)
    assert list(faults) == [("/options/fields/labels", "conflict")]
