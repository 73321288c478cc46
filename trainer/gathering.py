"""Small minibatches read several at a time: numpy takes longer over a call than over their rows.

What is read is a pure function of the rows, so it is the same however many are read together.
"""

from itertools import islice

import numpy as np

TOGETHER_BYTES = 1 << 17
"""What is read at a time stays in the processor's caches until it is trained."""


def at_a_time(columns, minibatch_size):
    """How many minibatches of these columns are read together: 1 unless all of them are read row by row.

    Those that are ``scarce`` are read as the disk brings them.
    """
    if not all(getattr(column, "by_row", False) and not column.scarce for column in columns):
        return 1
    bytes_of_row = 4 * sum(int(np.prod(column.shape)) for column in columns)
    return max(TOGETHER_BYTES // max(minibatch_size * bytes_of_row, 1), 1)


def together(minibatches, read, count):
    """The rows of each minibatch and what was read of them, ``count`` minibatches at a time.

    ``read(rows)`` answers with arrays that have an entry for each row.
    """
    minibatches = iter(minibatches)
    while True:
        several = list(islice(minibatches, count))
        if not several:
            return
        arrays, start = read(np.concatenate(several)), 0
        for rows in several:
            end = start + len(rows)
            yield rows, [array[start:end] for array in arrays]
            start = end
