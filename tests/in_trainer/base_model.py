"""A small base model of seeded weights, imported: {"source", "folder", "seed"} in, what is known of it out.

It has two convolutions with batch normalization whose statistics are no round numbers, a way around the
second, pooling, dropout and a dense layer. Run by the trainer's interpreter.
"""

import json
import sys
from pathlib import Path

import numpy as np

from trainer.engine import C, take_a_first_step, use_threads
from trainer.importing import take


def build(seed):
    random = np.random.RandomState(seed)

    def weight(*shape):
        return C.parameter(shape, init=(random.randn(*shape) * 0.3).astype(np.float32))

    def normalized(x, name):
        low, high, scale, bias = (random.rand(4).astype(np.float32) for _ in range(4))
        return C.batch_normalization(
            x,
            C.parameter((4,), init=scale + 0.5),
            C.parameter((4,), init=bias),
            C.constant(low),
            C.constant(high + 0.5),
            spatial=True,
            running_count=C.constant(100.0, shape=()),
            normalization_time_constant=200,
            use_cudnn_engine=False,
            name=name,
        )

    image = C.input_variable((3, 12, 12), name="image")
    first = C.convolution(weight(4, 3, 3, 3), image, auto_padding=[False, True, True])
    first = C.relu(normalized(first, "norm1"), name="conv1")
    second = C.convolution(weight(4, 4, 3, 3), first, auto_padding=[False, True, True])
    second = C.relu(normalized(second, "norm2") + first, name="conv2")
    pooled = C.pooling(second, C.MAX_POOLING, (3, 3), (2, 2), name="pool2")
    dropped = C.dropout(pooled, 0.3, name="drop2")
    hidden = C.relu(C.times(dropped, weight(4, 5, 5, 6), output_rank=1) + weight(6), name="hidden")
    return C.plus(C.times(hidden, weight(6, 2)), weight(2), name="z")


def main(source, folder, seed):
    use_threads(1)
    take_a_first_step()
    build(seed).save(source)
    return take(Path(source), "cntk", Path(folder))


if __name__ == "__main__":
    C.logging.set_trace_level(C.logging.TraceLevel.Error)
    json.dump(main(**json.load(sys.stdin)), sys.stdout)
