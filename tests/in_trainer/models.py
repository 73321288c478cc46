"""What tests of base models ask of CNTK: [{"do": ..., ...}] in, a list of answers out."""

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import numpy as np  # noqa: E402

from trainer import dictionary, model_file  # noqa: E402
from trainer.engine import C, take_a_first_step, use_threads  # noqa: E402
from trainer.importing import take  # noqa: E402


class Twice(C.ops.functions.UserFunction):
    """A user-defined function, as its maker would write it."""

    def __init__(self, x, name="twice"):
        super(Twice, self).__init__([x], name=name)

    def forward(self, argument, device=None, outputs_to_retain=None):
        return None, argument * 2

    def infer_outputs(self):
        return [C.output_variable(self.inputs[0].shape, self.inputs[0].dtype, self.inputs[0].dynamic_axes)]


def small(path):
    """A network with blocks, names used twice and operations without names."""
    x = C.input_variable((3, 8, 8), name="pixels")
    with C.layers.default_options(activation=C.relu):
        h = C.layers.Convolution2D((3, 3), 4, pad=True, name="conv")(x)
        h = C.layers.BatchNormalization(map_rank=1, name="conv")(h)
        h = C.layers.MaxPooling((2, 2), strides=2)(h)
        h = C.layers.GlobalAveragePooling(name="pool")(h)
        z = C.layers.Dense(5, activation=None, name="z")(h)
    z.save(path)


def free(path):
    """Any height and width fit."""
    x = C.input_variable((3, C.FreeDimension, C.FreeDimension), name="pixels")
    weight = C.parameter((4, 3, 3, 3), init=C.glorot_uniform(seed=1))
    C.convolution(weight, x, strides=(1, 1, 1), auto_padding=[False, True, True], name="conv").save(path)


def recurrent(path):
    x = C.sequence.input_variable(3, name="steps")
    C.layers.Recurrence(C.layers.LSTM(4))(x).save(path)


def craft(path, marker):
    """A model that runs a program when CNTK reads it: the class to import is a statement more."""
    x = C.input_variable((3, 8, 8), name="pixels")
    C.user_function(Twice(x)).save(path)
    model = dictionary.read(Path(path).read_bytes())
    for function in model[model_file.FUNCTIONS]:
        if "user_defined_state" in function:
            state = function["user_defined_state"]
            state["module"] = "os"
            state["class"] = "getpid; open(%r, 'w').close()" % marker
    Path(path).write_bytes(dictionary.write(model))


def load(path):
    """Whether CNTK could load it; what it ran meanwhile has been run."""
    try:
        C.load_model(path)
    except Exception as error:
        return str(error).split("[CALL STACK]")[0][:300]
    return None


def opened(path, onnx=False):
    return C.Function.load(path, format=C.ModelFormat.ONNX) if onnx else C.load_model(path)


def outputs(path, shape, onnx=False, rows=2):
    """Outputs for seeded pixels; of a raw ONNX import, whose input has no batch axis, row by row."""
    values = (np.random.RandomState(5).rand(rows, *shape) * 255).astype(np.float32)
    network = opened(path, onnx)
    if not onnx:
        return network.eval(values).reshape(rows, -1).tolist()
    one = network.arguments[0]
    return [network.eval({one: values[row : row + 1]}).ravel().tolist() for row in range(rows)]


def imported(path, folder, shape):
    """Outputs of an ONNX file once it is imported; a text that says why it is not."""
    try:
        take(Path(path), "onnx", Path(folder))
    except model_file.RefusedModel as error:
        return str(error)
    return outputs(str(Path(folder) / "model.dnn"), shape)


def facts(path):
    network = C.load_model(path)
    return {
        "parameters": sorted(parameter.name for parameter in network.parameters),
        "constants": sorted(constant.name for constant in network.constants),
        "axes": [len(argument.dynamic_axes) for argument in network.arguments],
    }


use_threads(1)
take_a_first_step()
known = (small, free, recurrent, craft, load, outputs, imported, facts)
actions = {action.__name__: action for action in known}
json.dump([actions[row.pop("do")](**row) for row in json.load(sys.stdin)], sys.stdout)
