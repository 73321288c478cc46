"""Files on their way to the service, with a word about how far they are."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

Progress = Callable[[int, int], None]
"""Called with the bytes that were read and the bytes that there are, of all files together."""


class _Counted(io.FileIO):
    """A file that tells ``read`` how far it was read."""

    def __init__(self, path: Path, read: Callable[[], None]) -> None:
        super().__init__(path)
        self._read = read

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(-1 if size is None else size) or b""
        self._read()
        return block


@contextmanager
def opened(
    files: Sequence[str | Path], progress: Progress | None = None
) -> Iterator[list[tuple[str, tuple[str, io.FileIO]]]]:
    """The parts named ``file`` of a multipart body, one a file."""
    with ExitStack() as stack:
        counted: list[_Counted] = []

        def tell() -> None:
            if progress:
                progress(sum(file.tell() for file in counted), total)

        for path in map(Path, files):
            counted.append(stack.enter_context(_Counted(path, tell)))
        total = sum(path.stat().st_size for path in map(Path, files))
        yield [("file", (path.name, file)) for path, file in zip(map(Path, files), counted, strict=True)]
