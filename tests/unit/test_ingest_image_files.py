"""Single images: upright, in their colours, brought to a size; and those that cannot be."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ingest.images.decode import BORDER, MAX_PIXELS, BadImage, decode, upright_size
from ingest.images.geometry import Placement, placed
from jobs.dataset import ImagesSchema
from tests.image_archives import BLUE, GREEN, RED, encoded, picture, png, zipped
from tests.ingestion import Ingested, Ingestion

KINDS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


def corners(height: int = 30, width: int = 20) -> Image.Image:
    """Red where an upright image begins, green at its upper right, blue below, white in the last corner."""
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    pixels[:top, :left], pixels[:top, left:] = RED, GREEN
    pixels[top:, :left], pixels[top:, left:] = BLUE, 255
    return Image.fromarray(pixels)


def forged_png(width: int, height: int) -> bytes:
    """A whole PNG of a few bytes whose header declares this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    header = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def schema_of(found: Ingested) -> ImagesSchema:
    images = found.schema.fields["image"].images
    assert images is not None
    return images


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_upright(kind: str, orientation: int) -> None:
    """As turned by EXIF where the format has it: the stored image is the upright one turned back."""
    back = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]
    upright, stored, more = corners(), corners(), {}
    if kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        for method in back:
            stored = stored.transpose(method)
        exif = Image.Exif()
        exif[0x0112] = orientation
        more["exif"] = exif
    data = encoded(stored, kind, **more, **({"quality": 100} if kind in ("JPEG", "WEBP") else {}))
    assert upright_size(data) == (30, 20)
    found = decode(data, (30, 20), "resize", "rgb")
    assert found.original == (30, 20)
    planes = np.moveaxis(np.asarray(upright), 2, 0).astype(int)
    # At the borders of colours JPEG and WebP are blurred.
    assert np.abs(found.pixels - planes)[:, [[7], [22]], [5, 15]].max() < 5
    assert found.pixels.flags["C_CONTIGUOUS"]


CMYK_RED = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
PALETTE = Image.new("P", (8, 8), 1)
PALETTE.putpalette([0, 0, 0, *RED])
GREY_ALPHA = Image.new("LA", (8, 8), (10, 0))
DEEP = Image.fromarray(np.full((8, 8), 0x8040, np.uint16))


@pytest.mark.parametrize(
    ("data", "rgb", "gray"),
    [
        (png(200, mode="L"), (200, 200, 200), 200),
        (png(1, mode="1"), (255, 255, 255), 255),
        (png((*RED, 255), mode="RGBA"), RED, 76),
        (png((*BLUE, 0), mode="RGBA"), (255, 255, 255), 255),
        (png((0, 0, 0, 51), mode="RGBA"), (204, 204, 204), 204),
        (encoded(GREY_ALPHA), (255, 255, 255), 255),
        (encoded(PALETTE), RED, 76),
        (encoded(PALETTE, transparency=1), (255, 255, 255), 255),
        (encoded(PALETTE, "GIF"), RED, 76),
        (encoded(DEEP), (128, 128, 128), 128),
        (encoded(DEEP, "TIFF"), (128, 128, 128), 128),
        (encoded(DEEP, "PPM"), (128, 128, 128), 128),
        (encoded(CMYK_RED, "JPEG", quality=100), (254, 0, 0), 76),
        (encoded(CMYK_RED, "TIFF"), RED, 76),
        (encoded(picture(RED), "WEBP", lossless=True), RED, 76),
        (encoded(picture(RED).convert("YCbCr"), "JPEG", quality=100), (254, 0, 0), 76),
    ],
)
def test_colours(data: bytes, rgb: tuple[int, ...], gray: int) -> None:
    coloured = decode(data, (8, 8), "resize", "rgb").pixels
    assert coloured.shape == (3, 8, 8)
    assert coloured.dtype == np.uint8
    assert coloured[:, 3, 3].tolist() == pytest.approx(rgb, abs=2)
    grey = decode(data, (8, 8), "resize", "gray").pixels
    assert grey.shape == (1, 8, 8)
    assert grey[0, 3, 3] == pytest.approx(gray, abs=2)


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ("resize", Placement(0.5, 1.0, 0, 0)),
        ("letterbox", Placement(0.5, 0.5, 0, 5)),
        ("crop", Placement(1.0, 1.0, -10, 0)),
    ],
)
def test_fits(fit: Any, expected: Placement) -> None:
    """20 x 40 (height x width) into 20 x 20: pixels lie where the placement says."""
    assert placed((20, 40), (20, 20), fit) == expected
    found = decode(encoded(corners(20, 40)), (20, 20), fit, "rgb")
    assert found.placement == expected
    pixels = np.moveaxis(found.pixels, 0, 2)
    for x, y, colour in ((12, 4, RED), (27, 4, GREEN), (12, 15, BLUE), (27, 15, (255, 255, 255))):
        stored_x = int(x * expected.scale_x + expected.left)
        stored_y = int(y * expected.scale_y + expected.top)
        assert tuple(pixels[stored_y, stored_x].tolist()) == colour
    border = np.all(pixels == BORDER, axis=2)
    assert border.any() == (fit == "letterbox")
    if fit == "letterbox":
        assert border[:5].all()
        assert border[15:].all()
        assert not border[5:15].any()


