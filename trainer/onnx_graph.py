"""An ONNX graph as a CNTK network: a batch axis on the input, weights as trainable parameters.

Every function below makes one ONNX operation of CNTK's. Values are CNTK nodes without the batch axis,
or numpy arrays where the graph says them. What an operation cannot do here is refused by name:
nothing is approximated.
"""

import numpy as np

from trainer.engine import C
from trainer.model_file import RefusedModel

OPERATIONS = {}
NORMALIZATION_SAMPLES = 4096
"""Time constant of running means, in samples, should batch normalization be trained on."""


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


@operation("Constant")
def constant(step):
    found = step.attribute("value")
    if found is None:
        for name in ("value_float", "value_int", "value_floats", "value_ints"):
            if name in step.left:
                found = np.array(step.attribute(name))
    if found is None:
        step.refuse("only numbers can be constants")
    return found


@operation("Identity")
def identity(step):
    return step.value(0)


@operation("Dropout")
def dropout(step):
    x = step.tensor(0)
    rate = step.attribute("ratio", 0.5)
    step.attribute("seed")
    if step.has(1):
        rate = float(np.ravel(step.array(1))[0])
    return C.dropout(x, rate)


def unary(name, make, **defaults):
    @operation(name)
    def of_one(step):
        return make(step.tensor(0), *[step.attribute(key, value) for key, value in defaults.items()])


unary("Relu", lambda x: C.relu(x))
unary("Sigmoid", lambda x: C.sigmoid(x))
unary("Tanh", lambda x: C.tanh(x))
unary("Exp", lambda x: C.exp(x))
unary("Log", lambda x: C.log(x))
unary("Sqrt", lambda x: C.sqrt(x))
unary("Abs", lambda x: C.abs(x))
unary("Neg", lambda x: C.negate(x))
unary("Softplus", lambda x: C.softplus(x))
unary("Softsign", lambda x: C.softsign(x))
unary("LeakyRelu", lambda x, alpha: C.leaky_relu(x, alpha), alpha=0.01)
unary("Elu", lambda x, alpha: C.elu(x, alpha), alpha=1.0)


@operation("PRelu")
def prelu(step):
    x = step.tensor(0)
    return C.param_relu(step.operand(1, len(x.shape)), x)


@operation("Clip")
def clip(step):
    x = step.tensor(0)
    least, most = step.attribute("min"), step.attribute("max")
    if step.has(1):
        least = float(step.array(1))
    if step.has(2):
        most = float(step.array(2))
    if least is not None:
        x = C.element_max(x, C.constant(float(least)))
    return x if most is None else C.element_min(x, C.constant(float(most)))


def binary(name, make):
    @operation(name)
    def of_two(step):
        step.only("broadcast", 0, 1)
        if "axis" in step.left:
            step.refuse("broadcasting along an axis is of ONNX before opset 7")
        ranks = [len(step.value(place).shape) for place in (0, 1)]
        given = [isinstance(step.value(place), np.ndarray) for place in (0, 1)]
        if all(given):
            return make(step.array(0), step.array(1))
        rank = max(rank for rank, constant in zip(ranks, given) if not constant)
        return make(step.operand(0, rank), step.operand(1, rank))


binary("Add", lambda a, b: a + b)
binary("Sub", lambda a, b: a - b)
binary("Mul", lambda a, b: a * b)
binary("Div", lambda a, b: a / b)


@operation("Sum")
def total(step):
    rank = len(step.tensor(0).shape)
    found = step.tensor(0)
    for place in range(1, len(step.node.inputs)):
        found = found + step.operand(place, rank)
    return found


@operation("Concat")
def concat(step):
    parts = [step.value(place) for place in range(len(step.node.inputs))]
    axis = step.attribute("axis", 1)
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts, axis)
    parts = [step.tensor(place) for place in range(len(parts))]
    return C.splice(*parts, axis=step.axis(axis, len(parts[0].shape)))


def padding(step, size):
    """(lower, upper) of each spatial dimension, from ``pads`` or ``auto_pad``."""
    pads = step.attribute("pads", [0] * (2 * len(size)))
    step.only("auto_pad", "NOTSET", "VALID")
    if len(pads) != 2 * len(size) or min(pads) < 0:
        step.refuse("pads %s do not fit %d dimensions" % (pads, len(size)))
    return list(zip(pads[: len(size)], pads[len(size) :]))


