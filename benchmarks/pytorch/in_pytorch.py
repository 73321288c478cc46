"""The same networks in eager PyTorch, as its users write them. Runs in .venv-peers.

``in_pytorch.py NETWORK DATASET PARAMETERS MINIBATCH THREADS [VARIANT]``: one epoch, in the order and from the
first parameters of the trainer. Prints as one JSON line the losses, and CPU and clock seconds a step.
VARIANT is ``padded`` or ``packed`` for sequences, ``fused`` for Adam in one kernel.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.in_peers.detection import pooled
from tests.in_peers.sequences import lstm
from trainer.files import read_json
from trainer.minibatches import Order

WARM = 10


class Stored:
    """The columns of a data set's folder, in memory."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.fields = read_json(self.folder / "schema.json")["fields"]

    def array(self, field, role="values"):
        return np.load(self.folder / self.fields[field]["files"][role])

    def tensor(self, field, role="values"):
        return torch.from_numpy(self.array(field, role))


def linear(parameters, name):
    weights = parameters[name + ".W"]
    made = nn.Linear(weights[..., 0].numel(), weights.shape[-1])
    with torch.no_grad():
        made.weight.copy_(weights.reshape(-1, weights.shape[-1]).T)
        made.bias.copy_(parameters[name + ".b"])
    return made


def convolution(parameters, name):
    weights, bias = parameters[name + ".W"], parameters.get(name + ".b")
    size = weights.shape[-1]
    made = nn.Conv2d(weights.shape[1], weights.shape[0], size, padding=size // 2, bias=bias is not None)
    with torch.no_grad():
        made.weight.copy_(weights)
        if bias is not None:
            made.bias.copy_(bias.reshape(-1))
    return made


class Rows:
    """Batches of a network with one dense input, and the loss of its scores."""

    def __init__(self, parameters, stored):
        self.x = stored.tensor("x")
        self.digit = stored.tensor("digit").long()
        self.net = self.network(parameters)

    def loss(self, rows):
        return functional.cross_entropy(self.net(self.x[rows]), self.digit[rows])


class Mlp(Rows):
    def network(self, parameters):
        linears = [linear(parameters, name) for name in ("h1", "h2") if name + ".W" in parameters]
        hidden = [layer for one in linears for layer in (one, nn.ReLU())]
        return nn.Sequential(*hidden, linear(parameters, "scores"))


class Conv(Rows):
    def network(self, parameters):
        return nn.Sequential(
            *(convolution(parameters, "c1"), nn.ReLU(), nn.MaxPool2d(2)),
            *(convolution(parameters, "c2"), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), linear(parameters, "h"), nn.ReLU(), linear(parameters, "scores")),
        )


class Autoencoder(Rows):
    def network(self, parameters):
        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.c1, self.c2, self.back = (convolution(parameters, n) for n in ("c1", "c2", "rebuilt"))
                self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)

            def forward(self, x):
                pooled, places = self.pool(functional.relu(self.c1(x)))
                return self.back(self.unpool(functional.relu(self.c2(pooled)), places))

        return Network()

    def loss(self, rows):
        x = self.x[rows]
        return functional.mse_loss(self.net(x), x, reduction="sum") / len(rows)


class Resnet(Rows):
    def network(self, parameters):
        class Block(nn.Module):
            def __init__(self, name):
                super().__init__()
                self.a, self.b = (convolution(parameters, name + part) for part in "ab")
                self.an, self.bn = (nn.BatchNorm2d(self.a.out_channels) for _ in range(2))

            def forward(self, x):
                inner = functional.relu(self.an(self.a(x)))
                return functional.relu(self.bn(self.b(inner)) + x)

        return nn.Sequential(
            *(convolution(parameters, "c1"), nn.BatchNorm2d(16), nn.ReLU(), Block("k1"), Block("k2")),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(parameters, "scores")),
        )


class Sequences(Rows):
    packed = True

    def __init__(self, parameters, stored):
        super().__init__(parameters, stored)
        offsets = stored.array("x", "offsets")
        self.steps = list(self.x.split(np.diff(offsets).tolist()))

    def network(self, parameters):
        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.run = lstm(parameters, "run", parameters["run.H"].shape[0])
                self.scores = linear(parameters, "scores")

            def forward(self, x):
                return self.scores(self.run(x)[1][0][0])

        return Network()

    def loss(self, rows):
        steps = [self.steps[row] for row in rows]
        x = nn.utils.rnn.pack_sequence(steps, enforce_sorted=False)
        return functional.cross_entropy(self.net(x), self.digit[rows])


