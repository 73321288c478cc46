"""docs/client.md names everything that the client offers, and nothing else."""

import re
from pathlib import Path

import pytest

from client import Client, JobHandle
from client.blocking.checkpoints import Checkpoints
from client.blocking.datasets import Datasets
from client.blocking.jobs import Jobs
from client.blocking.models import Models
from client.blocking.tokens import Tokens
from client.blocking.webhooks import Webhooks

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (\S[^|]*?) \| (.*?) \|$", PAGE, re.MULTILINE))


@pytest.mark.parametrize(
    ("row", "kind", "kept"),
    [
        ("the client", Client, set()),
        ("a job in hand", JobHandle, {"document"}),
        ("`jobs`", Jobs, set()),
        ("`checkpoints`", Checkpoints, set()),
        ("`datasets`", Datasets, set()),
        ("`models`", Models, set()),
        ("`tokens`", Tokens, set()),
        ("`webhooks`", Webhooks, set()),
    ],
)
def test_every_method_is_named(row: str, kind: type, kept: set[str]) -> None:
    offered = {name for name in vars(kind) if not name.startswith("_")}
    assert set(re.findall(r"`(\w+)`", ROWS[row])) == offered | kept
