"""What CNTK is given as MPI: the machine's Open MPI, or a library that only has to load.

CNTK asks for Open MPI's libraries by the names of its time, libmpi.so.12 and
libmpi_cxx.so.1. Today's libmpi.so.40 serves under the old name. A job of one process
calls none of it, so where there is no Open MPI a stub defines the symbols that CNTK's
libraries want; a call to one of them ends the process with a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from environments.elf import dynamic_symbols, shared_library
from environments.steps import SetupError, run

_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu/openmpi/lib",
    "/usr/lib64/openmpi/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/opt/openmpi/lib",
)
_MARK = "ompi_mpi_comm_world"
"""Open MPI alone defines it; MPICH, whose symbols do not fit, may have libraries of the same name."""

_MESSAGE = (
    "This job called MPI, and the trainer's environment was made on a machine without Open MPI. "
    "Install Open MPI (on Debian: apt-get install libopenmpi3) and run scripts/setup again."
)

_VERSION = """
import ctypes, sys
text, length = ctypes.create_string_buffer(8192), ctypes.c_int()
ctypes.CDLL(sys.argv[1]).MPI_Get_library_version(text, ctypes.byref(length))
print(text.value.decode().split(",")[0].replace(" v", " "))
"""


@dataclass(frozen=True)
class OpenMpi:
    """The machine's own: libmpi.so.40, and the C++ library where this version still has one."""

    library: Path
    cxx_library: Path | None


def find_open_mpi(folders: Iterable[Path] = tuple(map(Path, _FOLDERS))) -> OpenMpi | None:
    """The first Open MPI among ``folders``."""
    for folder in folders:
        library = folder / "libmpi.so.40"
        try:
            is_open_mpi = any(symbol.name == _MARK and symbol.defined for symbol in dynamic_symbols(library))
        except (OSError, ValueError):
            continue
        if is_open_mpi:
            cxx_library = folder / "libmpi_cxx.so.40"
            return OpenMpi(library, cxx_library if cxx_library.exists() else None)
    return None


def provide(native: Path, cntk_libraries: Iterable[Path], found: OpenMpi | None, python: Path) -> str:
    """Put both libraries into the folder ``native``; the answer says which kind, for people."""
    wanted = {
        symbol.name: symbol.is_data
        for library in cntk_libraries
        for symbol in dynamic_symbols(library)
        if not symbol.defined and not symbol.weak and _is_mpi(symbol.name)
    }
    if _MARK not in wanted:
        raise SetupError(
            "CNTK's libraries ask for no Open MPI symbols: this is not the wheel that was expected"
        )
    cxx_library, library = native / "libmpi_cxx.so.1", native / "libmpi.so.12"
    if found is None:
        _write_stub(library, wanted)
        _write_stub(cxx_library, {})
        return "stub"
    library.symlink_to(found.library)
    if found.cxx_library:
        cxx_library.symlink_to(found.cxx_library)
    else:
        # Open MPI 5 dropped the C++ interface, which CNTK links against and never calls.
        offered = {symbol.name for symbol in dynamic_symbols(found.library) if symbol.defined}
        _write_stub(cxx_library, {name: kind for name, kind in wanted.items() if name not in offered})
    return run([python, "-c", _VERSION, found.library], doing=f"ask {found.library} for its version").strip()


def _write_stub(path: Path, wanted: Mapping[str, bool]) -> None:
    """``wanted``: name to whether it is data."""
    functions = sorted(name for name, is_data in wanted.items() if not is_data)
    data = sorted(name for name, is_data in wanted.items() if is_data)
    path.write_bytes(shared_library(path.name, functions, data, _MESSAGE))


def _is_mpi(name: str) -> bool:
    return name.startswith(("MPI_", "ompi_", "_ZN3MPI", "_ZNK3MPI", "_ZTVN3MPI", "_ZTIN3MPI"))
