"""CNTK's own file format, a Dictionary in protobuf's wire format, read and written without CNTK.

Read before CNTK is let near a file that somebody brought, so it is strict: what CNTK would not have
written is refused, and nothing can mean one thing here and another there. Standard library only.

Values are bool, int, float, str, dict, list, ``Shape``, ``Axis`` and ``Array``; numbers are wrapped in
``Typed`` because the file tells int32 from uint64 and float from double.
"""

import struct
from collections import OrderedDict, namedtuple

DEPTH = 90
"""Dictionaries and vectors within one another; protobuf's own limit is 100 messages."""
LEGACY = b"B\0C\0N\0\0\0"
"""How files of CNTK version 1 begin."""

Typed = namedtuple("Typed", "kind value")
"""A bool, int, size, float or double."""
Shape = namedtuple("Shape", "raw")
"""An NDShape, as it is in the file."""
Axis = namedtuple("Axis", "raw")
Array = namedtuple("Array", "raw")
"""An NDArrayView, as it is in the file: a view of its bytes, which may be many."""

NONE, BOOL, INT, SIZE, FLOAT, DOUBLE, STRING, SHAPE, AXIS, VECTOR, DICTIONARY, ARRAY = range(12)
_NUMBERS = (BOOL, INT, SIZE, FLOAT, DOUBLE)
_WIRE = {FLOAT: 5, DOUBLE: 1, STRING: 2, SHAPE: 2, AXIS: 2, VECTOR: 2, DICTIONARY: 2, ARRAY: 2}
_WRAPPED = {SHAPE: Shape, AXIS: Axis, ARRAY: Array}


class Malformed(ValueError):
    """The bytes are not what CNTK writes."""


def read(data):
    """The Dictionary in ``data`` (bytes, memoryview or mmap) as an OrderedDict."""
    return _dictionary(memoryview(data), 0)


def write(dictionary):
    """The bytes of a Dictionary, as CNTK reads them."""
    return b"".join(bytes(piece) for piece in _dictionary_pieces(dictionary))


def fields(view):
    """(number, wire type, value) of each field of a message; bytes are views, the rest numbers."""
    at, end = 0, len(view)
    while at < end:
        key, at = _varint(view, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise Malformed("a field without a number")
        if wire == 0:
            value, at = _varint(view, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, at = view[at : at + size], at + size
        elif wire == 2:
            size, at = _varint(view, at)
            value, at = view[at : at + size], at + size
        else:
            raise Malformed("a field of wire type %d" % wire)
        if at > end:
            raise Malformed("it ends within a field: the file is cut off")
        yield number, wire, value


def once(view, known):
    """{number: value} of a message whose fields, with their wire types in ``known``, come at most once."""
    found = {}
    for number, wire, value in fields(view):
        if known.get(number) != wire or number in found:
            raise Malformed("field %d is unknown, repeated or of another type" % number)
        found[number] = value
    return found


def text(view):
    """A string; control characters are none that a name has."""
    try:
        found = bytes(view).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("a text that is no UTF-8") from None
    if not found.isprintable():
        raise Malformed("a text with control characters: %r" % found[:80])
    return found


def _varint(view, at):
    value = shift = 0
    while True:
        if at >= len(view) or shift > 63:
            raise Malformed("it ends within a number, or the number is too long")
        byte = view[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _dictionary(view, depth):
    if depth > DEPTH:
        raise Malformed("dictionaries more than %d deep" % DEPTH)
    found = OrderedDict()
    version = None
    for number, wire, value in fields(view):
        if number == 1 and wire == 0 and version is None:
            version = value
        elif number == 2 and wire == 2:
            entry = once(value, {1: 2, 2: 2})
            if set(entry) != {1, 2}:
                raise Malformed("an entry without key or value")
            key = text(entry[1])
            if key in found:
                raise Malformed("two entries %r" % key)
            found[key] = _value(entry[2], depth + 1)
        else:
            raise Malformed("field %d in a dictionary" % number)
    return found


def _value(view, depth):
    if depth > DEPTH:
        raise Malformed("dictionaries more than %d deep" % DEPTH)
    known = {1: 0, 2: 0}
    known.update((kind + 2, _WIRE.get(kind, 0)) for kind in range(1, 12))
    parts = once(view, known)
    kind = parts.get(2, NONE)
    held = [number - 2 for number in parts if number > 2]
    if kind > ARRAY or held not in ([], [kind]):
        raise Malformed("a value of one type that holds another")
    raw = parts.get(kind + 2)
    if kind == NONE:
        return None
    if kind in _NUMBERS:
        return Typed(kind, _number(kind, raw))
    raw = memoryview(b"") if raw is None else raw
    if kind == STRING:
        return text(raw)
    if kind == DICTIONARY:
        return _dictionary(raw, depth + 1)
    if kind == VECTOR:
        values = []
        for number, wire, value in fields(raw):
            if (number, wire) != (1, 2):
                raise Malformed("field %d in a vector" % number)
            values.append(_value(value, depth + 1))
        return values
    return _WRAPPED[kind](raw)


def _number(kind, raw):
    """What a number field holds; protobuf leaves out what is zero."""
    if kind in (FLOAT, DOUBLE):
        return struct.unpack("<f" if kind == FLOAT else "<d", raw)[0] if raw is not None else 0.0
    value = raw or 0
    if kind == BOOL:
        return bool(value)
    return value - (1 << 64) if kind == INT and value >> 63 else value


def _dictionary_pieces(dictionary):
    yield _key(1, 0) + _varint_bytes(2)
    for key, value in dictionary.items():
        entry = list(_field(1, [key.encode("utf-8")]))
        entry.extend(_field(2, list(_value_pieces(value))))
        for piece in _field(2, entry):
            yield piece


def _value_pieces(value):
    yield _key(1, 0) + _varint_bytes(2)
    if value is None:
        return
    kind = _kind(value)
    yield _key(2, 0) + _varint_bytes(kind)
    number = kind + 2
    if kind in _NUMBERS:
        yield _key(number, _WIRE.get(kind, 0)) + _number_bytes(kind, value.value)
        return
    if kind == STRING:
        inner = [value.encode("utf-8")]
    elif kind == DICTIONARY:
        inner = list(_dictionary_pieces(value))
    elif kind == VECTOR:
        inner = [piece for item in value for piece in _field(1, list(_value_pieces(item)))]
    else:
        inner = [value.raw]
    for piece in _field(number, inner):
        yield piece


def _kind(value):
    if isinstance(value, Typed):
        return value.kind
    kinds = ((str, STRING), (dict, DICTIONARY), (list, VECTOR), (Shape, SHAPE), (Axis, AXIS), (Array, ARRAY))
    return next(kind for type_, kind in kinds if isinstance(value, type_))


def _number_bytes(kind, value):
    if kind in (FLOAT, DOUBLE):
        return struct.pack("<f" if kind == FLOAT else "<d", value)
    return _varint_bytes(int(value) & ((1 << 64) - 1))


def _field(number, pieces):
    """A length-delimited field made of pieces."""
    yield _key(number, 2) + _varint_bytes(sum(len(piece) for piece in pieces))
    for piece in pieces:
        yield piece


def _key(number, wire):
    return _varint_bytes(number << 3 | wire)


def _varint_bytes(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
