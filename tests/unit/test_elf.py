"""Libraries written without a compiler load, and offer what they say."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from environments.elf import dynamic_symbols, shared_library


def written(folder: Path, name: str, **parts: object) -> Path:
    path = folder / name
    path.write_bytes(shared_library(name, **parts))  # type: ignore[arg-type]
    return path


def test_an_empty_library_loads(tmp_path: Path) -> None:
    ctypes.CDLL(str(written(tmp_path, "libempty.so.1")))


def test_every_name_is_found_and_zeroed_data_can_be_written(tmp_path: Path) -> None:
    functions = [f"function_{number}" for number in range(200)]
    data = [f"datum_{number}" for number in range(30)]
    library = ctypes.CDLL(str(written(tmp_path, "libboth.so", functions=functions, data=data)))
    assert all(getattr(library, name) for name in functions)
    places = [(ctypes.c_ubyte * 256).in_dll(library, name) for name in data]
    assert all(bytes(place) == bytes(256) for place in places)
    for number, place in enumerate(places):
        place[:] = [number] * 256
    assert [bytes(place) for place in places] == [bytes([number] * 256) for number in range(30)]


def test_a_name_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    library = ctypes.CDLL(str(written(tmp_path, "libone.so", functions=["one"])))
    with pytest.raises(AttributeError, match="two"):
        _ = library.two


def test_calling_a_function_ends_the_process_with_the_message(tmp_path: Path) -> None:
    path = written(
        tmp_path, "libmpi.so.12", functions=["MPI_Init", "MPI_Abort"], message="This job called MPI."
    )
    call = f"import ctypes; ctypes.CDLL({str(path)!r}).MPI_Abort(); print('went on')"
    finished = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout, finished.stderr) == (69, "", "This job called MPI.\n")


def test_what_is_written_is_what_other_libraries_link_to(tmp_path: Path) -> None:
    """A library's own name is what the loader remembers it by: asked for again, it is the same one."""
    path = written(tmp_path, "libsame.so.3", functions=["one"])
    ctypes.CDLL(str(path))
    maps = Path("/proc/self/maps").read_text()
    ctypes.CDLL("libsame.so.3")  # found by its soname, on no search path
    assert Path("/proc/self/maps").read_text().count("libsame.so.3") == maps.count("libsame.so.3")


def test_reading_tells_what_a_library_offers_and_wants() -> None:
    (libm,) = {Path(line.split()[-1]) for line in _maps_with_libm() if "/libm" in line}
    found = {symbol.name: symbol for symbol in dynamic_symbols(libm)}
    assert found["cos"].defined
    assert not found["cos"].is_data
    assert found["signgam"].is_data
    assert any(not symbol.defined for symbol in found.values())


def _maps_with_libm() -> list[str]:
    ctypes.CDLL("libm.so.6")
    return Path("/proc/self/maps").read_text().splitlines()


@pytest.mark.parametrize("content", [b"", b"not a library", b"\x7fELF\x01\x01\x01" + bytes(60)])
def test_reading_refuses_what_is_no_library(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no 64-bit little-endian ELF file"):
        dynamic_symbols(path)
