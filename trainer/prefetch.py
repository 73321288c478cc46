"""Minibatches read ahead: while CNTK trains one, which lets go of the interpreter, a thread reads the next.

What is read is a pure function of rows and epoch, so it is the same whoever reads it and when.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

WORTH_A_THREAD = 1 << 20
"""So many numbers take about a millisecond to read; to hand them over takes a tenth of that."""


def worthwhile(columns, minibatch_size):
    """Whether minibatches of these columns are read ahead: they are large, or a column is ``costly``.

    Others that are ``scarce`` need no thread: the disk brings them meanwhile (trainer/paging.py).
    """
    if any(getattr(column, "costly", False) for column in columns):
        return True
    dense = (int(np.prod(column.shape)) for column in columns if not column.sparse)
    return minibatch_size * sum(dense) >= WORTH_A_THREAD


def ahead(items, read):
    """Each item and ``read(item)``, in order, of which a thread gets one while the one before it is used.

    An error of ``read`` is raised where its item would come. Of a generator that is closed, however it ends,
    no thread is left.
    """
    items = iter(items)

    def following():
        for item in items:
            return item, read(item)
        return None

    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(following)
        while True:
            found = coming.result()
            if found is None:
                return
            coming = reader.submit(following)
            yield found
