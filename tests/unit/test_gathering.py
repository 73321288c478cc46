"""Small minibatches read together: the same rows and numbers as one by one, in fewer reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trainer.gathering import TOGETHER_BYTES, at_a_time, together
from trainer.minibatches import Order

TABLE = np.random.default_rng(3).standard_normal((97, 5)).astype(np.float32)


class Table:
    """What two columns hold, and how many rows were asked for at a time."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def read(self, rows: Any) -> list[np.ndarray]:
        self.asked.append(len(rows))
        return [TABLE[rows], TABLE[rows, :1] * 2]


@pytest.mark.parametrize("count", [1, 2, 3, 100])
@pytest.mark.parametrize("offset", [0, 16, 96])
def test_minibatches_are_those_that_are_read_one_by_one(count: int, offset: int) -> None:
    order, table = Order(np.arange(len(TABLE)), 8, 5, "drawn"), Table()
    expected = list(order.minibatches(1, offset))
    found = list(together(order.minibatches(1, offset), table.read, count))
    assert [rows.tolist() for rows, _ in found] == [rows.tolist() for rows in expected]
    for rows, read in found:
        assert all(np.array_equal(*pair) for pair in zip(read, Table().read(rows), strict=True))
    assert sum(table.asked) == len(TABLE) - offset
    assert len(table.asked) == -(-len(expected) // count)


def test_nothing_is_read_before_it_is_asked_for() -> None:
    table = Table()
    minibatches = together(Order(np.arange(len(TABLE)), 8).minibatches(), table.read, 4)
    assert table.asked == []
    next(minibatches)
    assert table.asked == [32]
    minibatches.close()
    assert table.asked == [32]


def column(*shape: int, **about: Any) -> Any:
    return SimpleNamespace(**{"shape": shape, "by_row": True, "scarce": 0, **about})


@pytest.mark.parametrize(
    ("columns", "size", "count"),
    [
        ([column(20), column(12)], 32, TOGETHER_BYTES // (32 * 32 * 4)),
        ([column()], 32, TOGETHER_BYTES // (32 * 4)),
        ([column(784)], 64, 1),
        ([column(20), column(1, by_row=False)], 32, 1),
        ([column(20), SimpleNamespace(shape=(20,), sparse=True)], 32, 1),
        ([column(20, scarce=80.0)], 32, 1),
    ],
    ids=["small", "codes", "large", "of the whole minibatch", "sparse", "scarce"],
)
def test_only_small_minibatches_of_rows_by_themselves_are_read_together(
    columns: list[Any], size: int, count: int
) -> None:
    assert at_a_time(columns, size) == count
