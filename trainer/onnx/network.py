"""An ONNX graph as a CNTK network: a batch axis on the input, weights as trainable parameters."""

import numpy as np

from trainer.engine import C
from trainer.model_file import RefusedModel
from trainer.onnx import arithmetic, pictures, shaping  # noqa: F401  # they register their operations
from trainer.onnx.step import OPERATIONS, Step


def build(graph):
    """The outputs as CNTK nodes, and {uid: name} of the operations that the file has names for."""
    values = dict(graph.weights)
    for name, shape in graph.inputs.items():
        if len(shape) < 2:
            raise RefusedModel("input %r has the shape %s: a batch and more is needed" % (name, shape))
        own = [C.FreeDimension if size is None else size for size in shape[1:]]
        values[name] = C.input_variable(own, name=name)
    parameters, names = {}, {}
    for node in graph.nodes:
        make = OPERATIONS.get(node.op)
        if make is None:
            known = ", ".join(sorted(OPERATIONS))
            raise RefusedModel(
                "node %r is of operation %s, which cannot be taken; known are %s"
                % (node.name, node.op, known)
            )
        step = Step(node, graph, values, parameters)
        made = make(step)
        if step.left:
            step.refuse("attribute %s is not known" % ", ".join(sorted(step.left)))
        if not isinstance(made, np.ndarray):
            names.setdefault(made.root_function.uid if isinstance(made, C.Function) else made.uid, node.name)
        # Second outputs (a dropout's mask) are for training; whoever takes one is refused by its name.
        values[node.outputs[0]] = made
    for name in graph.outputs:
        if isinstance(values.get(name), (np.ndarray, type(None))):
            raise RefusedModel("output %r does not depend on the input" % name)
    return [values[name] for name in graph.outputs], names
