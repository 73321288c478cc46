"""The same networks in CNTK as its users write them after its guide. Runs on the trainer's interpreter.

``in_cntk.py NETWORK DATASET MINIBATCH THREADS``: one shuffled epoch of ``Trainer.train_minibatch`` with numpy
arrays, lists of them for sequences, scipy's for sparse inputs; CNTK as its wheel is, without the kernels of
this project. Prints as one JSON line the losses, and CPU and clock seconds a step.
"""

import json
import sys
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import cntk as C  # noqa: E402
import numpy as np  # noqa: E402
from scipy.sparse import csr_matrix  # noqa: E402

WARM = 10
IGNORE = C.learners.IGNORE


class Rows:
    """One dense input and the class of each row."""

    def __init__(self, stored):
        self.features, self.digit = stored("x"), stored("digit")
        self.one_hot = np.eye(10, dtype=np.float32)
        self.x, self.y = self.input(), C.input_variable(10)
        self.model = self.network(self.x)
        self.loss = C.cross_entropy_with_softmax(self.model, self.y)

    def input(self):
        return C.input_variable(self.features.shape[1:])

    def fed(self, rows):
        return {self.x: self.features[rows], self.y: self.one_hot[self.digit[rows]]}


class Mlp(Rows):
    def network(self, x):
        hidden = C.layers.Dense(512, C.relu)(C.layers.Dense(512, C.relu)(x))
        return C.layers.Dense(10)(hidden)


class Tiny(Rows):
    def network(self, x):
        return C.layers.Dense(10)(C.layers.Dense(32, C.relu)(x))


class Conv(Rows):
    def network(self, x):
        maps = C.layers.Convolution2D((5, 5), 16, C.relu, pad=True)(x)
        maps = C.layers.MaxPooling((2, 2), 2)(maps)
        maps = C.layers.Convolution2D((3, 3), 32, C.relu, pad=True)(maps)
        maps = C.layers.MaxPooling((2, 2), 2)(maps)
        return C.layers.Dense(10)(C.layers.Dense(128, C.relu)(maps))


class Autoencoder(Rows):
    def __init__(self, stored):
        self.features = stored("x")
        self.x = self.input()
        first = C.layers.Convolution2D((3, 3), 16, C.relu, pad=True)(self.x)
        pooled = C.layers.MaxPooling((2, 2), 2)(first)
        second = C.layers.Convolution2D((3, 3), 16, C.relu, pad=True)(pooled)
        unpooled = C.layers.MaxUnpooling((2, 2), 2)(second, first)
        self.model = C.layers.Convolution2D((3, 3), 1, pad=True)(unpooled)
        self.loss = C.squared_error(self.model, self.x)

    def fed(self, rows):
        return {self.x: self.features[rows]}


class Resnet(Rows):
    def network(self, x):
        def normalized(maps, activation=C.relu):
            maps = C.layers.Convolution2D((3, 3), 16, pad=True, bias=False)(maps)
            return activation(C.layers.BatchNormalization(map_rank=1)(maps))

        maps = normalized(x)
        for _ in range(2):
            maps = C.relu(normalized(normalized(maps), lambda found: found) + maps)
        return C.layers.Dense(10)(C.layers.GlobalAveragePooling()(maps))


class Regions:
    """As in Fast R-CNN: the regions of an image are one tensor, and so are their classes."""

    def __init__(self, stored):
        self.images = stored("x")
        self.boxes, self.classes = (self.of_images(stored(field)) for field in ("rois", "digit"))
        self.x = C.input_variable(self.images.shape[1:])
        self.rois = C.input_variable(self.boxes.shape[1:])
        self.y = C.input_variable(self.classes.shape[1:])
        maps = C.layers.Convolution2D((3, 3), 16, C.relu, pad=True)(self.x)
        maps = C.layers.MaxPooling((2, 2), 2)(maps)
        maps = C.layers.Convolution2D((3, 3), 32, C.relu, pad=True)(maps)
        pooled = C.roipooling(maps, self.rois, C.MAX_POOLING, (4, 4), spatial_scale=1 / 2)
        hidden = C.layers.Dense(64, C.relu, map_rank=1)(pooled)
        self.model = C.layers.Dense(10, map_rank=1)(hidden)
        self.loss = C.reduce_mean(C.cross_entropy_with_softmax(self.model, self.y, axis=1))

    def of_images(self, found):
        return found.reshape((len(self.images), -1, found.shape[-1]))

    def fed(self, rows):
        return {self.x: self.images[rows], self.rois: self.boxes[rows], self.y: self.classes[rows]}