class Padded(Sequences):
    """Rows are filled up with zeros, and the state behind each row's last step is taken."""

    def loss(self, rows):
        steps = [self.steps[row] for row in rows]
        x = nn.utils.rnn.pad_sequence(steps, batch_first=True)
        ends = torch.tensor([len(one) - 1 for one in steps])
        last = self.net.run(x)[0][torch.arange(len(steps)), ends]
        return functional.cross_entropy(self.net.scores(last), self.digit[rows])


class Regions:
    """An adaptive pooling a region: torchvision's roi_pool does not load beside a CPU build of PyTorch."""

    def __init__(self, parameters, stored):
        self.x, self.rois, self.digit = (stored.tensor(name) for name in ("x", "rois", "digit"))
        self.starts = stored.array("rois", "offsets")

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.c1, self.c2 = (convolution(parameters, name) for name in ("c1", "c2"))
                self.h, self.scores = (linear(parameters, name) for name in ("h", "scores"))

            def forward(self, x, rois):
                maps = functional.max_pool2d(functional.relu(self.c1(x)), 2)
                maps = functional.relu(self.c2(maps))
                regions = [pooled(one, boxes, [4, 4], 2.0) for one, boxes in zip(maps, rois, strict=True)]
                return self.scores(functional.relu(self.h(torch.cat(regions).flatten(1))))

        self.net = Network()

    def loss(self, rows):
        steps = [slice(self.starts[row], self.starts[row + 1]) for row in rows]
        digit = torch.cat([self.digit[one] for one in steps])
        return functional.cross_entropy(self.net(self.x[rows], [self.rois[one] for one in steps]), digit)


class Towers:
    """An EmbeddingBag a side: its gradient is sparse, as CNTK's is."""

    def __init__(self, parameters, stored):
        self.match = stored.tensor("match")
        self.ids = {side: stored.tensor(side, "indices").long() for side in "ab"}
        self.starts = {side: stored.tensor(side, "indptr") for side in "ab"}

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.bags, self.biases, self.second = nn.ModuleDict(), nn.ParameterDict(), nn.ModuleDict()
                for side in "ab":
                    weights = parameters[side + "1.W"]
                    self.bags[side] = nn.EmbeddingBag(*weights.shape, mode="sum", sparse=True)
                    with torch.no_grad():
                        self.bags[side].weight.copy_(weights)
                    self.biases[side] = nn.Parameter(parameters[side + "1.b"].clone())
                    self.second[side] = linear(parameters, side + "2")

            def tower(self, side, ids, offsets):
                return self.second[side](torch.tanh(self.bags[side](ids, offsets) + self.biases[side]))

        self.net = Network()

    def bag(self, side, rows):
        starts, ends = self.starts[side][rows], self.starts[side][rows + 1]
        lengths = ends - starts
        offsets = torch.cumsum(lengths, 0) - lengths
        places = torch.repeat_interleave(starts - offsets, lengths) + torch.arange(int(lengths.sum()))
        return self.ids[side][places], offsets

    def loss(self, rows):
        a, b = (self.net.tower(side, *self.bag(side, rows)) for side in "ab")
        score = (a * b).sum(dim=1, keepdim=True)
        return functional.mse_loss(score, self.match[rows], reduction="sum") / len(rows)


NETWORKS = {
    "mlp": Mlp,
    "tiny": Mlp,
    "conv": Conv,
    "lstm": Sequences,
    "lengths": Sequences,
    "towers": Towers,
    "autoencoder": Autoencoder,
    "resnet": Resnet,
    "regions": Regions,
}


def main(network, folder, file, minibatch, threads, variant=""):
    torch.set_num_threads(int(threads))
    with np.load(file) as arrays:
        parameters = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    stored = Stored(folder)
    model = (Padded if variant == "padded" else NETWORKS[network])(parameters, stored)
    learned = [p for p in model.net.parameters() if p.requires_grad]
    if network == "towers":
        optimizer = torch.optim.SGD(learned, lr=0.01)
    else:
        optimizer = torch.optim.Adam(learned, lr=0.001, fused=variant == "fused" or None)
    losses, times = [], []
    order = Order(np.load(Path(folder) / "train.npy"), int(minibatch), 1, "drawn")
    for rows in order.minibatches():
        optimizer.zero_grad()
        loss = model.loss(torch.from_numpy(rows))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if len(losses) >= WARM:
            times.append((time.process_time(), time.perf_counter()))
    cpu, wall = ((times[-1][k] - times[0][k]) / (len(times) - 1) for k in (0, 1))
    print(json.dumps({"cpu": cpu, "wall": wall, "losses": losses}))


main(*sys.argv[1:])
