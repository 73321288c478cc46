"""ONNX files, read without CNTK: nodes, weights, inputs, outputs. Standard library and numpy only.

CNTK's own reader would leave the weights as constants, the input without a batch axis and the graph full
of conversions between the two (trainer/onnx/network.py builds a plain one).
"""

import struct
from collections import OrderedDict, namedtuple

import numpy as np

from trainer.dictionary import Malformed, fields
from trainer.model_file import RefusedModel

Node = namedtuple("Node", "op name inputs outputs attributes")
"""``name`` is the node's own, or that of its first output."""
Graph = namedtuple("Graph", "opset nodes weights inputs outputs")
"""``weights``: {name: array}; ``inputs``: {name: shape}, None for sizes that are not fixed."""

TYPES = {
    1: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    5: np.dtype("<i2"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    9: np.dtype("?"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
}
"""TensorProto's data types that a network is made of."""
OPSETS = range(1, 22)


def read(data):
    """The Graph in an ONNX file; RefusedModel says what is wrong with it."""
    try:
        model = _grouped(memoryview(data))
        opset = 1
        for entry in model.get(8, ()):
            known = _grouped(entry)
            domain = _text(known.get(1, [b""])[-1])
            if domain in ("", "ai.onnx"):
                opset = known.get(2, [1])[-1]
        if not model.get(7):
            raise RefusedModel("the file holds no ONNX graph")
        if opset not in OPSETS:
            raise RefusedModel(
                "the file is of ONNX opset %s; %d to %d are known" % (opset, OPSETS[0], OPSETS[-1])
            )
        return _graph(_grouped(model[7][-1]), opset)
    except (Malformed, struct.error, UnicodeDecodeError) as error:
        raise RefusedModel("the file is no whole ONNX model: %s" % error) from None


def _graph(graph, opset):
    weights = OrderedDict()
    for raw in graph.get(5, ()):
        name, array = _tensor(raw)
        weights[name] = array
    if graph.get(15):
        raise RefusedModel("the ONNX file has sparse weights; save it with dense ones")
    inputs = OrderedDict(_value(raw) for raw in graph.get(11, ()))
    fed = OrderedDict((name, shape) for name, shape in inputs.items() if name not in weights)
    outputs = [_value(raw)[0] for raw in graph.get(12, ())]
    if not fed or not outputs:
        raise RefusedModel("the ONNX graph has no %s" % ("output" if fed else "input"))
    return Graph(opset, [_node(raw) for raw in graph.get(1, ())], weights, fed, outputs)


def _node(raw):
    found = _grouped(raw)
    outputs = [_text(name) for name in found.get(2, ())]
    name = _text(found.get(3, [b""])[-1]) or (outputs[0] if outputs else "")
    op = _text(found.get(4, [b""])[-1])
    domain = _text(found.get(7, [b""])[-1])
    if domain not in ("", "ai.onnx"):
        raise RefusedModel(
            "node %r is %s of %s, an operation outside ONNX: it cannot be taken" % (name, op, domain)
        )
    attributes = dict(_attribute(attribute) for attribute in found.get(5, ()))
    return Node(op, name, [_text(name) for name in found.get(1, ())], outputs, attributes)


def _attribute(raw):
    found = _grouped(raw)
    name = _text(found.get(1, [b""])[-1])
    kind = found.get(20, [0])[-1]
    if kind == 1:
        value = struct.unpack("<f", found.get(2, [b"\0\0\0\0"])[-1])[0]
    elif kind == 2:
        value = _signed(found.get(3, [0])[-1])
    elif kind == 3:
        value = _text(found.get(4, [b""])[-1])
    elif kind == 4:
        value = _tensor(found.get(5, [b""])[-1])[1]
    elif kind == 6:
        value = [float(number) for number in _packed(found.get(7, ()), np.dtype("<f4"))]
    elif kind == 7:
        value = [_signed(number) for number in _varints(found.get(8, ()))]
    elif kind == 8:
        value = [_text(item) for item in found.get(9, ())]
    else:
        raise RefusedModel("attribute %r is of a kind (%s) that no network of layers has" % (name, kind))
    return name, value


def _tensor(raw):
    """(name, array) of a TensorProto."""
    found = _grouped(raw)
    name = _text(found.get(8, [b""])[-1])
    shape = tuple(_signed(size) for size in _varints(found.get(1, ())))
    type_ = found.get(2, [0])[-1]
    if found.get(13) or found.get(14, [0])[-1]:
        raise RefusedModel("weight %r lies outside the file; save the model as one file" % name)
    if type_ not in TYPES:
        raise RefusedModel("weight %r is of ONNX type %s, not of numbers that are known" % (name, type_))
    dtype = TYPES[type_]
    if any(size < 0 for size in shape):
        raise Malformed("weight %r has a negative size" % name)
    count = 1
    for size in shape:
        count *= size
    if 9 in found:
        if len(found[9][-1]) != count * dtype.itemsize:
            raise Malformed("weight %r has %d bytes for the shape %s" % (name, len(found[9][-1]), shape))
        values = np.frombuffer(found[9][-1], dtype)
    elif type_ == 1:
        values = _packed(found.get(4, ()), dtype)
    elif type_ == 11:
        values = _packed(found.get(10, ()), dtype)
    elif type_ == 7:
        values = np.array([_signed(number) for number in _varints(found.get(7, ()))], dtype)
    elif type_ == 10:
        values = np.array(list(_varints(found.get(5, ()))), "<u2").view(dtype)
    else:
        values = np.array([_signed(number) for number in _varints(found.get(5, ()))], dtype)
    if values.size != count:
        raise Malformed("weight %r has %d numbers for the shape %s" % (name, values.size, shape))
    return name, values.reshape(shape)


def _value(raw):
    """(name, shape) of a ValueInfoProto; None in the shape where it is not fixed."""
    found = _grouped(raw)
    shape = []
    for type_ in found.get(2, ()):
        for tensor in _grouped(type_).get(1, ()):
            for dimensions in _grouped(tensor).get(2, ()):
                for dimension in _grouped(dimensions).get(1, ()):
                    fixed = _grouped(dimension).get(1)
                    shape.append(_signed(fixed[-1]) if fixed and fixed[-1] else None)
    return _text(found.get(1, [b""])[-1]), tuple(shape)


def _grouped(raw):
    """{number: [values]} of a message. Fields that are not known are allowed, as ONNX wants it."""
    found = {}
    for number, _wire, value in fields(memoryview(raw)):
        found.setdefault(number, []).append(value)
    return found


def _text(raw):
    return bytes(raw).decode("utf-8")


def _signed(number):
    return number - (1 << 64) if number >> 63 else number


def _packed(pieces, dtype):
    """Numbers of a repeated field, packed or one by one."""
    return np.concatenate([np.frombuffer(piece, dtype) for piece in pieces] or [np.zeros(0, dtype)])


def _varints(pieces):
    for piece in pieces:
        if isinstance(piece, int):
            yield piece
            continue
        number = shift = 0
        for byte in bytes(piece):
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                yield number
                number = shift = 0
        if shift:
            raise Malformed("it ends within a number")
