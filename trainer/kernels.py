"""The library that set-up compiled beside CNTK: its functions stand before CNTK's of the same names."""

import ctypes
import os

LIBRARY = "libcntk_kernels.so"
SWITCH = "CNTK_JOBS_KERNELS"
OFF = ("0", "false", "f", "no", "n", "off")
"""Values of this environment variable, however written, that leave CNTK alone."""


def load():
    """Whether the library was loaded. To be called before CNTK is imported; the bits are the same."""
    if os.environ.get(SWITCH, "").lower() in OFF:
        return False
    try:
        # Found where LD_LIBRARY_PATH says, as CNTK's other libraries are.
        ctypes.CDLL(LIBRARY, ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True
