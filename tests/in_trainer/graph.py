"""Build networks and report on every node: rows of JSON on the standard input, JSON on the output.

A row holds ``inputs`` ({name: {"shape", "sparse"}}), complete ``layers``, a ``seed``, and
optionally ``feed`` ({input: examples}) to evaluate all nodes on, ``weights``, true to have
the parameters' values as well, and ``gradient``, the name of a node: then the gradients of
the sum of its squares over the feed, by parameter. Run by the trainer's interpreter.
"""

import json
import sys

import numpy as np

from trainer.engine import C
from trainer.network import Network


class Shapes:
    """Stands where a network looks for its data set: columns that have a shape and no rows."""

    class Column:
        def __init__(self, shape, sparse):
            self.shape = tuple(shape)
            self.sparse = sparse

    def __init__(self, inputs):
        self.inputs = inputs

    def column(self, field):
        return self.Column(**self.inputs[field])


def report(row):
    inputs = {
        name: {"field": name, "standardize": False, "shift": 0.0, "scale": 1.0} for name in row["inputs"]
    }
    spec = {"inputs": inputs, "network": row["layers"], "training": {"seed": row["seed"]}}
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
            "parameters": {name: parameter.shape for name, parameter in parameters.items()},
            "in_graph": all(prefix + name in in_graph for name in parameters),
        }
        if row.get("weights"):
            entry["weights"] = {name: parameter.value.tolist() for name, parameter in parameters.items()}
        if row.get("feed"):
            arguments = {
                network.variables[name]: np.array(row["feed"][name], dtype=np.float32)
                for name in row["feed"]
                if network.variables[name] in node.arguments
            }
            entry["values"] = node.eval(arguments).tolist()
        found[layer["name"]] = entry
    if row.get("gradient"):
        node = network.nodes[row["gradient"]]
        arguments = {
            network.variables[name]: np.array(row["feed"][name], dtype=np.float32) for name in row["feed"]
        }
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
