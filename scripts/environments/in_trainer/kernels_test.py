"""``kernels_test.py THREADS [LIBRARY]``: train small networks, with a library of kernels or with CNTK alone.

Run by the trainer's Python; prints as one JSON line the SHA-256 of each network's parameters and of what
functions give.
"""

import ctypes
import hashlib
import json
import os
import sys
import warnings

STEPS = 6
RECURRENT = ("sequence", "gated", "loop", "wide")
ROWS = 24


def networks():
    """Input shape and what is made of it, by name; each holds some of the kernels."""
    import cntk as C
    import numpy as np

    layers = C.layers

    def dense(x):
        return layers.Dense(200, activation=C.relu)(x)

    def image(x):
        x = layers.Convolution2D((3, 3), 8, activation=C.relu, pad=True)(x)
        x = layers.MaxPooling((2, 2), 2)(x)
        x = layers.Convolution2D((3, 3), 4, activation=C.tanh, pad=True)(x)
        return layers.MaxPooling((3, 3), 2, pad=True)(x)

    def halved(x):
        """Rows of more outputs than are done side by side, with and without windows that overlap."""
        x = layers.MaxPooling((2, 2), 2)(layers.Convolution2D((3, 3), 2, activation=C.relu, pad=True)(x))
        return C.splice(layers.MaxPooling((3, 2), 2)(x), layers.MaxPooling((2, 2), 2)(x), axis=0)

    def channels(x):
        """So many that Intel's convolutions want the numbers in an order of their own."""
        x = layers.Convolution2D((3, 3), 16, activation=C.relu, pad=True)(x)
        return layers.BatchNormalization(map_rank=1)(layers.Convolution2D((3, 3), 32, pad=True)(x))

    def thin(x):
        """Convolutions from many channels to one, and without pixels outside."""
        x = layers.Convolution2D((3, 3), 32, activation=C.relu, pad=True)(x)
        x = layers.Convolution2D((5, 5), 16, activation=C.relu, pad=False)(x)
        x = layers.Convolution2D((3, 3), 48, activation=C.relu, pad=False)(x)
        return layers.Convolution2D((5, 5), 1, pad=True)(layers.Convolution2D((5, 5), 16, pad=True)(x))

    def regions(x):
        """Overlapping, at the edges, beyond them, of one pixel, and with exchanged corners."""
        corners = [
            [0, 0, 9, 9],
            [3, 2, 30, 17],
            [5, 5, 5, 5],
            [20, 9, 60, 40],
            [12, 12, 4, 4],
            [0, 0, 0, 0],
            [7, 0, 8, 19],
        ]
        x = layers.Convolution2D((3, 3), 5, activation=C.relu, pad=True)(x)
        # CNTK pools by what each row has of its own.
        rois = C.reshape(C.reduce_sum(x) * 0, (1, 1)) + C.constant(np.array(corners, dtype=np.float32))
        return C.roipooling(x, rois, C.MAX_POOLING, (3, 4), spatial_scale=0.7)

    def line(x):
        return layers.MaxPooling((3,), 1, pad=True)(layers.Convolution((5,), 7, pad=True)(x))

    def elements(x):
        scale, shift = C.parameter((1, 7)), C.parameter((9, 1))
        scaled = x * scale - shift
        gated = C.sigmoid(scaled) * C.tanh(x) + C.relu(scaled - x) * C.parameter(())
        chosen = C.element_select(C.greater(C.reduce_sum(x, axis=0), 0), scaled, gated)
        return C.splice(gated + scaled * scaled, 2 - gated, C.reduce_sum(gated * x, axis=0), chosen, axis=0)

    def logarithms(x):
        """Sums of exponentials of numbers near each other and far apart, along one dimension or both."""
        sums = [C.reduce_log_sum_exp(scale * x, axis=axis) for axis in (0, 1) for scale in (1, 30, 900)]
        sums += [C.reduce_log_sum_exp(x), C.log_softmax(x * 60, axis=1), C.log_softmax(x * 3, axis=0)]
        return C.splice(*(C.reshape(found, (-1,)) for found in sums), axis=0)

    def around(x):
        inner = layers.Convolution2D((3, 3), 6, pad=True, activation=C.relu)(x)
        return C.relu(layers.BatchNormalization(map_rank=1)(inner) + C.splice(x, x, x, axis=0))

    def sequence(x):
        both = [layers.Recurrence(layers.LSTM(24), go_backwards=back)(x) for back in (False, True)]
        return C.sequence.last(C.splice(*both)) + C.sequence.reduce_sum(C.splice(*both))

    def gated(x):
        """One recurrence over another, with factors for all steps; others read its states."""
        inner = C.dropout(layers.Recurrence(layers.GRU(21))(x), 0.2, seed=3)
        outer = layers.Recurrence(layers.LSTM(20, use_peepholes=True), return_full_state=True)(inner)
        return C.splice(*(C.sequence.last(state) for state in outer.outputs))

    def wide(x):
        """Matrices of which products take several pieces, and one that two recurrences share."""
        inner = layers.Recurrence(layers.LSTM(101))(x)
        twice = layers.RNNStep(101, activation=C.tanh)
        outer = layers.Recurrence(twice, go_backwards=True)(layers.Recurrence(twice)(inner))
        return C.splice(C.sequence.last(inner), C.sequence.first(outer))

    def loop(x):
        """A recurrence of no known kind, of which others read what is neither state nor output."""
        weights, scale = C.parameter((9, 12)), C.parameter(9)
        state = C.placeholder(shape=(9,))
        last = C.sequence.past_value(state, initial_state=0.25)
        gates = C.times(last, weights) + layers.Dense(12)(x)
        inner = C.tanh(gates[-9:])
        turned = C.splice(gates[:4], C.exp(inner[1:6]), axis=0)
        new = C.relu(last - scale * inner) + (1 - C.sigmoid(gates[:9])) * inner * inner - turned
        new = new.replace_placeholders({state: new.output})
        ends = C.sequence.last(new), C.sequence.last(inner), C.sequence.reduce_sum(gates)
        steps = layers.Recurrence(layers.RNNStep(18, activation=C.relu), go_backwards=True)(x)
        return C.splice(*ends, C.sequence.first(steps), axis=0)

    def ids(x):
        # Twice, so that the second gradient is added to the first.
        twice = layers.Dense(20)
        return C.tanh(twice(x)) * C.sigmoid(twice(x))

    return {
        "ids": ((70,), ids),
        "dense": ((150,), dense),
        "image": ((2, 13, 11), image),
        "halved": ((1, 10, 77), halved),
        "channels": ((2, 13, 11), channels),
        "thin": ((3, 12, 38), thin),
        "regions": ((2, 15, 22), regions),
        "line": ((3, 40), line),
        "elements": ((9, 7), elements),
        "logarithms": ((11, 70), logarithms),
        "around": ((2, 8, 8), around),
        "sequence": ((11,), sequence),
        "gated": ((11,), gated),
        "loop": ((11,), loop),
        "wide": ((11,), wide),
    }


