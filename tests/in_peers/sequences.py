"""Train networks over sequences with PyTorch: JSON on the standard input, JSON on the output.

The document holds ``rows``, each a ``network`` ("tagger" or "towers"), its ``parameters`` by the names and
in the shapes that CNTK's have, ``data`` (lists of codes a row, targets), ``minibatch``, ``steps`` and Adam's
``rate`` and ``epsilon``. Rows of data are taken in their order, epoch after epoch. Reported are the loss of
each minibatch and, with ``test``, the outputs for these rows behind the last step.
"""

import json
import sys

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence


def lstm(parameters, name, units):
    """torch.nn.LSTM with CNTK's parameters, whose gates come as i, f, o, g and not as i, f, g, o."""
    order = [0, 1, 3, 2]

    def gates(matrix):
        return torch.cat([matrix[..., k * units : (k + 1) * units] for k in order], dim=-1)

    weights = parameters[name + ".W"]
    made = torch.nn.LSTM(weights.shape[0], units, batch_first=True)
    with torch.no_grad():
        made.weight_ih_l0.copy_(gates(weights).T)
        made.weight_hh_l0.copy_(gates(parameters[name + ".H"]).T)
        made.bias_ih_l0.copy_(gates(parameters[name + ".b"]))
        made.bias_hh_l0.zero_()
    # One bias, as in CNTK: two would each take a step.
    made.bias_hh_l0.requires_grad = False
    return made


def padded(rows):
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True), torch.tensor(
        [len(row) for row in rows]
    )


def ran(made, x, lengths):
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(made(packed)[0], batch_first=True)[0]


def backwards(x, lengths):
    return pad_sequence([row[:n].flip(0) for row, n in zip(x, lengths, strict=True)], batch_first=True)


class Tagger(torch.nn.Module):
    """Embedding, an LSTM each way, a class a token; the loss is the mean over tokens."""

    def __init__(self, parameters):
        super().__init__()
        units = parameters["forward.H"].shape[0]
        self.words = torch.nn.Parameter(parameters["code.E"])
        self.ahead = lstm(parameters, "forward", units)
        self.back = lstm(parameters, "backward", units)
        self.weights = torch.nn.Parameter(parameters["scores.W"])
        self.bias = torch.nn.Parameter(parameters["scores.b"])

    def outputs(self, data, rows):
        codes, lengths = padded([data["words"][row] for row in rows])
        x = self.words[codes]
        ahead = ran(self.ahead, x, lengths)
        back = backwards(ran(self.back, backwards(x, lengths), lengths), lengths)
        scores = torch.cat([ahead, back], dim=2) @ self.weights + self.bias
        return [scores[row, :n] for row, n in enumerate(lengths)]

    def loss(self, data, rows):
        wanted = torch.cat([torch.tensor(data["tags"][row]) for row in rows])
        return torch.nn.functional.cross_entropy(torch.cat(self.outputs(data, rows)), wanted)


class Towers(torch.nn.Module):
    """Weighted bags of words from one shared embedding, their cosine, a straight line; squared error."""

    def __init__(self, parameters):
        super().__init__()
        self.words = torch.nn.Parameter(parameters["words_first.E"])
        self.importance = torch.nn.Parameter(parameters["importance_first.E"])
        self.weights = torch.nn.Parameter(parameters["likeness.W"])
        self.bias = torch.nn.Parameter(parameters["likeness.b"])

    def sentence(self, rows):
        codes, lengths = padded(rows)
        inside = (torch.arange(codes.shape[1]) < lengths[:, None])[..., None]
        weights = torch.nn.functional.softplus(self.importance[codes]) * inside
        return (self.words[codes] * weights).sum(dim=1)

    def outputs(self, data, rows):
        first, second = (self.sentence([data[side][row] for row in rows]) for side in ("first", "second"))
        likeness = torch.nn.functional.cosine_similarity(first, second)[:, None]
        return (likeness @ self.weights + self.bias)[:, 0]

    def loss(self, data, rows):
        wanted = torch.tensor([data["grade"][row] for row in rows])
        return (self.outputs(data, rows) - wanted).square().mean()


def trained(row):
    torch.manual_seed(0)
    parameters = {
        name: torch.randn(value["shape"]) * value["deviation"]
        if isinstance(value, dict)
        else torch.tensor(value)
        for name, value in row["parameters"].items()
    }
    model = {"tagger": Tagger, "towers": Towers}[row["network"]](parameters)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=row["rate"], eps=row["epsilon"])
    data, size, losses = row["data"], row["minibatch"], []
    order = list(range(row["rows"]))
    starts = range(0, len(order), size)
    for step in range(row["steps"]):
        if row.get("shuffle") and step % len(starts) == 0:
            order = torch.randperm(row["rows"]).tolist()
        start = starts[step % len(starts)]
        optimizer.zero_grad()
        loss = model.loss(data, order[start : start + size])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        return {"losses": losses, "outputs": [value.tolist() for value in model.outputs(data, row["test"])]}


if __name__ == "__main__":
    torch.set_num_threads(1)
    json.dump([trained(row) for row in json.load(sys.stdin)["rows"]], sys.stdout)