class Lstm(Rows):
    def __init__(self, stored):
        offsets = stored("x", "offsets")
        self.steps = np.split(stored("x"), offsets[1:-1])
        super().__init__(stored)

    def input(self):
        return C.sequence.input_variable(self.features.shape[1:])

    def network(self, x):
        return C.layers.Dense(10)(C.layers.Fold(C.layers.LSTM(128))(x))

    def fed(self, rows):
        return {self.x: [self.steps[row] for row in rows], self.y: self.one_hot[self.digit[rows]]}


class Towers:
    def __init__(self, stored):
        self.match = stored("match")
        self.bags = {side: self.bag(stored, side) for side in "ab"}
        self.sides = {side: C.input_variable(bag.shape[1], is_sparse=True) for side, bag in self.bags.items()}
        self.y = C.input_variable(1)
        towers = [self.tower(side) for side in self.sides.values()]
        self.model = C.reduce_sum(towers[0] * towers[1])
        self.loss = C.squared_error(self.model, self.y)

    def bag(self, stored, side):
        arrays = tuple(stored(side, role) for role in ("values", "indices", "indptr"))
        return csr_matrix(arrays, shape=(len(self.match), stored.fields[side]["shape"][0]))

    def tower(self, side):
        return C.layers.Dense(64)(C.layers.Dense(128, C.tanh)(side))

    def fed(self, rows):
        given = {self.sides[side]: bag[rows] for side, bag in self.bags.items()}
        given[self.y] = self.match[rows]
        return given


class Stored:
    """The columns of a data set's folder, in memory."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.fields = json.loads((self.folder / "schema.json").read_text())["fields"]

    def __call__(self, field, role="values"):
        return np.load(str(self.folder / self.fields[field]["files"][role]))


NETWORKS = {
    "mlp": Mlp,
    "tiny": Tiny,
    "conv": Conv,
    "lstm": Lstm,
    "lengths": Lstm,
    "towers": Towers,
    "autoencoder": Autoencoder,
    "resnet": Resnet,
    "regions": Regions,
}


def learner(network, parameters):
    if network == "towers":
        return C.sgd(parameters, C.learning_parameter_schedule(0.01, IGNORE), minibatch_size=IGNORE)
    return C.adam(
        parameters,
        C.learning_parameter_schedule(0.001, IGNORE),
        0.9,
        unit_gain=True,
        minibatch_size=IGNORE,
        epsilon=1e-8,
        variance_momentum=C.momentum_schedule(0.999, IGNORE),
    )


def main(network, folder, minibatch, threads):
    C.cntk_py.set_max_num_cputhreads(int(threads))
    written = NETWORKS[network](Stored(folder))
    taught = learner(network, written.model.parameters)
    trainer = C.Trainer(written.model, (written.loss, None), [taught])
    rows = np.random.RandomState(1).permutation(np.load(str(Path(folder) / "train.npy")))
    losses, times = [], []
    for start in range(0, len(rows), int(minibatch)):
        trainer.train_minibatch(written.fed(rows[start : start + int(minibatch)]))
        losses.append(trainer.previous_minibatch_loss_average)
        if len(losses) >= WARM:
            times.append((time.process_time(), time.perf_counter()))
    cpu, wall = ((times[-1][k] - times[0][k]) / (len(times) - 1) for k in (0, 1))
    sys.stdout.write(json.dumps({"cpu": cpu, "wall": wall, "losses": losses}) + "\n")


main(*sys.argv[1:])
