"""Files of rows that memory has no room for: read where rows are asked for, some time before, and let go.

Mapped files are read by the system in pieces of 128 KB or more, in the hope of what comes next. Rows come in
random order: of files larger than memory nearly all of that would be read in vain, again and again.
"""

import ctypes
import os
from collections import deque

import numpy as np

AHEAD = 8
"""Minibatches between a row's being asked for and its being read."""
HELD = 1 << 12
"""Rows after which what was read is no longer held: with each comes what the system has at hand around it."""
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_RANDOM, _DONTNEED = 1, 4
"""Words of madvise(2); Python's mmap has it from 3.8 on."""
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
        self.path = str(path)
        try:
            mapped = np.lib.format.open_memmap(self.path, mode="r")
            self.start = mapped.offset
        except ValueError:
            mapped = np.load(self.path)
        # As a plain array: numpy takes longer over rows of a memmap, which would be memmaps.
        self.array = np.asarray(mapped)
        self.scarce = self.array.nbytes > memory() // 2
        """Whether memory will not hold it."""
        self.passed = 0
        if self.scarce:
            self.descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            self.advise(_RANDOM)

    def expect(self, starts, ends):
        """Have the system read the entries from each start to before each end; it does that by itself."""
        if not self.scarce:
            return
        size = self.array.nbytes // len(self.array)
        for start, end in zip(starts.tolist(), ends.tolist()):
            os.posix_fadvise(
                self.descriptor, self.start + start * size, (end - start) * size, os.POSIX_FADV_WILLNEED
            )
        self.passed += len(starts)
        if self.passed > HELD:
            # Pages stay in the system's cache; only this process' hold on them ends.
            self.advise(_DONTNEED)
            self.passed = 0

    def advise(self, word):
        address = self.array.ctypes.data
        before = address % os.sysconf("SC_PAGE_SIZE")
        if _libc.madvise(address - before, self.array.nbytes + before, word):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), self.path)


def expected(minibatches, columns):
    """The rows of each minibatch, of which columns that memory has no room for were told some before."""
    scarce = [column for column in columns if getattr(column, "scarce", False)]
    return ahead_of(minibatches, scarce) if scarce else minibatches


def ahead_of(minibatches, columns):
    """The rows of each minibatch, ``AHEAD`` minibatches behind what the columns are told."""
    waiting = deque()
    for rows in minibatches:
        for column in columns:
            column.expect(rows, rows + 1)
        waiting.append(rows)
        if len(waiting) > AHEAD:
            yield waiting.popleft()
    yield from waiting
