"""Which rows come when."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.minibatches import Order

ROWS = np.arange(100, 123)


def epoch(order: Order, number: int, offset: int = 0) -> list[list[int]]:
    return [minibatch.tolist() for minibatch in order.minibatches(number, offset)]


def flat(minibatches: list[list[int]]) -> list[int]:
    return [row for minibatch in minibatches for row in minibatch]


@pytest.mark.parametrize("size", [1, 5, 8, 23, 64])
def test_each_row_comes_once_an_epoch(size: int) -> None:
    for number in range(3):
        minibatches = epoch(Order(ROWS, size, seed=3), number)
        assert sorted(flat(minibatches)) == ROWS.tolist()
        assert {len(minibatch) for minibatch in minibatches[:-1]} <= {size}
        assert 0 < len(minibatches[-1]) <= size


def test_order_depends_on_seed_and_epoch_alone() -> None:
    order = Order(ROWS, 5, seed=3)
    first = epoch(order, 0)
    assert epoch(order, 1) != first
    assert epoch(order, 0) == first
    assert epoch(Order(ROWS, 5, seed=3), 0) == first
    assert epoch(Order(ROWS, 5, seed=4), 0) != first
    assert flat(epoch(Order(ROWS, 7, seed=3), 0)) == flat(first)


def test_order_is_the_same_everywhere_and_for_ever() -> None:
    assert flat(epoch(Order(np.arange(8), 3, seed=1), 0)) == [7, 3, 5, 6, 4, 1, 2, 0]


def test_unshuffled_rows_keep_their_order() -> None:
    assert flat(epoch(Order(ROWS, 5, shuffle=False), 4)) == ROWS.tolist()


@pytest.mark.parametrize("done", range(6))
def test_an_epoch_goes_on_where_it_stood(done: int) -> None:
    order = Order(ROWS, 5, seed=3)
    assert epoch(order, 2, offset=min(5 * done, len(ROWS))) == epoch(order, 2)[done:]
