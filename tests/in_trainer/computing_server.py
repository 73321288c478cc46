"""A server of forks that has trained a network first, on as many threads as its environment allows."""

import os
import sys

from trainer import fork_server
from trainer.__main__ import load


def load_and_compute():
    train = load()
    from trainer.engine import take_a_first_step, use_threads

    use_threads(int(os.environ["OMP_THREAD_LIMIT"]))
    take_a_first_step()
    return train


if __name__ == "__main__":
    fork_server.main(load_and_compute, sys.argv[3:])
