"""Reading the dynamic symbols of ELF libraries, and writing small ones without a compiler.

64-bit little-endian x86-64 only, which is all that CNTK 2.7 exists for. Layout and
constants after the System V ABI and its AMD64 supplement.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_FILE_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_DYNAMIC = struct.Struct("<qQ")

_IDENTITY = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)  # 64 bits, little-endian, version 1
_SHARED, _X86_64 = 3, 62
_SHT_DYNSYM = 11
_PT_LOAD, _PT_DYNAMIC, _PT_GNU_STACK = 1, 2, 0x6474E551
_EXECUTE, _WRITE, _READ = 1, 2, 4
_DT_NULL, _DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT, _DT_SONAME = 0, 4, 5, 6, 10, 11, 14
_GLOBAL, _WEAK = 1, 2
_OBJECT, _FUNCTION = 1, 2
_PAGE = 0x1000
_DATA_SIZE = 256


@dataclass(frozen=True)
class Symbol:
    """One global name of a library: what it offers, or what it wants from others."""

    name: str
    defined: bool
    weak: bool
    is_data: bool


def dynamic_symbols(path: Path) -> list[Symbol]:
    """The dynamic symbols of the library at ``path``; ValueError where it is none of ours."""
    content = path.read_bytes()
    if content[:6] != _IDENTITY[:6]:
        raise ValueError(f"{path} is no 64-bit little-endian ELF file")
    header = _FILE_HEADER.unpack_from(content)
    table, size, count = header[6], header[11], header[12]
    sections = [_SECTION_HEADER.unpack_from(content, table + number * size) for number in range(count)]
    symbols = []
    for _name, kind, _flags, _address, offset, length, link, *_rest in sections:
        if kind != _SHT_DYNSYM:
            continue
        names = sections[link][4]
        for at in range(offset + _SYMBOL.size, offset + length, _SYMBOL.size):
            name, info, _visibility, section, _value, _size = _SYMBOL.unpack_from(content, at)
            if info >> 4 in (_GLOBAL, _WEAK):
                text = content[names + name : content.index(b"\0", names + name)].decode("ascii")
                symbols.append(Symbol(text, section != 0, info >> 4 == _WEAK, info & 15 == _OBJECT))
    return symbols


def shared_library(
    soname: str, functions: Sequence[str] = (), data: Sequence[str] = (), message: str = ""
) -> bytes:
    """A loadable library: each of ``functions``, when called, ends the process with ``message``.

    The message goes to standard error and the exit status is 69 (EX_UNAVAILABLE). Each
    of ``data`` owns 256 zero bytes.
    """
    names = _Names([soname, *functions, *data])
    code = _write_and_exit(message.encode("utf-8") + b"\n")
    symbol_count = 1 + len(functions) + len(data)

    symbols_at = _FILE_HEADER.size + 5 * _PROGRAM_HEADER.size
    hash_at = symbols_at + symbol_count * _SYMBOL.size
    names_at = hash_at + 4 * (2 + 1 + symbol_count)
    code_at = _page_after(names_at + len(names.table))
    dynamic_at = _page_after(code_at + len(code))
    entries = [
        (_DT_SONAME, names.offset(soname)),
        (_DT_HASH, hash_at),
        (_DT_STRTAB, names_at),
        (_DT_SYMTAB, symbols_at),
        (_DT_STRSZ, len(names.table)),
        (_DT_SYMENT, _SYMBOL.size),
        (_DT_NULL, 0),
    ]
    dynamic = b"".join(_DYNAMIC.pack(*entry) for entry in entries)
    data_at = dynamic_at + len(dynamic)

    # Any section number but 0 says "defined here"; the loader reads no section headers.
    symbols = [bytes(_SYMBOL.size)]
    symbols += [
        _SYMBOL.pack(names.offset(name), _GLOBAL << 4 | _FUNCTION, 0, 1, code_at, len(code))
        for name in functions
    ]
    symbols += [
        _SYMBOL.pack(
            names.offset(name), _GLOBAL << 4 | _OBJECT, 0, 1, data_at + number * _DATA_SIZE, _DATA_SIZE
        )
        for number, name in enumerate(data)
    ]
    # One bucket, so that the chain runs through all symbols and no name needs hashing.
    chain = [*range(2, symbol_count), 0] if symbol_count > 1 else []
    hashes = struct.pack(f"<{3 + symbol_count}I", 1, symbol_count, min(1, symbol_count - 1), 0, *chain)

    writable = len(dynamic) + len(data) * _DATA_SIZE
    segments = [
        (_PT_LOAD, _READ, 0, 0, 0, names_at + len(names.table), names_at + len(names.table), _PAGE),
        (_PT_LOAD, _READ | _EXECUTE, code_at, code_at, code_at, len(code), len(code), _PAGE),
        (_PT_LOAD, _READ | _WRITE, dynamic_at, dynamic_at, dynamic_at, len(dynamic), writable, _PAGE),
        (_PT_DYNAMIC, _READ | _WRITE, dynamic_at, dynamic_at, dynamic_at, len(dynamic), len(dynamic), 8),
        (_PT_GNU_STACK, _READ | _WRITE, 0, 0, 0, 0, 0, 16),
    ]
    sizes = (_FILE_HEADER.size, _PROGRAM_HEADER.size, len(segments), 0, 0, 0)
    header = _FILE_HEADER.pack(_IDENTITY, _SHARED, _X86_64, 1, 0, _FILE_HEADER.size, 0, 0, *sizes)
    front = header + b"".join(_PROGRAM_HEADER.pack(*segment) for segment in segments)
    front += b"".join(symbols) + hashes + names.table
    return front.ljust(code_at, b"\0") + code.ljust(dynamic_at - code_at, b"\0") + dynamic


def _page_after(offset: int) -> int:
    return -(-offset // _PAGE) * _PAGE


def _write_and_exit(message: bytes) -> bytes:
    """Machine code: write(2, message); exit_group(69)."""
    write = struct.pack("<BIBI", 0xB8, 1, 0xBF, 2)  # mov eax, 1 (write); mov edi, 2
    length = struct.pack("<BI", 0xBA, len(message))  # mov edx, length
    exit_group = b"\x0f\x05" + struct.pack("<BIBI", 0xB8, 231, 0xBF, 69) + b"\x0f\x05"
    distance = len(length) + len(exit_group)  # from the end of the next instruction to the message
    address = b"\x48\x8d\x35" + struct.pack("<i", distance)  # lea rsi, [rip + distance]
    return write + address + length + exit_group + message


class _Names:
    """A string table and where each name lies in it."""

    def __init__(self, names: Sequence[str]) -> None:
        self.table = b"\0"
        self._offsets: dict[str, int] = {}
        for name in names:
            self._offsets[name] = len(self.table)
            self.table += name.encode("ascii") + b"\0"

    def offset(self, name: str) -> int:
        return self._offsets[name]
