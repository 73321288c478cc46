"""``cntk-jobs``: the service from a shell. docs/cli.md documents every command and exit status."""

from client.command.main import cli, main
from client.command.statuses import (
    INTERRUPTED,
    JOB_DID_NOT_SUCCEED,
    NO_ANSWER,
    NOT_YET,
    OK,
    REFUSED,
    USAGE,
)

__all__ = [
    "INTERRUPTED",
    "JOB_DID_NOT_SUCCEED",
    "NOT_YET",
    "NO_ANSWER",
    "OK",
    "REFUSED",
    "USAGE",
    "cli",
    "main",
]
