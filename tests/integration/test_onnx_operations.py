"""Each ONNX operation, imported and run by CNTK, against onnxruntime."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.base_models import ask_cntk
from tests.peers import ENVIRONMENT, in_peers

needs_onnxruntime = pytest.mark.skipif(
    not any(ENVIRONMENT.glob("lib/python*/site-packages/onnxruntime")),
    reason="onnxruntime is not there to compare with (scripts/setup --peers)",
)
IMAGE = [3, 9, 9]
K3 = {"kernel_shape": [3, 3]}
BN = {name: [3] for name in ("scale", "bias", "mean", "var")}


def ints(*values: int) -> dict[str, Any]:
    return {"values": list(values), "type": "int64"}


def number(value: float) -> dict[str, Any]:
    return {"values": value, "type": "float32"}


def case(
    *nodes: Any, shape: list[int] = IMAGE, opset: int = 13, scaled: bool = False, **weights: Any
) -> dict[str, Any]:
    """``scaled``: the operation wants values around zero, not pixels."""
    written = [list(node) for node in nodes]
    if scaled:
        weights |= {"centre": number(127.5), "by": number(0.02)}
        written = [["Sub", ["-", "centre"], {}], ["Mul", ["-", "by"], {}], *written]
    return {"nodes": written, "shape": shape, "opset": opset, "weights": weights}


def unary(op: str, **attributes: Any) -> dict[str, Any]:
    return case((op, ["-"], attributes), scaled=True)


CONV = ["-", "w", "b"]
WB = {"w": [4, 3, 3, 3], "b": [4]}
CASES: dict[str, dict[str, Any]] = {
    "conv": case(("Conv", CONV, K3), **WB),
    "conv padded": case(("Conv", CONV, K3 | {"pads": [1, 1, 1, 1]}), **WB),
    "conv padded stride 2": case(("Conv", CONV, K3 | {"pads": [1, 1, 1, 1], "strides": [2, 2]}), **WB),
    "conv padded stride 3": case(("Conv", CONV, K3 | {"pads": [1, 1, 1, 1], "strides": [3, 3]}), **WB),
    "conv one-sided": case(("Conv", CONV, K3 | {"pads": [0, 0, 2, 1], "strides": [2, 2]}), **WB),
    "conv even": case(("Conv", ["-", "w"], {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1]}), w=[4, 3, 2, 2]),
    "conv 1d": case(("Conv", ["-", "w"], {"kernel_shape": [3]}), w=[4, 3, 3], shape=[3, 9]),
    "batch norm": case(("BatchNormalization", ["-", *BN], {"epsilon": 1e-3}), **BN),
    "max pool": case(("MaxPool", ["-"], K3 | {"strides": [2, 2]})),
    "max pool opset 11": case(("MaxPool", ["-"], K3 | {"strides": [2, 2], "ceil_mode": 1}), opset=11),
    "max pool padded": case(("MaxPool", ["-"], K3 | {"strides": [2, 2], "pads": [1, 1, 1, 1]}), scaled=True),
    "max pool one-sided": case(("MaxPool", ["-"], K3 | {"pads": [0, 0, 1, 1]}), scaled=True),
    "max pool ceil": case(
        ("MaxPool", ["-"], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}), scaled=True
    ),
    "average pool": case(("AveragePool", ["-"], K3 | {"strides": [2, 2]})),
    "average pool padded": case(("AveragePool", ["-"], K3 | {"pads": [1, 1, 1, 1]})),
    "average pool counting pads": case(
        ("AveragePool", ["-"], K3 | {"pads": [1, 1, 1, 1], "count_include_pad": 1})
    ),
    "average pool one-sided": case(
        ("AveragePool", ["-"], K3 | {"pads": [0, 0, 1, 1], "count_include_pad": 1})
    ),
    "global average": case(("GlobalAveragePool", ["-"], {})),
    "global max": case(("GlobalMaxPool", ["-"], {})),
    "mean": case(("ReduceMean", ["-"], {"axes": [2, 3], "keepdims": 0})),
    "mean opset 18": case(("ReduceMean", ["-", "a"], {"keepdims": 1}), a=ints(-1), opset=18),
    **{
        op: unary(op)
        for op in ("Relu", "Sigmoid", "Tanh", "Exp", "Abs", "Neg", "Softplus", "Softsign", "Identity")
    },
    "Log": case(("Add", ["-", "c"], {}), ("Log", ["-"], {}), c=number(1)),
    "Sqrt": case(("Sqrt", ["-"], {})),
    "LeakyRelu": unary("LeakyRelu", alpha=0.2),
    "Elu": unary("Elu", alpha=1.0),
    "PRelu": case(("PRelu", ["-", "slope"], {}), slope=[3, 1, 1], scaled=True),
    "clip attributes": case(("Clip", ["-"], {"min": 0.0, "max": 1.5}), opset=7, scaled=True),
    "clip inputs": case(("Clip", ["-", "", "high"], {}), high=number(0.5), scaled=True),
    "add per channel": case(("Add", ["-", "c"], {}), c=[1, 3, 1, 1]),
    "sub from": case(("Sub", ["c", "-"], {}), c=number(255)),
    "div": case(("Div", ["-", "c"], {}), c=[3, 1, 1]),
    "sum": case(("Relu", ["-"], {}), ("Sum", ["-", "x", "c"], {}), c=[3, 1, 1]),
    "residual": case(("Conv", ["-", "w"], K3 | {"pads": [1] * 4}), ("Add", ["-", "x"], {}), w=[3, 3, 3, 3]),
    "concat": case(("Relu", ["-"], {}), ("Concat", ["-", "x"], {"axis": 1})),
    "concat rows": case(("Relu", ["-"], {}), ("Concat", ["-", "x"], {"axis": -2})),
    "dense": case(
        ("Flatten", ["-"], {}),
        ("Gemm", ["-", "w", "b"], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
        w=[4, 243],
        b=[4],
    ),
    "matmul": case(("Flatten", ["-"], {}), ("MatMul", ["-", "w"], {}), w=[243, 4]),
    "reshape": case(("Reshape", ["-", "to"], {}), to=ints(0, 9, -1)),
    "reshape all": case(("Reshape", ["-", "to"], {}), to=ints(-1, 243)),
    "squeeze": case(("GlobalMaxPool", ["-"], {}), ("Squeeze", ["-", "a"], {}), a=ints(2, 3)),
    "squeeze opset 11": case(("GlobalMaxPool", ["-"], {}), ("Squeeze", ["-"], {"axes": [3]}), opset=11),
    "unsqueeze": case(("Unsqueeze", ["-", "a"], {}), a=ints(1)),
    "transpose": case(("Transpose", ["-"], {"perm": [0, 2, 3, 1]})),
    "pad": case(("Pad", ["-", "p", "v"], {}), p=ints(0, 0, 1, 0, 0, 0, 2, 1), v=number(3)),
    "softmax": case(("GlobalMaxPool", ["-"], {}), ("Softmax", ["-"], {}), opset=11, scaled=True),
    "softmax opset 13": case(("Softmax", ["-"], {"axis": 1}), scaled=True),
    "log softmax": case(("Flatten", ["-"], {}), ("LogSoftmax", ["-"], {}), scaled=True),
    "lrn": case(("LRN", ["-"], {"size": 3, "alpha": 0.01, "beta": 0.5, "bias": 2.0}), shape=[6, 4, 4]),
    "constant": case(
        ("Relu", ["-"], {}), ("Dropout", ["-"], {"ratio": 0.3}), ("Mul", ["-", "c"], {}), c=number(2), opset=7
    ),
}


@pytest.fixture(scope="module")
def outputs(
    tmp_path_factory: pytest.TempPathFactory, chosen_environment: dict[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Of each case what onnxruntime gives and what CNTK gives after the import."""
    folder = tmp_path_factory.mktemp("onnx")
    asked, ours = [], []
    for place, found in enumerate(CASES.values()):
        path = folder / f"{place}.onnx"
        asked.append({**found, "path": str(path)})
        ours.append({"do": "imported", "path": str(path), "folder": str(folder), "shape": found["shape"]})
    theirs = in_peers("onnx_graphs", asked)
    return dict(zip(CASES, zip(theirs, ask_cntk(chosen_environment, *ours), strict=True), strict=True))


@needs_onnxruntime
@pytest.mark.parametrize("name", CASES)
def test_onnxruntime_gives_the_same(outputs: dict[str, tuple[Any, Any]], name: str) -> None:
    theirs, ours = outputs[name]
    assert isinstance(ours, list), ours
    np.testing.assert_allclose(np.array(ours), np.array(theirs), rtol=1e-4, atol=1e-4)


def test_every_operation_has_a_case() -> None:
    modules = (Path(__file__).parents[2] / "trainer" / "onnx").glob("*.py")
    tried = {node[0] for found in CASES.values() for node in found["nodes"]}
    text = "".join(path.read_text(encoding="utf-8") for path in modules)
    built = set(re.findall(r'^(?:unary|binary)\("(\w+)"', text, re.MULTILINE))
    for names in re.findall(r"^@operation\((.*?)\)$", text, re.MULTILINE):
        built |= set(re.findall(r'"(\w+)"', names))
    assert built - {"Constant"} <= tried
