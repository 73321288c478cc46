"""Archives that would do harm, or are none: refused by name, nothing left behind."""

from __future__ import annotations

import gzip
import io
import random
import shutil
import stat
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jobs.errors import InvalidInput, TooLarge, Unavailable
from tests.image_archives import GREEN, RED, encoded, png, tarred, zipped
from tests.ingestion import Ingestion

IMAGE = png(RED)


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


PATHS = [
    ("../up.png", "'..'"),
    ("cat/../../up.png", "'..'"),
    ("/etc/up.png", "absolute"),
    ("C:/up.png", "absolute"),
    ("cat\\..\\up.png", "backslash"),
    ("cat/new\nline.png", "control"),
    ("cat/" + "x" * 1000 + ".png", "1,008 characters"),
    ("a/" * 40 + "1.png", "40 folders deep"),
]


@pytest.mark.parametrize(("path", "words"), PATHS)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_paths_that_lead_out(ingestion: Ingestion, tmp_path: Path, pack: Any, path: str, words: str) -> None:
    faults = ingestion.refused({"evil.dat": pack({"cat/1.png": IMAGE, path: IMAGE})}, format="images")
    ((place, code),) = faults
    assert code == "unsafe_path"
    assert place.startswith("/file/evil.dat/")
    assert words in faults[place, code]
    assert not list(tmp_path.rglob("up.png"))


def test_a_name_that_ends_within(ingestion: Ingestion) -> None:
    """zipfile itself would read the name up to its NUL."""
    data = zipped({"cat/1.png%00.sh": IMAGE}).replace(b"%00", b"\x00ab")
    ((_, code),) = ingestion.refused({"evil.zip": data})
    assert code == "unsafe_path"


def test_bytes_that_are_no_text(ingestion: Ingestion) -> None:
    data = tarred({"cat/1_.png": IMAGE}).replace(b"cat/1_", b"cat/1\xff")
    ((place, code),) = ingestion.refused({"evil.tar": fixed_checksums(data)})
    assert code == "unsafe_path"
    place.encode("utf-8")


def fixed_checksums(data: bytes) -> bytes:
    """The tar with its first header's checksum put right."""
    header = bytearray(data[:512])
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\x00 " % sum(header)
    return bytes(header) + data[512:]


def tar_member(name: str, kind: bytes, **more: Any) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        good = tarfile.TarInfo("cat/1.png")
        good.size = len(IMAGE)
        archive.addfile(good, io.BytesIO(IMAGE))
        member = tarfile.TarInfo(name)
        member.type = kind
        for key, value in more.items():
            setattr(member, key, value)
        archive.addfile(member)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (tarfile.SYMTYPE, "link"),
        (tarfile.LNKTYPE, "link"),
        (tarfile.CHRTYPE, "not_a_file"),
        (tarfile.BLKTYPE, "not_a_file"),
        (tarfile.FIFOTYPE, "not_a_file"),
    ],
)
def test_what_is_no_file_in_a_tar(ingestion: Ingestion, kind: bytes, code: str) -> None:
    data = tar_member("cat/2.png", kind, linkname="/etc/passwd")
    assert set(ingestion.refused({"evil.tar": data})) == {("/file/evil.tar/cat~12.png", code)}


@pytest.mark.parametrize(
    ("kind", "code"), [(stat.S_IFLNK, "link"), (stat.S_IFCHR, "not_a_file"), (stat.S_IFIFO, "not_a_file")]
)
def test_what_is_no_file_in_a_zip(ingestion: Ingestion, kind: int, code: str) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("cat/1.png", IMAGE)
        member = zipfile.ZipInfo("cat/2.png")
        member.external_attr = (kind | 0o644) << 16
        archive.writestr(member, "/etc/passwd")
    faults = ingestion.refused({"evil.zip": stream.getvalue()})
    assert set(faults) == {("/file/evil.zip/cat~12.png", code)}


def test_folders_are_no_files(ingestion: Ingestion) -> None:
    files = {"cat/": "", "cat/1.png": IMAGE, "empty/": ""}
    assert ingestion.add({"pets.zip": zipped(files)}).schema.fields["class"].classes == ["cat"]
    data = tar_member("empty", tarfile.DIRTYPE)
    assert ingestion.add({"pets.tar": data}).schema.rows == 1


def test_names_in_utf_8_that_do_not_say_so(ingestion: Ingestion) -> None:
    """As macOS packs them: zipfile would read them by the code page of the first PCs."""
    data = bytearray(zipped({"train/bär/1.png": IMAGE}))
    for record, place in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        assert data[data.index(record) + place] == 8
        data[data.index(record) + place] = 0
    assert ingestion.add({"pets.zip": bytes(data)}).schema.fields["class"].classes == ["bär"]
    old = bytes(data).replace("ä".encode(), b"\x84 ")
    assert ingestion.add({"pets.zip": old}).schema.fields["class"].classes == ["bä r"]


