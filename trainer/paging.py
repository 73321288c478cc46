"""Files of rows that memory has no room for: read as they are asked for, some time before they are needed.

Mapped files are read by the system in pieces of 128 KB or more, in the hope of what comes next. Rows come in
random order: of files larger than memory nearly all of that would be read in vain, again and again.
"""

import ctypes
import os
from collections import deque
from contextlib import suppress

import numpy as np

from trainer.direct import DirectFile

TOGETHER = 256
"""So many rows are asked for at a time: the work for it is by the call more than by the row."""
TOGETHER_BYTES = 1 << 21
"""Fewer rows do where they are larger."""
AHEAD = 1
"""So many times are rows asked for before the first of them are read."""
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_RANDOM = 1
"""A word of madvise(2); Python's mmap has it from 3.8 on."""
_libc = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def memory():
    """Bytes of memory that this process may have: the machine's, or less if a container says so."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in LIMITS:
        try:
            with open(path) as stream:
                found = min(found, int(stream.read()))
        except (OSError, ValueError):
            # There is no such limit, or it is the word "max".
            pass
    return found


class Mapped:
    """The array of a .npy file, memory-mapped; one without an entry is read, as nothing can be mapped."""

    def __init__(self, path):
        path = str(path)
        try:
            mapped = np.lib.format.open_memmap(path, mode="r")
        except ValueError:
            mapped = np.load(path)
        # As a plain array: numpy takes longer over rows of a memmap, which would be memmaps.
        self.array = np.asarray(mapped)
        self.scarce = self.array.nbytes / len(self.array) if self.array.nbytes > memory() // 2 else 0
        """Bytes of an entry where memory will not hold the file, else 0."""
        self.direct = None
        self.coming = deque()
        """What was expected, and not read yet."""
        if self.scarce:
            self.without_more()
            # Where the file system cannot, or the system allows no more, rows come out of the mapped pages.
            with suppress(OSError):
                self.direct = DirectFile(path, self.array, mapped.offset)

    def without_more(self):
        """Have the system read no page but those that are used."""
        address = self.array.ctypes.data
        before = address % os.sysconf("SC_PAGE_SIZE")
        if _libc.madvise(address - before, self.array.nbytes + before, _RANDOM):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def expect(self, entries):
        """Have these read, or be told that they will be: in the same order, all at once or in parts."""
        if self.direct is None or not len(entries):
            return
        self.coming.append(self.direct.begin(entries))
        if len(self.coming) > AHEAD + 1:
            # Who expected it has gone another way.
            self.direct.drop(self.coming.popleft())

    def take(self, entries):
        """An array (len(entries), ...) of its own."""
        if self.direct is None or not len(entries):
            return self.array[entries]
        for place, reading in enumerate(self.coming):
            if reading.follows(entries):
                for _ in range(place):
                    self.direct.drop(self.coming.popleft())
                break
        else:
            self.coming.appendleft(self.direct.begin(entries))
        reading = self.coming[0]
        found = self.direct.finish(reading, len(entries))
        if reading.taken == len(reading.entries):
            self.coming.popleft()
        return found


def expected(minibatches, columns):
    """The rows of each minibatch, of which columns that memory has no room for were told some before."""
    scarce = [column for column in columns if getattr(column, "scarce", False)]
    return ahead_of(minibatches, scarce) if scarce else minibatches


def ahead_of(minibatches, columns):
    """The rows of each minibatch, some minibatches behind what the columns are told."""
    count = min(TOGETHER, TOGETHER_BYTES // sum(column.scarce for column in columns))
    minibatches, waiting = iter(minibatches), deque()
    while True:
        together = several(minibatches, count)
        if together:
            rows = np.concatenate(together)
            for column in columns:
                column.expect(rows)
            waiting.append(together)
        if len(waiting) > AHEAD or (waiting and not together):
            yield from waiting.popleft()
        elif not together:
            return


def several(minibatches, count):
    """The next minibatches of an iterator, of ``count`` rows or more in all: one at least, unless it ends."""
    found = []
    for rows in minibatches:
        found.append(rows)
        count -= len(rows)
        if count <= 0:
            break
    return found
