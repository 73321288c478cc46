"""Pieces of a file read from the disk straight into this process' memory, many at a time.

Through the system's cache a row of a few KB costs a page or two of it: to find, clear, fill, map and give up
again. Of files that the cache will not hold all that is in vain, and dearer than the reading. io_submit(2) on
a file opened with O_DIRECT does without, and has the disk look for many pieces at once.
"""

import ctypes
import errno
import mmap
import os
import platform
import weakref

import numpy as np

BLOCK = 4096
"""Where pieces begin and end in the file and in memory; no disk or file system in use asks for more."""
QUEUE = 512
"""Pieces that are asked for at a time, and not yet there."""
_SETUP, _DESTROY, _GETEVENTS, _SUBMIT = 206, 207, 208, 209
"""Numbers of Linux's system calls on x86-64; the C library has no functions for them."""
_PIECE = np.dtype(
    [
        *(("data", "<u8"), ("key", "<u4"), ("flags", "<u4"), ("opcode", "<u2"), ("priority", "<i2")),
        *(("file", "<u4"), ("buffer", "<u8"), ("bytes", "<u8"), ("offset", "<i8"), ("rest", "<u8", 2)),
    ]
)
"""The system's struct iocb; opcode 0 reads."""
_EVENT = np.dtype([("data", "<u8"), ("piece", "<u8"), ("result", "<i8"), ("second", "<i8")])
"""The system's struct io_event."""
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _call(number, *arguments):
    """The answer of a system call, which other threads need not wait for; OSError."""
    while True:
        found = _libc.syscall(ctypes.c_long(number), *map(ctypes.c_void_p, arguments))
        if found >= 0:
            return found
        if ctypes.get_errno() != errno.EINTR:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _close(descriptor, context):
    _call(_DESTROY, context)
    os.close(descriptor)


class Reading:
    """Entries that were asked for, and a buffer for them."""

    def __init__(self, entries):
        self.entries = entries
        self.taken = 0
        """How many of the entries were given out."""
        self.under_way = 0
        """Pieces that are not there yet."""

    def follows(self, entries):
        """Whether these are the ones that come next."""
        return np.array_equal(self.entries[self.taken : self.taken + len(entries)], entries)


class Buffer:
    """Memory for pieces, as entries that begin at any of their elements."""

    def __init__(self, size, dtype, elements):
        # Shared with forks, which must not get a copy while the disk writes to it.
        self.memory = mmap.mmap(-1, size)
        self.address = np.frombuffer(self.memory, np.uint8).ctypes.data
        shape = (size // dtype.itemsize - elements + 1, elements)
        self.entries = np.ndarray(shape, dtype, self.memory, strides=(dtype.itemsize, dtype.itemsize))


class DirectFile:
    """Entries of ``array``, which is mapped from byte ``start`` on of a file."""

    def __init__(self, path, array, start):
        """OSError where the file system or this process' limits do not allow it."""
        self.path = path
        self.start = start
        self.shape = array.shape[1:]
        self.dtype = array.dtype
        self.elements = int(np.prod(self.shape))
        self.size = self.elements * array.dtype.itemsize
        if platform.machine() != "x86_64" or start % array.dtype.itemsize or not self.size:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), path)
        context = ctypes.c_uint64()
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
        try:
            _call(_SETUP, QUEUE, ctypes.addressof(context))
        except OSError:
            os.close(self.descriptor)
            raise
        self.context = context.value
        weakref.finalize(self, _close, self.descriptor, self.context).atexit = False
        self.events = np.zeros(QUEUE, _EVENT)
        self.under_way = {}
        """Readings that are not there yet, by number."""
        self.begun = 0
        self.buffers = []
        """Those that nobody uses."""

    def begin(self, entries):
        """Ask for entries; the answer is for ``finish``, or for ``drop``."""
        reading = Reading(entries)
        first = self.start + np.asarray(entries, dtype=np.int64) * self.size
        order = np.argsort(first, kind="mergesort")
        first = first[order]
        # What lies in one another's blocks is one piece.
        begins, ends = first & -BLOCK, (first + (self.size + BLOCK - 1)) & -BLOCK
        leads = np.concatenate(([True], begins[1:] > ends[:-1]))
        at = np.flatnonzero(leads)
        lasts = np.append(at[1:], len(first)) - 1
        begins, ends = begins[at], ends[lasts]
        places = np.cumsum(ends - begins) - (ends - begins)
        reading.elements = np.empty(len(first), dtype=np.int64)
        reading.elements[order] = (first + (places - begins)[np.cumsum(leads) - 1]) // self.dtype.itemsize
        reading.buffer = self.buffer(int(places[-1] + ends[-1] - begins[-1]))
        self.begun += 1
        pieces = np.zeros(len(at), _PIECE)
        # The end of the file may lie before the last block's.
        needed = first[lasts] + self.size - begins
        pieces["data"] = (self.begun << 32) | needed
        pieces["file"], pieces["offset"], pieces["bytes"] = self.descriptor, begins, ends - begins
        pieces["buffer"] = reading.buffer.address + places
        reading.under_way = len(pieces)
        self.under_way[self.begun] = reading
        self.submit(pieces)
        return reading

    def submit(self, pieces):
        addresses = pieces.ctypes.data + np.arange(len(pieces), dtype=np.uint64) * np.uint64(_PIECE.itemsize)
        done = 0
        while done < len(pieces):
            try:
                # The system copies them before it comes back.
                done += _call(
                    _SUBMIT, self.context, min(len(pieces) - done, QUEUE), addresses[done:].ctypes.data
                )
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise OSError(error.errno, error.strerror, self.path) from None
                # So many are not there yet that the system takes no more.
                self.arrive(1)

    def arrive(self, least):
        """Wait for so many pieces, and see whose those are that have come; OSError of one that has not."""
        least = min(least, QUEUE)
        count = _call(_GETEVENTS, self.context, least, QUEUE, self.events.ctypes.data, 0)
        come = self.events[:count]
        for number, pieces in zip(*np.unique(come["data"] >> np.uint64(32), return_counts=True)):
            reading = self.under_way[int(number)]
            reading.under_way -= int(pieces)
            if not reading.under_way:
                del self.under_way[int(number)]
        wrong = come["result"] < (come["data"] & np.uint64(0xFFFFFFFF)).astype(np.int64)
        if wrong.any():
            result = int(come["result"][wrong][0])
            number = -result if result < 0 else errno.ENODATA
            raise OSError(number, os.strerror(number), self.path)

    def finish(self, reading, count):
        """The next ``count`` entries of a reading, once they are there: an array (count, *shape)."""
        while reading.under_way:
            self.arrive(reading.under_way)
        elements = reading.elements[reading.taken : reading.taken + count]
        found = reading.buffer.entries[elements].reshape((count,) + self.shape)
        reading.taken += count
        if reading.taken == len(reading.entries):
            self.buffers.append(reading.buffer)
        return found

    def drop(self, reading):
        """A reading that nobody wants any more."""
        self.finish(reading, len(reading.entries) - reading.taken)

    def buffer(self, size):
        """One of so many bytes at least, which is written to from now on."""
        while self.buffers:
            found = self.buffers.pop()
            if len(found.memory) >= size:
                return found
        # A little larger: the next rows will lie elsewhere.
        return Buffer((size * 5 // 4 + BLOCK) & -BLOCK, self.dtype, self.elements)
