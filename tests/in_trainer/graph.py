"""Build networks and report on every node: rows of JSON on the standard input, JSON on the output.

A row holds ``inputs`` ({name: {"shape", "sparse", "axis", "codes"}}), complete ``layers``, a ``seed``,
and optionally ``feed`` ({input: examples}, of sequences rows of steps) to evaluate all nodes on,
``weights``, true to have the parameters' values as well, and ``gradient``, the name of a node: then
the gradients of the sum of its squares over the feed, by parameter. Run by the trainer's interpreter.
"""

import json
import sys

import numpy as np

from trainer.columns import Padded
from trainer.engine import C, axis_of
from trainer.feeding import value
from trainer.network import Network


class Shapes:
    """Stands where a network looks for its data set: columns that have a shape and no rows."""

    class Column:
        def __init__(self, shape, sparse=False, axis=None, codes=False, coded=False):
            self.shape = () if coded else tuple(shape)
            self.sparse = sparse
            self.axis = axis

    def __init__(self, inputs):
        self.inputs = inputs
        kinds = {True: "categorical", False: "dense"}
        self.fields = {name: {"kind": kinds[given.get("codes", False)]} for name, given in inputs.items()}

    def column(self, field, coded=False):
        return self.Column(coded=coded, **self.inputs[field])


def fed(network, feed):
    """CNTK's values of the examples, by variable, and the arrays that they borrow."""
    found, borrowed = {}, []
    for variable, column in network.columns.items():
        examples = feed[variable.name]
        if column.axis is None:
            array = np.array(examples, dtype=np.float32)
        else:
            steps = [np.array(row, dtype=np.float32) for row in examples]
            lengths = np.array([len(row) for row in steps])
            array = np.zeros((len(steps), lengths.max()) + column.shape, dtype=np.float32)
            for row, values in enumerate(steps):
                array[row, : len(values)] = values
            array = Padded(array, lengths)
        borrowed.append(array)
        found[variable] = value(array, C.cpu())
    return found, borrowed


def listed(values):
    return [item.tolist() for item in values] if isinstance(values, list) else values.tolist()


def report(row):
    inputs = {
        name: {"field": name, "standardize": False, "shift": 0.0, "scale": 1.0} for name in row["inputs"]
    }
    layers = [dict({"share": None}, **layer) for layer in row["layers"]]
    spec = {"inputs": inputs, "network": layers, "training": {"seed": row["seed"]}}
    network = Network(spec, Shapes(row["inputs"]))
    found = {}
    for layer in row["layers"]:
        node, prefix = network.nodes[layer["name"]], layer["name"] + "."
        parameters = {
            name[len(prefix) :]: parameter
            for name, parameter in network.parameters.items()
            if name.startswith(prefix)
        }
        in_graph = {parameter.name for parameter in node.parameters}
        entry = {
            "shape": node.shape,
            "axis": axis_of(node).name if axis_of(node) else None,
            "parameters": {name: parameter.shape for name, parameter in parameters.items()},
            "in_graph": all(prefix + name in in_graph for name in parameters),
        }
        if row.get("weights"):
            entry["weights"] = {name: parameter.value.tolist() for name, parameter in parameters.items()}
        if row.get("feed"):
            arguments, _borrowed = fed(network, row["feed"])
            used = {variable.uid for variable in node.arguments}
            entry["values"] = listed(node.eval({v: found for v, found in arguments.items() if v.uid in used}))
        found[layer["name"]] = entry
    if row.get("gradient"):
        node = network.nodes[row["gradient"]]
        arguments, _borrowed = fed(network, row["feed"])
        gradients = C.reduce_sum(node * node).grad(arguments, wrt=list(network.parameters.values()))
        found["gradients"] = {parameter.name: value.tolist() for parameter, value in gradients.items()}
    return found


def attempted(row):
    """The report, or {"error"} in CNTK's words without its call stack."""
    try:
        return report(row)
    except (ValueError, RuntimeError) as error:
        return {"error": str(error).split("[CALL STACK]")[0].strip()}


if __name__ == "__main__":
    C.logging.set_trace_level(C.logging.TraceLevel.Error)
    json.dump([attempted(row) for row in json.load(sys.stdin)], sys.stdout)