@pytest.mark.parametrize("fit", ["resize", "letterbox", "crop"])
@pytest.mark.parametrize("size", [(1, 1), (3, 1000), (1000, 3), (7, 5), (333, 251)])
def test_odd_sizes(fit: Any, size: tuple[int, int]) -> None:
    """Any size fits; a red image stays red wherever it lies."""
    found = decode(png(RED, size[::-1]), (16, 24), fit, "rgb")
    place = placed(size, (16, 24), fit)
    assert found.placement == place
    left, right = place.left, place.left + size[1] * place.scale_x
    top, bottom = place.top, place.top + size[0] * place.scale_y
    rows, columns = np.arange(16) + 0.5, np.arange(24) + 0.5
    within = ((rows > top) & (rows < bottom))[:, None] & ((columns > left) & (columns < right))[None]
    assert np.array_equal(found.pixels, np.where(within, np.array(RED)[:, None, None], BORDER))


def test_a_large_jpeg_keeps_its_place() -> None:
    """It is decoded at a fraction of its size, and lies as if it were not."""
    large = corners(997, 1501)
    for fit in ("resize", "letterbox", "crop"):
        small = decode(encoded(large, "JPEG", quality=95), (32, 40), fit, "rgb")  # type: ignore[arg-type]
        exact = decode(encoded(large), (32, 40), fit, "rgb")  # type: ignore[arg-type]
        assert small.original == exact.original == (997, 1501)
        assert small.placement == exact.placement
        difference = np.abs(small.pixels.astype(int) - exact.pixels)
        assert np.median(difference) <= 2
        assert np.mean(difference) < 4


