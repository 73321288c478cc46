"""``python -m trainer.fork_server CONTROL READY WORKER``: loads CNTK once, forks a trainer for each request.

CONTROL is a Unix socket (SOCK_SEQPACKET). A request is one message: {"run", "attempt", "dataset"} as JSON,
with five descriptors: a socket of the same kind for the answers, the reading end of a pipe, the run's locked
file, stdout and stderr. Whoever asked holds the pipe's other end, and the trainer lives for as long as that
is open. Answers are {"pid": n}, and once the trainer has ended {"status": n}, negative for a signal. It
remains a zombie, so that its number is nobody else's, until the other end of their socket is closed.

READY is a pipe that one byte is written to when requests will be taken. The server ends when the process
WORKER does, or when nobody holds the other end of CONTROL, and its trainers with it. Arguments that follow
make room for the command line that a trainer shows.

The server has one thread and has computed nothing: what it forks is in every respect a process that has
imported its modules and no more. That is why forks train as processes do that were started afresh.
"""

import array
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import sys
import traceback

DESCRIPTORS = 5
MOST_BYTES = 1 << 16
_PR_SET_PDEATHSIG = 1
_F_SETSIG = 10
# Loaded before any fork: the dynamic loader is not to be called in the copy.
_libc = ctypes.CDLL(None)


def serve(control, ready, train):
    """Answer requests on the socket ``control``; ``train(run, attempt, dataset)`` is a trainer's work.

    Returns in the server, once nobody can ask any more; a trainer's process ends with the status that
    ``train`` returns.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        # They go to whole groups of processes; this one leaves when its worker has.
        signal.signal(number, signal.SIG_IGN)
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing)
    os.write(ready, b"!")
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(reading, select.POLLIN)
    trainers = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == reading:
                os.read(reading, 4096)
                for trainer in trainers.values():
                    trainer.tell_end()
            elif descriptor != control.fileno():
                # Whoever asked for this trainer is gone, or has done with it.
                poll.unregister(descriptor)
                trainers.pop(descriptor).bury()
            else:
                request = receive(control)
                if request is None:
                    return
                fork = Fork(request, [control.fileno(), ready, reading, writing, *trainers], train)
                trainers[fork.answers] = fork
                poll.register(fork.answers, 0)


def receive(control):
    """The next request and its descriptors; None where nobody is left to send one."""
    size = socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize)
    data, ancillary, _, _ = control.recvmsg(MOST_BYTES, size, socket.MSG_CMSG_CLOEXEC)
    if not data:
        return None
    descriptors = array.array("i")
    for _, _, carried in ancillary:
        descriptors.frombytes(carried)
    return json.loads(data.decode("utf-8")), list(descriptors)


class Fork:
    """A trainer as its server sees it."""

    def __init__(self, request, others, train):
        """``others``: descriptors of the server that are not the trainer's."""
        asked, (answers, line, lock, stdout, stderr) = request
        self.answers = answers
        self.ended = False
        server = os.getpid()
        # One that is sent to the copy before it has made up its mind about signals must wait, not be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        self.pid = os.fork()
        if self.pid == 0:
            become(asked, server, line, lock, stdout, stderr, [answers, *others], train)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        for descriptor in (line, lock, stdout, stderr):
            os.close(descriptor)
        with Whatever():
            os.setpgid(self.pid, self.pid)
        self.tell({"pid": self.pid})

    def tell(self, answer):
        try:
            os.write(self.answers, json.dumps(answer).encode("utf-8"))
        except OSError:
            # Nobody listens: the closed socket is seen to next.
            return

    def tell_end(self):
        """Tell how the trainer ended, if it has."""
        found = None if self.ended else os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is not None:
            self.ended = True
            exited = found.si_code == os.CLD_EXITED
            self.tell({"status": found.si_status if exited else -found.si_status})

    def bury(self):
        """See to it that nothing is left of the trainer."""
        with Whatever():
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.answers)


class Whatever:
    """Lets pass that a process has gone its own way meanwhile."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        return isinstance(error, (ProcessLookupError, PermissionError))


def become(asked, server, line, lock, stdout, stderr, others, train):
    """Be the trainer that was asked for, from here to the end of the process."""
    status = 1
    try:
        os.setpgid(0, 0)
        die_with(server, line)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        for end, number in ((stdout, 1), (stderr, 2)):
            os.dup2(end, number)
        for descriptor in [stdout, stderr, *others]:
            os.close(descriptor)
        # As in a trainer that was started afresh.
        os.set_inheritable(lock, True)
        shown = ["--attempt", asked["attempt"], "--dataset", asked["dataset"]]
        retitle([sys.executable, "-m", "trainer", asked["run"], *shown])
        os.chdir(asked["run"])
        status = train(asked["run"], asked["attempt"], asked["dataset"])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def die_with(server, line):
    """Have the kernel kill this process when the server dies, and when the other end of ``line`` closes."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    fcntl.fcntl(line, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(line, _F_SETSIG, int(signal.SIGKILL))
    fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) | os.O_ASYNC)
    closed = select.select([line], [], [], 0)[0]
    if closed or os.getppid() != server:
        os._exit(1)


def retitle(words):
    """Show these words as the command line of this process, as far as there is room."""
    with open("/proc/self/stat", "rb") as stream:
        fields = stream.read().rpartition(b")")[2].split()
    # arg_start and arg_end, fields 48 and 49; the first after the name is the third.
    start, end = int(fields[45]), int(fields[46])
    room = end - start - 1
    if room > 0:
        shown = b"\0".join(os.fsencode(word) for word in words)[:room]
        ctypes.memset(start, 0, end - start)
        ctypes.memmove(start, shown, len(shown))


def require_one_thread():
    """SystemExit where there are others, which a fork would lack: OpenMP's team, whoever holds a lock."""
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        sys.exit("no trainers can be forked: %d threads run where one should" % threads)


def main(load, arguments):
    control, ready, worker = (int(word) for word in arguments[:3])
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # It was for this process alone (worker/fork_servers.py).
    os.environ.pop("LD_BIND_NOW", None)
    if os.getppid() == worker:
        train = load()
        require_one_thread()
        serve(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=control), ready, train)


if __name__ == "__main__":
    from trainer.__main__ import load

    main(load, sys.argv[1:])
