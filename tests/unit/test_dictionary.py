"""CNTK's file format: read strictly, written as it was, and judged without CNTK."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer import dictionary, model_file
from trainer.dictionary import Malformed, Typed
from trainer.model_file import RefusedModel

texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), max_size=8)
numbers = st.one_of(
    st.booleans().map(lambda value: Typed(dictionary.BOOL, value)),
    st.integers(-(2**31), 2**31 - 1).map(lambda value: Typed(dictionary.INT, value)),
    st.integers(0, 2**64 - 1).map(lambda value: Typed(dictionary.SIZE, value)),
    st.floats(width=32, allow_nan=False).map(lambda value: Typed(dictionary.FLOAT, value)),
    st.floats(allow_nan=False).map(lambda value: Typed(dictionary.DOUBLE, value)),
)
values = st.recursive(
    st.one_of(st.none(), texts, numbers),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(texts, values, max_size=4))
def test_what_is_written_is_read(written: dict[str, Any]) -> None:
    assert dictionary.read(dictionary.write(written)) == written


@given(st.binary(max_size=60))
def test_anything_else_is_malformed_and_no_crash(data: bytes) -> None:
    try:
        dictionary.read(data)
    except Malformed:
        return


@pytest.mark.parametrize("name", ["ResNet20_CIFAR10.model", "SqueezeNet11_ImageNet.model"])
def test_real_files_are_written_as_they_were(test_data: Callable[[str], Path], name: str) -> None:
    data = (test_data("pretrained") / name).read_bytes()
    assert dictionary.write(dictionary.read(data)) == data
    model_file.checked(data)


def network(**more: Any) -> bytes:
    function = OrderedDict(type="PrimitiveFunction", uid="Plus1", inputs=[], **more)
    whole = OrderedDict(type="CompositeFunction", root="Plus1", primitive_functions=[function], inputs=[])
    written: bytes = dictionary.write(whole)
    return written


def test_a_network_of_cntks_own_operations_passes() -> None:
    assert model_file.checked(network())["root"] == "Plus1"


@pytest.mark.parametrize(
    "more",
    [
        {"user_defined_state": {"module": "os", "class": "system"}},
        {"native": Typed(dictionary.BOOL, True)},
        {"attributes": {"deep": [{"deserialize_method": "evil"}]}},
        {"attributes": {"type": "UserDefinedFunction"}},
        {"attributes": {"type": "NativeUserDefinedFunction"}},
        {"attributes": {"type": "something new"}},
    ],
)
def test_user_defined_functions_are_found_wherever_they_are(more: dict[str, Any]) -> None:
    with pytest.raises(RefusedModel, match="user-defined function"):
        model_file.checked(network(**more))


def entry(key: bytes, value: bytes) -> bytes:
    """An entry of a dictionary, byte by byte."""
    inner = b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(value)]) + value
    return b"\x12" + bytes([len(inner)]) + inner


STRING = b"\x08\x02\x10\x06\x42\x01a"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (entry(b"k", STRING) + entry(b"k", STRING), "two entries"),
        (entry(b"k", STRING + b"\x42\x01b"), "repeated"),
        (entry(b"k", STRING[:3] + b"\x0a" + STRING[4:]), "of one type that holds another"),
        (entry(b"k\0", STRING), "control characters"),
        (entry(b"\xff", STRING), "no UTF-8"),
        (entry(b"k", STRING)[:-1], "cut off"),
        (b"\x1b", "wire type 3"),
        (b"\x18\x01", "field 3 in a dictionary"),
        (b"\x00\x00", "without a number"),
        (b"\xff" * 12, "number is too long"),
    ],
)
def test_what_cntk_might_read_otherwise_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        dictionary.read(data)


def test_depth_is_limited() -> None:
    nested: Any = "x"
    for _ in range(100):
        nested = {"k": nested}
    with pytest.raises(Malformed, match="deep"):
        dictionary.read(dictionary.write(nested))
