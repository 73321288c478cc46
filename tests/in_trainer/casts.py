"""``casts.py LIBRARY``: parts of CNTK's objects, as the library of kernels and as C++'s own finds them.

Prints as one JSON line, for each object and class, the two answers of C++'s library and of ours, asked twice:
bytes from the object to its part of that class, or null.
"""

import ctypes
import json
import sys
from pathlib import Path

OWN = ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)

import cntk as C  # noqa: E402, N812
import numpy as np  # noqa: E402

MAPS = Path("/proc/self/maps").read_text().splitlines()
CORE = next(line.split()[-1] for line in MAPS if "libCntk.Core" in line)
FUNCTIONS = ("8Function", "17CompositeFunction", "17PrimitiveFunction", "13BlockFunction")
TARGETS = (*FUNCTIONS, "5Value", "11PackedValue")


def main():
    core, theirs = ctypes.CDLL(CORE), ctypes.CDLL("libstdc++.so.6")
    types = {name: ctypes.addressof(ctypes.c_char.in_dll(core, "_ZTIN4CNTK%sE" % name)) for name in TARGETS}
    x = C.input_variable(3)
    dense = C.layers.Dense(2)(x)
    functions = [dense, dense.root_function, C.tanh(x), C.tanh(x).root_function]
    value = C.Value.create(x, [np.ones((1, 3), dtype=np.float32)])
    _, packed = dense.forward({x: value}, as_numpy=False)
    asked = [("8Function", function) for function in functions]
    asked += [("5Value", found) for found in (value, packed[dense.output])]
    answers = []
    for source, one in asked:
        # What SWIG holds is the address of a shared pointer.
        place = ctypes.c_void_p.from_address(int(one.this)).value
        for target in TARGETS:
            about = place, types[source], types[target]
            answers.append([part(library, *about) for library in (theirs, OWN, OWN)])
    sys.stdout.write(json.dumps(answers) + "\n")


def part(library, place, source, target):
    cast = library["__dynamic_cast"]
    cast.restype = ctypes.c_void_p
    cast.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t)
    found = cast(place, source, target, -1)
    return None if found is None else found - place


main()
