"""A permutation of any number of rows, computed where it is asked for: no memory, no time at its start.

A Feistel network turns numbers of so many bits into one another, whatever its round function is; one that
falls behind the last row is sent through again until it does not ("cycle walking", Black and Rogaway 2002).
"""

import hashlib

import numpy as np

ROUNDS = 6
"""An even number, so that the halves end where they began."""
_FIRST, _SECOND = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)
"""The multipliers of MurmurHash3's mixer."""


class Permutation:
    """Row numbers below ``count`` in an order that depends on ``words`` alone."""

    def __init__(self, count, *words):
        self.count = count
        bits = max(int(count - 1).bit_length(), 2)
        # Never more than twice as many numbers as rows, so that two walks do for most.
        self.low, self.high = bits // 2, bits - bits // 2
        text = "/".join(str(word) for word in words)
        digest = hashlib.sha256(text.encode("utf-8")).digest()
        self.keys = np.frombuffer(digest, dtype="<u4").astype(np.uint32)[:ROUNDS]

    def __call__(self, positions):
        """int64 row numbers at an array of positions."""
        found = self.mixed(np.asarray(positions).astype(np.uint64))
        outside = np.flatnonzero(found >= self.count)
        while len(outside):
            again = self.mixed(found[outside])
            found[outside] = again
            outside = outside[again >= self.count]
        return found.astype(np.int64)

    def mixed(self, numbers):
        """Numbers below 2^(low + high) to such numbers, one to one."""
        shift, ones = np.uint64(self.low), np.uint64((1 << self.low) - 1)
        high, low = (numbers >> shift).astype(np.uint32), (numbers & ones).astype(np.uint32)
        high_bits, low_bits = self.high, self.low
        for key in self.keys:
            # The halves trade places, and with them their widths.
            high, low = low, high ^ (_hashed(low ^ key) >> np.uint32(32 - high_bits))
            high_bits, low_bits = low_bits, high_bits
        return (high.astype(np.uint64) << shift) | low


def _hashed(numbers):
    """uint32 numbers whose upper bits depend on all of those given; products drop what overflows."""
    numbers = numbers ^ (numbers >> np.uint32(16))
    numbers = numbers * _FIRST
    return (numbers ^ (numbers >> np.uint32(13))) * _SECOND