def train(name, shape, body):
    """SHA-256 of the losses and of the parameters that a few steps leave."""
    import cntk as C
    import numpy as np
    from scipy.sparse import csr_matrix

    random = np.random.RandomState(1)
    made = C.sequence.input_variable if name in RECURRENT else C.input_variable
    x, y = made(shape, is_sparse=name == "ids"), C.input_variable(5)
    scores = C.layers.Dense(5)(body(x))
    for parameter in scores.parameters:
        # Steps, so that several inputs of a pooling reach its maximum.
        parameter.value = np.array(np.round(random.randn(*parameter.shape) * 16) / 64, dtype=np.float32)
    rate = C.learning_parameter_schedule(0.01, minibatch_size=C.learners.IGNORE)
    if name == "ids":
        # Adam does not take the gradients of sparse inputs.
        learner = C.sgd(scores.parameters, rate, minibatch_size=C.learners.IGNORE)
    else:
        learner = C.adam(scores.parameters, rate, 0.9, minibatch_size=C.learners.IGNORE)
    trainer = C.Trainer(scores, (C.cross_entropy_with_softmax(scores, y), None), [learner])
    digest = hashlib.sha256()
    for _ in range(STEPS):
        rows = (np.round(random.randn(ROWS, *shape) * 2) / 2).astype(np.float32)
        if name == "ids":
            rows = csr_matrix(rows * (random.rand(*rows.shape) < 0.1))
        if name in RECURRENT:
            rows = [np.stack([row * step for step in range(random.randint(1, 9))]) for row in rows]
        labels = np.eye(5)[random.randint(0, 5, ROWS)]
        trainer.train_minibatch({x: rows, y: labels.astype(np.float32)})
        digest.update(np.float64(trainer.previous_minibatch_loss_average).tobytes())
    for parameter in scores.parameters:
        digest.update(np.ascontiguousarray(parameter.value).tobytes())
    return digest.hexdigest()


