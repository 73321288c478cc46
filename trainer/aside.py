"""Work that a forked copy of this process does: it has everything as it was at that moment.

What CNTK computes with several threads hangs in such a copy; saving needs none of them.
"""

import ctypes
import json
import os
import signal
import sys
import time

PATIENCE_SECONDS = 900
"""A copy that is not done by then never will be."""
_PR_SET_PDEATHSIG = 1
# Loaded before any fork: the dynamic loader is not to be called in the copy.
_libc = ctypes.CDLL(None)


class Aside:
    """At most one copy at a time. What goes wrong there is raised here, by ``look`` or ``settle``."""

    def __init__(self):
        self.pid = None
        self.told = None
        """Where the copy writes what went wrong."""
        self.able = True
        """False once a copy was killed: whoever did that, this process had better do its work itself."""

    def begin(self, work):
        """Have a copy do ``work()``, once the one before it is done."""
        self.settle()
        reading, writing = os.pipe()
        parent = os.getpid()
        # What is buffered would be written twice.
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid, self.told = os.fork(), reading
        if self.pid:
            os.close(writing)
            return
        status = 1
        try:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            # Who asks this process to leave means the other one.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.getppid() == parent:
                work()
                status = 0
        except BaseException as error:
            os.write(writing, json.dumps(described(error)).encode("utf-8"))
        finally:
            os._exit(status)

    def look(self):
        """Whether nothing is under way."""
        if self.pid is not None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.end(status)
        return self.pid is None

    def settle(self):
        """Wait until nothing is under way."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.look():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                self.end(os.waitpid(self.pid, 0)[1])
            time.sleep(0.001)

    def end(self, status):
        self.pid = None
        with os.fdopen(self.told, "rb") as stream:
            told = stream.read()
        if told:
            raise raised(json.loads(told.decode("utf-8")))
        if status:
            self.able = False


def described(error):
    """An error as JSON: one of the system by its number, any other by what it says."""
    if isinstance(error, OSError) and error.errno is not None:
        return {"type": "OSError", "args": [error.errno, error.strerror, error.filename]}
    return {"type": type(error).__name__, "args": [str(error)]}


def raised(document):
    """The error that ``described`` made the document of; of a type that the trainer does not tell apart
    from others a RuntimeError."""
    kinds = {"OSError": OSError, "FloatingPointError": FloatingPointError, "ValueError": ValueError}
    return kinds.get(document["type"], RuntimeError)(*document["args"])
