"""ONNX's operations on numbers: constants, element by element, products of matrices, softmax."""

import numpy as np

from trainer.engine import C
from trainer.onnx.step import operation, size_of


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