def centred(pads, size, strides):
    """Whether CNTK's own padding is the same: the window's centre on the first element, odd sizes.

    From stride 3 on CNTK may begin with another element.
    """
    wanted = [((n - 1) // 2,) * 2 for n in size]
    return pads == wanted and all(n % 2 for n in size) and max(strides) <= 2


def padded(x, pads, value=0.0):
    """Explicit padding of the spatial dimensions; the channels stay."""
    return C.pad(x, [(0, 0)] + pads, mode=C.ops.CONSTANT_PAD, constant_value=value)


@operation("Conv")
def convolution(step):
    x, weight = step.tensor(0), step.array(1)
    size = list(weight.shape[2:])
    step.attribute("kernel_shape")
    strides = step.attribute("strides", [1] * len(size))
    dilations = step.attribute("dilations", [1] * len(size))
    groups = step.attribute("group", 1)
    if set(dilations) != {1} or groups != 1:
        step.refuse("dilation %s and %s groups: CNTK has neither on CPU" % (dilations, groups))
    if len(x.shape) != len(size) + 1 or weight.shape[1] != x.shape[0]:
        step.refuse("weights of shape %s do not fit an input of shape %s" % (weight.shape, x.shape))
    pads = padding(step, size)
    any_pad = any(low or high for low, high in pads)
    own = any_pad and centred(pads, size, strides)
    if any_pad and not own:
        x = padded(x, pads)
    made = C.convolution(
        step.parameter(1),
        x,
        strides=(1,) + tuple(strides),
        auto_padding=[False] + [own] * len(size),
    )
    if step.has(2):
        made = made + step.parameter(2, (weight.shape[0],) + (1,) * len(size))
    return made


@operation("BatchNormalization")
def batch_normalization(step):
    x = step.tensor(0)
    epsilon = step.attribute("epsilon", 1e-5)
    step.attribute("momentum")
    step.only("spatial", 1)
    step.only("training_mode", 0)
    step.attribute("is_test")
    name, shape = step.node.name, step.array(1).shape
    statistics = [
        C.constant(np.ascontiguousarray(step.array(place), np.float32), name=step.node.inputs[place])
        for place in (3, 4)
    ]
    return C.batch_normalization(
        x,
        step.parameter(1),
        step.parameter(2),
        statistics[0],
        statistics[1],
        # A count of zero would have the first minibatch replace the statistics.
        running_count=C.constant(float(NORMALIZATION_SAMPLES), shape=(), name=name + ".count"),
        spatial=len(x.shape) > len(shape),
        normalization_time_constant=NORMALIZATION_SAMPLES,
        epsilon=epsilon,
        use_cudnn_engine=False,
    )


def pooling(step, kind, outside):
    x = step.tensor(0)
    size = step.attribute("kernel_shape")
    strides = step.attribute("strides", [1] * len(size))
    step.only("storage_order", 0)
    if set(step.attribute("dilations", [1])) != {1}:
        step.refuse("dilation: CNTK's pooling has none")
    ceiling = bool(step.attribute("ceil_mode", 0))
    pads = padding(step, size)
    any_pad = any(low or high for low, high in pads)
    include = bool(step.attribute("count_include_pad", 0))
    own = any_pad and centred(pads, size, strides)
    if any_pad and not own:
        if kind == C.AVG_POOLING and not include:
            step.refuse("pads %s with an average over real values only" % pads)
        x = padded(x, pads, outside)
    if ceiling and any_pad:
        step.refuse("ceil_mode with pads")
    return C.pooling(
        x,
        kind,
        tuple(size),
        strides=tuple(strides),
        auto_padding=[own] * len(size),
        ceil_out_dim=ceiling,
        include_pad=include and own,
    )


@operation("MaxPool")
def max_pool(step):
    return pooling(step, C.MAX_POOLING, -3e38)


@operation("AveragePool")
def average_pool(step):
    return pooling(step, C.AVG_POOLING, 0.0)


@operation("GlobalAveragePool")
def global_average_pool(step):
    x = step.tensor(0)
    return C.reduce_mean(x, axis=tuple(range(1, len(x.shape))), keepdims=True)


@operation("GlobalMaxPool")
def global_max_pool(step):
    x = step.tensor(0)
    return C.reduce_max(x, axis=tuple(range(1, len(x.shape))), keepdims=True)


@operation("ReduceMean")
def reduce_mean(step):
    x = step.tensor(0)
    axes = step.attribute("axes")
    if step.has(1):
        axes = step.integers(1)
    if not axes:
        step.refuse("a mean over everything, the batch too")
    keep = bool(step.attribute("keepdims", 1))
    step.only("noop_with_empty_axes", 0)
    found = sorted(step.axis(axis, len(x.shape)) for axis in axes)
    made = C.reduce_mean(x, axis=tuple(found), keepdims=True)
    if keep:
        return made
    left = [size for axis, size in enumerate(x.shape) if axis not in found]
    return C.reshape(made, tuple(left) or (1,))


@operation("Flatten")
def flatten(step):
    x = step.tensor(0)
    step.only("axis", 1)
    return C.reshape(x, (size_of(step, x),))


@operation("Reshape")
def reshape(step):
    x = step.value(0)
    shape = step.integers(1) if step.has(1) else step.attribute("shape")
    step.attribute("shape")
    step.only("allowzero", 0)
    if isinstance(x, np.ndarray):
        return x.reshape([x.shape[place] if size == 0 else size for place, size in enumerate(shape)])
    own = list(x.shape)
    # The batch's size: kept (0), told to be one row, or whatever is left (-1).
    if not shape or shape[0] not in (0, 1, -1):
        step.refuse("the shape %s gives the batch another size" % shape)
    wanted = [own[place] if size == 0 else size for place, size in enumerate(shape[1:])]
    if any(size < -1 for size in wanted) or (shape[0] == -1 and -1 in wanted):
        step.refuse("the shape %s cannot be followed" % shape)
    if -1 in wanted:
        rest = int(np.prod([size for size in wanted if size != -1] or [1]))
        wanted[wanted.index(-1)] = size_of(step, x) // rest
    if int(np.prod(wanted or [1])) != size_of(step, x):
        step.refuse("the shape %s does not hold what a row of shape %s has" % (shape, tuple(own)))
    return C.reshape(x, tuple(wanted) or (1,))


@operation("Squeeze", "Unsqueeze")
def squeeze(step):
    x = step.value(0)
    axes = step.attribute("axes")
    if step.has(1):
        axes = step.integers(1)
    adding = step.node.op == "Unsqueeze"
    if axes is None:
        step.refuse("axes are needed")
    if isinstance(x, np.ndarray):
        for axis in sorted(axes, reverse=not adding):
            x = np.expand_dims(x, axis) if adding else np.squeeze(x, axis)
        return x
    shape = list(x.shape)
    rank = len(shape) + (len(axes) if adding else 0)
    places = sorted(step.axis(axis, rank) for axis in axes)
    for place in places if adding else reversed(places):
        if adding:
            shape.insert(place, 1)
        elif shape.pop(place) != 1:
            step.refuse("axis %d of %s is not of size 1" % (place + 1, tuple(x.shape)))
    return C.reshape(x, tuple(shape) or (1,))


@operation("Transpose")
def transpose(step):
    x = step.value(0)
    order = step.attribute("perm")
    if isinstance(x, np.ndarray):
        return np.transpose(x, order)
    if not order or order[0] != 0:
        step.refuse("the batch must stay where it is, not %s" % order)
    return C.transpose(x, [axis - 1 for axis in order[1:]])


@operation("Gemm")
def gemm(step):
    x = step.tensor(0)
    step.only("transA", 0)
    alpha, beta = step.attribute("alpha", 1.0), step.attribute("beta", 1.0)
    weight = step.array(1)
    step.only("broadcast", 0, 1)
    if step.attribute("transB", 0):
        weight = weight.T
    made = C.times(x, step.learned(step.node.inputs[1], weight))
    if alpha != 1:
        made = made * C.constant(float(alpha))
    if step.has(2):
        bias = step.operand(2, 1)
        made = made + (bias if beta == 1 else bias * C.constant(float(beta)))
    return made


@operation("MatMul")
def matmul(step):
    x, weight = step.tensor(0), step.array(1)
    if len(x.shape) != 1 or weight.ndim != 2:
        step.refuse("only a vector a row times a matrix of the file, not %s x %s" % (x.shape, weight.shape))
    return C.times(x, step.parameter(1))


@operation("Pad")
def pad(step):
    x = step.tensor(0)
    step.only("mode", "constant")
    pads = step.integers(1) if step.has(1) else step.attribute("pads")
    value = step.attribute("value", 0.0)
    if step.has(2):
        value = float(step.array(2))
    rank = len(x.shape)
    if pads is None or len(pads) != 2 * (rank + 1) or pads[0] or pads[rank + 1] or min(pads) < 0:
        step.refuse("pads %s do not fit, or change the batch" % pads)
    pairs = list(zip(pads[1 : rank + 1], pads[rank + 2 :]))
    return C.pad(x, pairs, mode=C.ops.CONSTANT_PAD, constant_value=value)


@operation("Softmax", "LogSoftmax")
def softmax(step):
    x = step.tensor(0)
    make = C.softmax if step.node.op == "Softmax" else C.log_softmax
    rank = len(x.shape)
    axis = step.axis(step.attribute("axis", 1 if step.opset < 13 else -1), rank)
    if rank == 1:
        return make(x)
    if step.opset >= 13:
        return make(x, axis=axis)
    # Before opset 13: over that axis and all behind it as one.
    if axis != 0:
        step.refuse("axis %d of ONNX before opset 13" % (axis + 1))
    return C.reshape(make(C.reshape(x, (size_of(step, x),))), x.shape)


@operation("LRN")
def local_response_normalization(step):
    x, size = step.tensor(0), step.attribute("size")
    alpha, beta = step.attribute("alpha", 1e-4), step.attribute("beta", 0.75)
    if not size or not size % 2:
        step.refuse("size %s: an odd number of channels is needed" % size)
    return C.local_response_normalization(x, size // 2, step.attribute("bias", 1.0), alpha, beta)


def size_of(step, x):
    if any(size < 0 for size in x.shape):
        step.refuse("it needs an input of fixed size; %s has none" % (x.shape,))
    return int(np.prod(x.shape))