def continued():
    """SHA-256 of training on sequences that go on in the next minibatch, with all values of a recurrence."""
    import cntk as C
    import numpy as np

    random = np.random.RandomState(2)
    x, y = C.sequence.input_variable(6), C.sequence.input_variable(3)
    h, c = (C.placeholder(shape=(10,)) for _ in range(2))
    gates = C.times(x, C.parameter((6, 40))) + C.times(C.sequence.past_value(h), C.parameter((10, 40)))
    parts = [gates[10 * part : 10 * part + 10] for part in range(4)]
    i, f, o = (C.sigmoid(part) for part in parts[:3])
    products = f * C.sequence.past_value(c), i * C.tanh(parts[3])
    cell = products[0] + products[1]
    output = o * C.tanh(cell)
    output.replace_placeholders({h: output.output, c: cell.output})
    scores = C.times(output, C.parameter((10, 3)))
    for parameter in scores.parameters:
        parameter.value = random.randn(*parameter.shape).astype(np.float32)
    loss = C.squared_error(scores, y)
    rate = C.learning_parameter_schedule(0.01, minibatch_size=C.learners.IGNORE)
    trainer = C.Trainer(scores, (loss, loss), [C.sgd(scores.parameters, rate)])
    outputs = [node.output for node in (gates, *parts, i, f, o, *products, cell, output)]
    digest = hashlib.sha256()
    for step in range(STEPS):
        rows = [random.randn(2, 5, variable.shape[0]).astype(np.float32) for variable in (x, y)]
        starts = [step % 4 == 0, step % 4 in (0, 2)]
        arguments = {v: C.Value.create(v, list(of), starts) for v, of in zip((x, y), rows)}
        _, found = trainer.train_minibatch(arguments, outputs=outputs[::4])
        digest.update(np.float64(trainer.previous_minibatch_loss_average).tobytes())
        digest.update(np.float64(trainer.test_minibatch(arguments)).tobytes())
        for output in outputs[::4]:
            digest.update(np.ascontiguousarray(found[output]).tobytes())
    for parameter in scores.parameters:
        digest.update(np.ascontiguousarray(parameter.value).tobytes())
    lengths = [random.randn(random.randint(1, 9), 6).astype(np.float32) for _ in range(4)]
    for values in C.combine(outputs).eval({x: lengths}).values():
        for sequence in values:
            digest.update(np.ascontiguousarray(sequence).tobytes())
    return digest.hexdigest()


def functions():
    """SHA-256 of the functions that have kernels, at numbers of every size."""
    import cntk as C
    import numpy as np

    numbers = np.arange(0, 2**32, 4099, dtype=np.uint32).view(np.float32)
    numbers = numbers[~np.isnan(numbers)][None]
    x = C.input_variable(numbers.shape[1])
    digest = hashlib.sha256()
    for function in (C.tanh, C.sigmoid):
        digest.update(np.ascontiguousarray(function(x).eval({x: numbers})).tobytes())
    return digest.hexdigest()


def products(library):
    """SHA-256 of matrix products of every kind and many shapes, by a library's cblas_sgemm."""
    import numpy as np

    def pointer(array):
        return array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))

    random, digest = np.random.RandomState(4), hashlib.sha256()
    shapes = [
        (m, n, k) for m in (10, 16, 77, 130, 250) for n in (7, 16, 45, 128, 200) for k in (1, 2, 40, 500)
    ]
    shapes += [
        (191, 33, 1100),
        (192, 33, 1100),
        (300, 16, 769),
        (40, 20, 431),
        (512, 64, 768),
        (512, 64, 2100),
    ]
    for m, n, k in shapes:
        for left, right, beta in ((111, 111, 0), (112, 111, 0), (112, 111, 1), (111, 112, 1), (112, 112, 1)):
            # Columns stand a little apart; some products are too small for a number, and less than nothing.
            heights = [3 + of for of in (m if left == 111 else k, k if right == 111 else n, m)]
            a, b, c = (
                random.randn(of * height).astype(np.float32) * (random.rand(of * height) < 0.8)
                for of, height in zip((k if left == 111 else m, n if right == 111 else k, n), heights)
            )
            a[::5] *= np.float32(-1e-30)
            b[::7] *= np.float32(1e-30)
            of_left, of_right = (pointer(a), heights[0]), (pointer(b), heights[1])
            of_result = (ctypes.c_float(beta), pointer(c), heights[2])
            library.cblas_sgemm(
                102, left, right, m, n, k, ctypes.c_float(1), *(of_left + of_right + of_result)
            )
            digest.update(c.tobytes())
    return digest.hexdigest()


def main():
    # CNTK warns of its own age on import, and prints while it trains.
    warnings.simplefilter("ignore")
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for library in sys.argv[2:]:
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    import cntk as C

    C.logging.set_trace_level(C.logging.TraceLevel.Error)
    # Once for all: CNTK's convolutions divide by zero where the number changes.
    C.cntk_py.set_max_num_cputhreads(int(sys.argv[1]))
    found = {name: train(name, shape, body) for name, (shape, body) in networks().items()}
    found["continued"] = continued()
    found["functions"] = functions()
    found["products"] = products(ctypes.CDLL((sys.argv[2:] or ["libmklml_intel.so"])[0]))
    answer.write(json.dumps(found) + "\n")
    answer.close()


if __name__ == "__main__":
    main()
