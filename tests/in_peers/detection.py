"""Train a detector with PyTorch: JSON on the standard input, JSON on the output.

The document holds ``parameters`` by the names and in the shapes that CNTK's have, ``minibatches``, each a
list of images with ``image``, ``rois``, ``region_class``, ``region_targets`` and ``region_weights``,
``size``, ``stride`` and ``sigma``, and ``rate``, ``momentum``, ``l2`` and ``bias_rate_factor`` of the
learner. Reported are the loss of each minibatch and the parameters behind the last one.
"""

import json
import sys

import torch
from torch.nn import functional as f


def pooled(features, rois, size, stride):
    """Regions (n, channels, *size) of features (channels, height, width)."""
    far = torch.tensor([features.shape[2] - 1, features.shape[1] - 1] * 2)
    edges = torch.floor(rois / stride + 0.5).long().clamp(min=torch.zeros(4, dtype=torch.long), max=far)
    return torch.stack(
        [
            f.adaptive_max_pool2d(features[:, y1 : y2 + 1, x1 : x2 + 1], size)
            for x1, y1, x2, y2 in edges.tolist()
        ]
    )


def dense(x, parameters, name):
    weights = parameters[name + ".W"]
    return x.reshape(len(x), -1) @ weights.reshape(-1, weights.shape[-1]) + parameters[name + ".b"]


def loss_of(parameters, minibatch, about):
    """Softmax cross entropy and smooth L1, each a mean over all regions of the minibatch."""
    total, count = 0.0, 0
    for one in minibatch:
        told = {name: torch.tensor(value, dtype=torch.float32) for name, value in one.items()}
        bias = parameters["conv_1.b"].reshape(-1)
        maps = torch.relu(f.conv2d(told["image"][None], parameters["conv_1.W"], bias, padding=1))[0]
        regions = pooled(maps, told["rois"], about["size"], about["stride"])
        hidden = torch.relu(dense(regions, parameters, "hidden_1"))
        scores, said = dense(hidden, parameters, "scores"), dense(hidden, parameters, "corrections")
        total = total + f.cross_entropy(scores, told["region_class"].argmax(dim=1), reduction="sum")
        weights, beta = told["region_weights"], 1 / about["sigma"] ** 2
        total = total + f.smooth_l1_loss(
            said * weights, told["region_targets"] * weights, beta=beta, reduction="sum"
        )
        count += len(regions)
    return total / count


def report(about):
    parameters = {
        name: torch.nn.Parameter(torch.tensor(value, dtype=torch.float32))
        for name, value in about["parameters"].items()
    }
    groups = [
        {"params": [value for name, value in parameters.items() if name.endswith(".b") is bias], "lr": rate}
        for bias, rate in ((False, about["rate"]), (True, about["rate"] * about["bias_rate_factor"]))
    ]
    learner = torch.optim.SGD(groups, momentum=about["momentum"], weight_decay=about["l2"])
    losses = []
    for minibatch in about["minibatches"]:
        learner.zero_grad()
        loss = loss_of(parameters, minibatch, about)
        loss.backward()
        learner.step()
        losses.append(loss.item())
    return {"losses": losses, "parameters": {name: value.tolist() for name, value in parameters.items()}}


if __name__ == "__main__":
    torch.set_num_threads(1)
    json.dump(report(json.load(sys.stdin)), sys.stdout)
