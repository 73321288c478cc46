"""Archives of images, drawn and packed for tests."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

from PIL import Image

Colour = tuple[int, int, int]
RED, GREEN, BLUE = (255, 0, 0), (0, 128, 0), (0, 0, 255)


def picture(colour: Any = RED, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Image.Image:
    """Of ``size`` (width, height), all of one colour."""
    return Image.new(mode, size, colour)


def encoded(image: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **more)
    return stream.getvalue()


def png(colour: Any = RED, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    return encoded(picture(colour, size, mode))


def zipped(files: Mapping[str, bytes | str], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            # Without the present time in it, the same files are the same bytes.
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return stream.getvalue()


def tarred(files: Mapping[str, bytes | str], mode: Any = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            content = data.encode() if isinstance(data, str) else data
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()
