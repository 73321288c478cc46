"""Train a dense layer with PyTorch's optimizers: JSON on the standard input, JSON on the output.

The document holds ``x``, ``y``, ``W``, ``b``, ``minibatch``, ``steps`` and ``rows``; a row names an
``optimizer``, its ``settings`` and perhaps ``clip_norm`` or ``clip_value``. Rows of data are taken in their
order, epoch after epoch; the loss is the squared error of an example, as a mean over the minibatch.
Reported are W and b behind the last step, computed in float32.
"""

import json
import sys

import torch


def trained(document, row):
    x, y = torch.tensor(document["x"]), torch.tensor(document["y"])
    weights = torch.tensor(document["W"], requires_grad=True)
    bias = torch.tensor(document["b"], requires_grad=True)
    optimizer = getattr(torch.optim, row["optimizer"])([weights, bias], **row["settings"])
    starts = range(0, len(x), document["minibatch"])
    for step in range(document["steps"]):
        start = starts[step % len(starts)]
        rows = slice(start, start + document["minibatch"])
        optimizer.zero_grad()
        rest = x[rows] @ weights + bias - y[rows]
        (rest.square().sum() / len(rest)).backward()
        for parameter in (weights, bias):
            if "clip_norm" in row:
                # CNTK clips each parameter by itself.
                torch.nn.utils.clip_grad_norm_([parameter], row["clip_norm"])
            if "clip_value" in row:
                torch.nn.utils.clip_grad_value_([parameter], row["clip_value"])
        optimizer.step()
    return {"W": weights.tolist(), "b": bias.tolist()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    document = json.load(sys.stdin)
    json.dump([trained(document, row) for row in document["rows"]], sys.stdout)
