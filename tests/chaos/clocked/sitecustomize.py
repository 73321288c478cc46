"""For a service whose PYTHONPATH begins here: its embedded server reads the clock of a campaign."""

import os
import sys

if sys.orig_argv[-2:] == ["-m", "service"]:
    from service import valkey

    _made = valkey.Child
    _clock = {
        "LD_PRELOAD": os.environ["CHAOS_FAKETIME"],
        "FAKETIME_TIMESTAMP_FILE": os.environ["CHAOS_CLOCK"],
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }

    def _clocked(name, argv, environment, log, **rest):
        return _made(name, argv, {**environment, **_clock}, log, **rest)

    valkey.Child = _clocked
