"""What a service stands on: a small disk of its own and a clock of its own, which faults can take from it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEGABYTES = 256
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
"""Where Debian's package faketime puts it."""
CLOCKED = Path(__file__).with_name("clocked")


class Disk:
    """A file system of its own for the volume, which can be full, read-only or gone for a while."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / ".filler"

    @classmethod
    def mounted(cls, path: Path) -> Disk | None:
        """A small one, mounted on ``path``; None where this user may not mount."""
        path.mkdir(parents=True)
        if shutil.which("mount") is None or not _mount("-t", "tmpfs", "-o", f"size={MEGABYTES}m", path):
            return None
        return cls(path)

    @contextmanager
    def full(self) -> Iterator[None]:
        with self._filler.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(bytes(1 << 20)):
                pass
        try:
            yield
        finally:
            self._filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Nothing can be created, changed or deleted; files that are open for writing stay so."""
        # Made so elsewhere: nobody can have opened a file for writing on it before.
        protected = self.path.with_name("protected")
        protected.mkdir(exist_ok=True)
        with _over(protected, "--bind", str(self.path)):
            if not _mount("-o", "remount,bind,ro", protected):
                raise RuntimeError(f"{protected} cannot be made read-only")
            with _over(self.path, "--bind", str(protected)):
                yield

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nothing is there, as before a disk is mounted."""
        with _over(self.path, "-t", "tmpfs", "-o", "size=64k"):
            yield

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)


@contextmanager
def _over(path: Path, *how: str) -> Iterator[None]:
    """Something else is seen at ``path``; what was opened there before goes on as it was."""
    if not _mount(*how, path):
        raise RuntimeError(f"nothing can be mounted over {path}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _mount(*arguments: str | Path) -> bool:
    # mount(8) names a source for each file system, whatever it is.
    words = [str(word) for word in arguments]
    source = [] if "--bind" in words or "remount,bind,ro" in words else ["chaos"]
    target = words.pop()
    return subprocess.run(["mount", *words, *source, target], capture_output=True).returncode == 0


class Clock:
    """The time that the embedded server is told, which is the service's for all that it decides.

    The other processes keep the true time, as on another machine: Python cannot sleep under faketime.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.offset_s = 0

    @classmethod
    def installed(cls, file: Path) -> Clock | None:
        """One that reads its offset from ``file``; None where the library faketime is not installed."""
        if not FAKETIME.is_file():
            return None
        clock = cls(file)
        clock.jump_to(0)
        return clock

    def jump_to(self, offset_s: int) -> None:
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{offset_s:+d}\n", encoding="ascii")
        aside.rename(self._file)
        self.offset_s = offset_s

    def environment(self) -> dict[str, str]:
        """What the service needs in its environment to start its server so."""
        return {"CHAOS_FAKETIME": str(FAKETIME), "CHAOS_CLOCK": str(self._file), "PYTHONPATH": str(CLOCKED)}