def test_an_encrypted_file(ingestion: Ingestion) -> None:
    data = bytearray(zipped({"cat/1.png": IMAGE}))
    for record, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(record) + place] |= 1
    faults = ingestion.refused({"evil.zip": bytes(data)})
    assert "without a password" in faults["/file/evil.zip/cat~11.png", "encrypted"]


def test_another_method_of_packing(ingestion: Ingestion) -> None:
    data = zipped({"cat/1.png": IMAGE}, zipfile.ZIP_LZMA)
    assert ("/file/evil.zip/cat~11.png", "damaged") in ingestion.refused({"evil.zip": data})


@pytest.mark.parametrize("second", ["cat/1.png", "./cat//1.png"])
def test_names_that_are_there_twice(ingestion: Ingestion, second: str) -> None:
    files = tarred({"cat/1.png": IMAGE, second + "x": IMAGE}).replace(
        f"{second}x".encode(), f"{second}\0".encode()
    )
    faults = ingestion.refused({"evil.tar": _rechecked(files)})
    assert ("/file/evil.tar/cat~11.png", "duplicate") in faults
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("cat/1.png", IMAGE)
        if second == "cat/1.png":
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr(second, IMAGE)
        else:
            archive.writestr(second, IMAGE)
    faults = ingestion.refused({"evil.zip": stream.getvalue()})
    assert ("/file/evil.zip/cat~11.png", "duplicate") in faults


def test_a_file_within_a_file(ingestion: Ingestion) -> None:
    files = {"cat/1.png": IMAGE, "cat/1.png/2.png": IMAGE}
    for pack in (zipped, tarred):
        faults = ingestion.refused({"evil": pack(files)}, format="images")
        assert "a file and a folder at once" in faults["/file/evil/cat~11.png~12.png", "duplicate"]


def small(tmp_path: Path, limit: int = 1 << 20) -> Ingestion:
    folder = tmp_path / "small"
    folder.mkdir()
    return Ingestion(folder, max_upload_bytes=limit)


ZEROS = bytes(4 << 20)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bomb.zip", zipped({"cat/1.png": IMAGE, "cat/2.png": ZEROS}, zipfile.ZIP_DEFLATED)),
        ("bomb.tar.gz", tarred({"cat/1.png": IMAGE, "cat/2.png": ZEROS}, "w:gz")),
        ("bomb.tgz", gzip.compress(ZEROS)),
    ],
)
def test_a_small_archive_of_many_bytes(tmp_path: Path, name: str, data: bytes) -> None:
    assert len(data) < 1 << 15
    faults = small(tmp_path).refused({name: data}, TooLarge)
    assert "where 1,048,576 are allowed" in faults[f"/file/{name}", "too_large"].replace(
        "more than 1,048,576 bytes", "where 1,048,576 are allowed"
    )


def test_a_zip_that_declares_too_little(tmp_path: Path) -> None:
    """What is read is never more than declared: the file is cut short, and a bad image."""
    data = zipped({"cat/1.png": IMAGE, "cat/2.png": ZEROS}, zipfile.ZIP_DEFLATED)
    data = data.replace(struct.pack("<L", len(ZEROS)), struct.pack("<L", 100))
    found = small(tmp_path).add({"bomb.zip": data})
    images = found.schema.fields["image"].images
    assert images is not None
    assert [(bad.path, bad.code) for bad in images.bad] == [("cat/2.png", "damaged")]


def test_files_that_lie_over_each_other(tmp_path: Path) -> None:
    """Many entries of the directory for one block of bytes: what they declare together counts."""
    files = {f"cat/{number}.png": bytes(1 << 18) for number in range(8)}
    data = zipped(files, zipfile.ZIP_DEFLATED)
    first = data.index(b"PK\x01\x02")
    directory = bytearray(data[first:])
    for start in [place for place in range(len(directory)) if directory[place : place + 4] == b"PK\x01\x02"]:
        directory[start + 42 : start + 46] = bytes(4)
    assert ("/file/quine.zip", "too_large") in small(tmp_path).refused(
        {"quine.zip": data[:first] + bytes(directory)}, TooLarge
    )


