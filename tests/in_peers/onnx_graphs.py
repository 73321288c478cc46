"""ONNX graphs as JSON in, each written to its path and run by onnxruntime; outputs for seeded values out."""

import json
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

FLOAT = onnx.TensorProto.FLOAT


def graph(case):
    weights = []
    for name, given in case["weights"].items():
        if isinstance(given, dict):
            array = np.array(given["values"], given["type"])
        else:
            scale = 0.5 / max(1, np.prod(given[1:]) ** 0.5)
            array = np.random.RandomState(sum(map(ord, name))).uniform(0.1, 1, given).astype(np.float32)
            array = (array * scale).astype(np.float32) if len(given) > 1 else array
        weights.append(numpy_helper.from_array(array, name))
    nodes, last = [], "x"
    for place, (op, inputs, attributes) in enumerate(case["nodes"]):
        taken = [last if name == "-" else name for name in inputs]
        last = f"out{place}"
        nodes.append(helper.make_node(op, taken, [last], name=op.lower() + str(place), **attributes))
    x = helper.make_tensor_value_info("x", FLOAT, ["n", *case["shape"]])
    y = helper.make_tensor_value_info(last, FLOAT, None)
    whole = helper.make_graph(nodes, "g", [x], [y], weights)
    opset = [helper.make_opsetid("", case["opset"])]
    return helper.make_model(whole, opset_imports=opset, ir_version=min(10, 3 + case["opset"] // 3))


answers = []
for case in json.load(sys.stdin):
    model = graph(case)
    onnx.save(model, case["path"])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = (np.random.RandomState(5).rand(2, *case["shape"]) * 255).astype(np.float32)
    answers.append(session.run(None, {"x": x})[0].reshape(2, -1).tolist())
json.dump(answers, sys.stdout)
