"""What CNTK 2.7's Python files expect of the standard library, and later CPythons no longer have.

Imported at start-up of the trainer's interpreter, through a .pth file beside it.
"""

import collections
import collections.abc
import inspect
import typing

# CNTK refuses typing.Sequence where it wants its own, by this metaclass of 3.6's generics.
if not hasattr(typing, "GenericMeta"):

    class GenericMeta(type):
        """A metaclass that no type has."""

    typing.GenericMeta = GenericMeta

# collections.Iterable warns on every access until 3.10 removes it.
collections.Iterable = collections.abc.Iterable

# Removed in 3.11.
if not hasattr(inspect, "getargspec"):
    ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")

    def getargspec(function):
        """The positional parameters of ``function``."""
        return ArgSpec(*inspect.getfullargspec(function)[:4])

    inspect.getargspec = getargspec
