"""What CNTK 2.7's Python files expect of the standard library and CPython 3.8 no longer has.

Imported at start-up of the trainer's interpreter, through a .pth file beside it.
"""

import collections
import collections.abc
import typing

# cntk.internal.utils asks whether a type is a generic one; since 3.7 generics are no classes.
if not hasattr(typing, "GenericMeta"):

    class GenericMeta(type):
        """A metaclass that no type has."""

    typing.GenericMeta = GenericMeta

# The old names warn on every access until 3.10 removes them.
for name in ("Iterable", "Mapping", "Sequence"):
    setattr(collections, name, getattr(collections.abc, name))
