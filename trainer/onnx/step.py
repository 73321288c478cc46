"""One node of an ONNX graph while its operation is made of CNTK's, and the register of operations.

Values are CNTK nodes without the batch axis, or numpy arrays where the file says them.
"""

import numpy as np

from trainer.engine import C
from trainer.model_file import RefusedModel

OPERATIONS = {}


def operation(*names):
    def register(make):
        OPERATIONS.update((name, make) for name in names)
        return make

    return register


class Step:
    """One node of the graph while its operation is made."""

    def __init__(self, node, graph, values, parameters):
        self.node, self.graph = node, graph
        self.opset = graph.opset
        self.values, self.parameters = values, parameters
        self.left = dict(node.attributes)

    def refuse(self, why):
        raise RefusedModel("node %r (%s): %s" % (self.node.name, self.node.op, why))

    def attribute(self, name, default=None):
        return self.left.pop(name, default)

    def only(self, name, *allowed):
        """An attribute that may be absent or one of some values."""
        found = self.left.pop(name, allowed[0])
        if found not in allowed:
            self.refuse("%s %r cannot be had here, only %s" % (name, found, " or ".join(map(repr, allowed))))

    def has(self, place):
        return place < len(self.node.inputs) and bool(self.node.inputs[place])

    def value(self, place):
        """An input as it is: a node or an array."""
        if not self.has(place):
            self.refuse("input %d is missing" % place)
        name = self.node.inputs[place]
        if name not in self.values:
            self.refuse("it takes in %r, which no node before it gives" % name)
        return self.values[name]

    def tensor(self, place):
        """An input that depends on the model's own."""
        found = self.value(place)
        if isinstance(found, np.ndarray):
            self.refuse("input %d is a constant where the network's values are needed" % place)
        return found

    def array(self, place):
        """An input that the file says."""
        found = self.value(place)
        if not isinstance(found, np.ndarray):
            self.refuse("input %d must be a constant of the file" % place)
        return found

    def integers(self, place):
        return [int(number) for number in np.ravel(self.array(place))]

    def parameter(self, place, shape=None):
        """A weight as a trainable parameter; one that is used twice is one parameter."""
        return self.learned(self.node.inputs[place], self.array(place), shape)

    def learned(self, name, array, shape=None):
        array = np.ascontiguousarray(array, np.float32)
        array = array.reshape(array.shape if shape is None else shape)
        key = (name, array.shape)
        if key not in self.parameters:
            self.parameters[key] = C.parameter(array.shape, init=array, name=name)
        return self.parameters[key]

    def operand(self, place, rank):
        """An input of an operation element by element, beside values of ``rank`` dimensions.

        A weight becomes a parameter, another constant stays one; either loses the batch's dimension.
        """
        found = self.value(place)
        if not isinstance(found, np.ndarray):
            return found
        shape = found.shape
        if len(shape) == rank + 1:
            if shape[0] != 1:
                self.refuse("a constant of shape %s has its own value for each row of the batch" % (shape,))
            shape = shape[1:]
        elif len(shape) > rank + 1:
            self.refuse("a constant of shape %s has more dimensions than what it meets" % (shape,))
        if self.node.inputs[place] in self.graph.weights:
            return self.parameter(place, shape)
        return C.constant(np.ascontiguousarray(found, np.float32).reshape(shape))

    def axis(self, number, rank):
        """An axis of ONNX's, where 0 is the batch, as one of a value of ``rank`` dimensions."""
        number = number + rank + 1 if number < 0 else number
        if not 1 <= number <= rank:
            self.refuse("axis %d is the batch's, or there is none such" % number)
        return number - 1


def size_of(step, x):
    if any(size < 0 for size in x.shape):
        step.refuse("it needs an input of fixed size; %s has none" % (x.shape,))
    return int(np.prod(x.shape))
