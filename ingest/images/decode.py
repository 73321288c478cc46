"""One image: from the bytes of its file to pixels in the data set's size and channels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ingest.arrays import Array
from ingest.images.geometry import Placement, Size, placed
from ingest.images.options import Channels, Fit

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
EXTENSIONS = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff"),
    *(".webp", ".pbm", ".pgm", ".ppm", ".pnm"),
)
"""Files that are called so are images."""
MAX_BYTES = 256 << 20
MAX_PIXELS = 80_000_000
"""Of one image as its file has it: nothing larger is decoded. Pillow itself warns from 89 million."""
BORDER = 114
"""The grey around an image in a letterbox."""
PAPER = (255, 255, 255, 255)
"""What shows through transparent pixels."""
_TURNED = (5, 6, 7, 8)
"""EXIF orientations whose height and width are exchanged."""


class BadImage(Exception):
    """An image that cannot become a row."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Decoded:
    """Pixels (channels, height, width), uint8, and how they came from the original (upright) image."""

    pixels: Array
    original: Size
    placement: Placement


def upright_size(data: bytes) -> Size:
    """Height and width of the image in a file's bytes, by its header alone; BadImage."""
    with _pillow():
        return _upright_size(_opened(data))


def decode(data: bytes, size: Size, fit: Fit, channels: Channels) -> Decoded:
    """The image in a file's bytes, upright; BadImage.

    Colours are as Pillow converts them: CMYK and palettes, grey to three equal channels, colours to
    luma. Of 16 bits the upper 8 are kept, transparent pixels show white paper, of several frames the
    first counts.
    """
    with _pillow():
        image = _opened(data)
        original = _upright_size(image)
        # A JPEG much larger than needed is decoded at a half, a quarter or an eighth of its size.
        image.draft(None, (2 * max(size), 2 * max(size)))
        ImageOps.exif_transpose(image, in_place=True)
        image.load()
        coloured = _coloured(image, "L" if channels == "gray" else "RGB")
    placement = placed(original, size, fit)
    pixels = np.asarray(_fitted(coloured, original, size, placement))
    planes = pixels[None] if channels == "gray" else np.moveaxis(pixels, 2, 0)
    return Decoded(np.ascontiguousarray(planes), original, placement)


@contextmanager
def _pillow() -> Iterator[None]:
    """What Pillow raises over a file's bytes, as BadImage. It is of any kind: decoders are many."""
    try:
        yield
    except (BadImage, MemoryError):
        raise
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise BadImage("not_an_image", f"is no image; known are {known}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except Exception as error:
        raise BadImage("damaged", f"is damaged: {error or type(error).__name__}") from None


def _too_many_pixels(size: tuple[int, int] | None = None) -> BadImage:
    said = f"{size[0]} x {size[1]}" if size is not None else "far more"
    return BadImage("too_large", f"has {said} pixels, where {MAX_PIXELS:,} are allowed; it is not decoded")


def _opened(data: bytes) -> Image.Image:
    """The image, its header read and its pixels not."""
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels(image.size)
    return image


def _upright_size(image: Image.Image) -> Size:
    # Pillow turns a TIFF's size by itself.
    turned = image.format != "TIFF" and image.getexif().get(ExifTags.Base.Orientation) in _TURNED
    return (image.width, image.height) if turned else (image.height, image.width)


def _coloured(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "F" or (image.mode == "I" and not _is_16_bit(image)):
        raise BadImage("unsupported", "has numbers for pixels whose range nothing tells; save 8 or 16 bits")
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, PAPER)
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    return image if image.mode == mode else image.convert(mode)


def _is_16_bit(image: Image.Image) -> bool:
    low, high = image.getextrema()
    return isinstance(low, int | float) and isinstance(high, int | float) and low >= 0 and high < 1 << 16


def _fitted(image: Image.Image, original: Size, size: Size, placement: Placement) -> Image.Image:
    """The image in its place. ``image`` may be smaller than ``original``, by which ``placement`` goes."""
    height, width = size
    if (image.height, image.width) == size and placement == Placement(1, 1, 0, 0):
        return image
    shrunk_x, shrunk_y = image.width / original[1], image.height / original[0]
    left, top = max(placement.left, 0), max(placement.top, 0)
    inner_width = min(width, round(original[1] * placement.scale_x))
    inner_height = min(height, round(original[0] * placement.scale_y))
    x = (left - placement.left) / placement.scale_x
    y = (top - placement.top) / placement.scale_y
    box = (
        x * shrunk_x,
        y * shrunk_y,
        min(image.width, (x + inner_width / placement.scale_x) * shrunk_x),
        min(image.height, (y + inner_height / placement.scale_y) * shrunk_y),
    )
    inner = image.resize((inner_width, inner_height), Image.Resampling.BILINEAR, box)
    if inner.size == (width, height):
        return inner
    whole = Image.new(image.mode, (width, height), BORDER if image.mode == "L" else (BORDER,) * 3)
    whole.paste(inner, (int(left), int(top)))
    return whole