def test_a_scaled_image_is_smoothed() -> None:
    """Stripes of one pixel become grey, as an area has it, not one stripe or the other."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = decode(encoded(Image.fromarray(stripes)), (8, 8), "resize", "rgb").pixels
    assert np.abs(pixels.astype(int) - 128).max() < 20


TEXT = b"this is no image at all\n" * 40
NOISE = Image.effect_noise((64, 64), 50).convert("RGB")
WHOLE = encoded(NOISE, "JPEG")
NUMBERS = encoded(Image.fromarray(np.full((8, 8), 0.5, np.float32)), "TIFF")


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (TEXT, "not_an_image", "is no image"),
        (b"", "not_an_image", "is no image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "not_an_image", "is no image"),
        (WHOLE[: len(WHOLE) // 2], "damaged", "truncated"),
        (WHOLE[:30], "damaged", ""),
        (encoded(NOISE)[:5000], "damaged", ""),
        (png().replace(b"IDAT", b"IDOT"), "", ""),
        (encoded(picture(), "TIFF")[:60], "damaged", ""),
        (encoded(picture(size=(80, 80)), "WEBP")[:40], "", ""),
        (NUMBERS, "unsupported", "8 or 16 bits"),
        (forged_png(50_000, 50_000), "too_large", "far more pixels"),
        (forged_png(10_000, 9_000), "too_large", f"where {MAX_PIXELS:,}"),
        (forged_png(9_000, 9_000), "too_large", "9000 x 9000 pixels"),
        (forged_png(8_000, 8_000), "damaged", ""),
    ],
)
def test_bad_images(data: bytes, code: str, words: str) -> None:
    with pytest.raises(BadImage) as caught:
        decode(data, (8, 8), "resize", "rgb")
    assert caught.value.code == (code or caught.value.code)
    assert words in caught.value.detail


def test_a_bomb_is_refused_by_its_header(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(self: Image.Image) -> None:
        raise AssertionError("decoded")

    data = zipped({"a/bomb.png": forged_png(50_000, 50_000), "a/other.png": forged_png(9_000, 9_000)})
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", loaded)
    faults = ingestion.refused({"bombs.zip": data}, images={"size": 8})
    assert "none of the 2 images" in faults["/file", "no_rows"]
    assert ("/file/bombs.zip/a~1bomb.png", "too_large") in faults
    assert ("/file/bombs.zip/a~1other.png", "too_large") in faults


MIXED = {
    "train/cat/good.png": png(RED),
    "train/cat/grey.png": png(7, mode="L"),
    "train/cat/text.jpg": TEXT,
    "train/dog/cut.jpg": WHOLE[: len(WHOLE) // 2],
    "train/dog/clear.png": png((*RED, 0), mode="RGBA"),
    "train/dog/huge.png": forged_png(50_000, 50_000),
    "test/dog/good.png": png(BLUE),
}


def test_bad_images_are_left_out_and_named(ingestion: Ingestion) -> None:
    found = ingestion.add({"mixed.zip": zipped(MIXED)}, images={"size": 8})
    images = schema_of(found)
    assert images.bad_count == 3
    assert [(bad.archive, bad.path, bad.code) for bad in images.bad] == [
        ("mixed.zip", "train/cat/text.jpg", "not_an_image"),
        ("mixed.zip", "train/dog/cut.jpg", "damaged"),
        ("mixed.zip", "train/dog/huge.png", "too_large"),
    ]
    assert all(bad.detail for bad in images.bad)
    assert found.schema.rows == 4
    assert found.texts("class") == ["cat", "cat", "dog", "dog"]
    assert found.array("image")[:, :, 0, 0].tolist() == [list(RED), [7] * 3, [255] * 3, list(BLUE)]
    assert len((found.folder / images.names).read_text().splitlines()) == 4
    without = ingestion.add({"mixed.zip": zipped({**MIXED, "train/dog/cut.jpg": png()})})
    assert without.schema.fields["image"].shape == (3, 8, 8)


def test_only_some_bad_images_are_listed(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.images.table.LISTED", 2)
    images = schema_of(ingestion.add({"mixed.zip": zipped(MIXED)}, images={"size": 8}))
    assert (images.bad_count, len(images.bad)) == (3, 2)


def test_bad_images_as_errors(ingestion: Ingestion) -> None:
    faults = ingestion.refused({"mixed.zip": zipped(MIXED)}, images={"size": 8, "bad": "error"})
    assert set(faults) == {
        ("/file/mixed.zip/train~1cat~1text.jpg", "not_an_image"),
        ("/file/mixed.zip/train~1dog~1cut.jpg", "damaged"),
        ("/file/mixed.zip/train~1dog~1huge.png", "too_large"),
    }
    assert '"bad": "quarantine"' in faults["/file/mixed.zip/train~1cat~1text.jpg", "not_an_image"]


@pytest.mark.parametrize("size", [None, 8])
def test_nothing_but_bad_images(ingestion: Ingestion, size: int | None) -> None:
    data = zipped({"a/1.jpg": TEXT, "a/2.jpg": TEXT})
    faults = ingestion.refused({"b.zip": data}, images={"size": size})
    assert "none of the 2 images" in faults["/file", "no_rows"]
    assert ("/file/b.zip/a~12.jpg", "not_an_image") in faults


def test_a_training_split_of_bad_images(ingestion: Ingestion) -> None:
    data = zipped({"train/a/1.jpg": TEXT, "test/a/2.png": png()})
    faults = ingestion.refused({"b.zip": data})
    assert ("/options/splits", "empty_split") in faults


def test_an_animation_is_its_first_frame() -> None:
    stream = io.BytesIO()
    frames = [picture(RED), picture(GREEN)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    assert decode(stream.getvalue(), (8, 8), "resize", "rgb").pixels[:, 0, 0].tolist() == list(RED)