def test_too_many_files(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.images.archives.MAX_MEMBERS", 2)
    files = {f"cat/{number}.png": IMAGE for number in range(3)}
    for pack in (zipped, tarred):
        faults = ingestion.refused({"many": pack(files)}, TooLarge, format="images")
        assert "more than 2 files" in faults["/file/many", "too_large"]
    monkeypatch.setattr("ingest.images.archives.MAX_MEMBERS", 3)
    assert ingestion.add({"many.zip": zipped(files)}).schema.rows == 3


def test_a_directory_that_would_fill_the_memory(
    ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.images.archives.MAX_DIRECTORY_BYTES", 100)
    files = {f"cat/{number}.png": IMAGE for number in range(3)}
    assert ("/file/long.zip", "too_large") in ingestion.refused({"long.zip": zipped(files)}, TooLarge)


def test_a_header_that_would_fill_the_memory(ingestion: Ingestion) -> None:
    """tarfile reads the records of a PAX header whole, however long they say they are."""
    member = tarfile.TarInfo("long")
    member.type = tarfile.XHDTYPE
    member.size = 64 << 20
    data = gzip.compress(member.tobuf() + bytes(member.size) + tarred({"cat/1.png": IMAGE}))
    faults = ingestion.refused({"long.tar.gz": data})
    assert "a header of" in faults["/file/long.tar.gz", "damaged"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.zip", b""),
        ("text.zip", b"no archive at all\n" * 100),
        ("cut.zip", zipped({"cat/1.png": IMAGE})[:-30]),
        ("cut.tar.gz", tarred({"cat/1.png": IMAGE}, "w:gz")[:-30]),
        ("text.tar", b"no archive at all\n" * 100),
        ("cut.tar", tarred({"cat/1.png": IMAGE})[:300]),
        ("zeros.tar", bytes(10)),
    ],
)
def test_what_is_no_archive(ingestion: Ingestion, name: str, data: bytes) -> None:
    faults = ingestion.refused({name: data})
    assert "zip, tar or tar.gz" in faults[f"/file/{name}", "damaged"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("none.zip", zipped({})),
        ("none.tar", tarred({})),
        ("none.zip", zipped({"readme.md": "x", "a.npy": "y"})),
    ],
)
def test_archives_without_images(ingestion: Ingestion, name: str, data: bytes) -> None:
    assert "holds no image" in ingestion.refused({name: data})[f"/file/{name}", "empty"]


def test_a_file_that_is_cut_off(ingestion: Ingestion) -> None:
    """Its bytes and checksum are whole, and fewer than the directory says."""
    data = bytearray(zipped({"cat/1.png": IMAGE, "cat/2.png": png(GREEN)}, zipfile.ZIP_DEFLATED))
    struct.pack_into("<L", data, data.rindex(b"PK\x01\x02") + 24, 10_000)
    found = ingestion.add({"cut.zip": bytes(data)})
    images = found.schema.fields["image"].images
    assert images is not None
    assert [(bad.path, bad.detail) for bad in images.bad] == [
        ("cat/2.png", "is cut off: the archive ends within it")
    ]


def test_a_damaged_file_of_a_zip(ingestion: Ingestion) -> None:
    data = bytearray(zipped({"cat/1.png": IMAGE, "cat/2.png": png(GREEN)}, zipfile.ZIP_DEFLATED))
    data[data.index(b"cat/2.png") + 30] ^= 0xFF
    found = ingestion.add({"bad.zip": bytes(data)})
    images = found.schema.fields["image"].images
    assert images is not None
    assert [(bad.path, bad.code) for bad in images.bad] == [("cat/2.png", "damaged")]


def test_pixels_that_find_no_room(ingestion: Ingestion) -> None:
    files = {f"{number}.png": IMAGE for number in range(5000)}
    files_before = set(ingestion.volume.path.rglob("*"))
    with pytest.raises(Unavailable, match="volume has"):
        ingestion.add({"wide.zip": zipped(files)}, images={"size": 8192})
    left = {path for path in ingestion.volume.path.rglob("*") if path not in files_before}
    assert left <= {ingestion.volume.incoming}


def _rechecked(data: bytes) -> bytes:
    """The tar with the checksum of its second header put right."""
    second = 512 + -(-len(IMAGE) // 512) * 512
    return data[:second] + fixed_checksums(data[second:])


@pytest.mark.parametrize("seed", range(4))
def test_damage_is_never_more_than_a_fault(tmp_path: Path, seed: int) -> None:
    """Bytes changed, lost and put in at random: some images are left out, or the upload is refused."""
    chance = random.Random(seed)
    noise = Image.effect_noise((24, 20), 60).convert("RGB")
    kinds = ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM")
    files = {f"train/cat/{kind.lower()}.{kind.lower()}": encoded(noise, kind) for kind in kinds}
    deflated = zipped(files, zipfile.ZIP_DEFLATED)
    packed = [zipped(files), deflated, tarred(files), tarred(files, "w:gz")][seed]
    ingestion = small(tmp_path)
    whole = {"a.zip": packed}
    assert ingestion.add(whole, format="images", images={"size": 8}).schema.rows == len(kinds)
    outcomes = set()
    for _ in range(25):
        data = bytearray(packed)
        for _ in range(chance.choice([1, 4, 20])):
            at = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randrange(1, 20)]
                case _:
                    data[at:at] = chance.randbytes(8)
        try:
            found = ingestion.add({"a.zip": bytes(data)}, format="images", images={"size": 8})
        except InvalidInput:
            outcomes.add("refused")
        else:
            images = found.schema.fields["image"].images
            assert images is not None
            assert found.schema.rows + images.bad_count >= 1
            outcomes.add("bad" if images.bad_count else "whole")
        shutil.rmtree(ingestion.volume.datasets, ignore_errors=True)
    assert "refused" in outcomes or "bad" in outcomes
