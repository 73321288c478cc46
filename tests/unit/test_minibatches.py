"""Which rows come when."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from trainer.minibatches import BLOCK, Order, permutation
from trainer.permutation import Permutation

ROWS = np.arange(100, 123)
WAYS = ("drawn", "computed")


def epoch(order: Order, number: int, offset: int = 0) -> list[list[int]]:
    return [minibatch.tolist() for minibatch in order.minibatches(number, offset)]


def flat(minibatches: list[list[int]]) -> list[int]:
    return [row for minibatch in minibatches for row in minibatch]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [1, 5, 8, 23, 64])
def test_each_row_comes_once_an_epoch(size: int, way: str) -> None:
    for number in range(3):
        minibatches = epoch(Order(ROWS, size, 3, way), number)
        assert sorted(flat(minibatches)) == ROWS.tolist()
        assert {len(minibatch) for minibatch in minibatches[:-1]} <= {size}
        assert 0 < len(minibatches[-1]) <= size


@pytest.mark.parametrize("way", WAYS)
def test_order_depends_on_seed_and_epoch_alone(way: str) -> None:
    order = Order(ROWS, 5, 3, way)
    first = epoch(order, 0)
    assert epoch(order, 1) != first
    assert epoch(order, 0) == first
    assert epoch(Order(ROWS, 5, 3, way), 0) == first
    assert epoch(Order(ROWS, 5, 4, way), 0) != first
    assert flat(epoch(Order(ROWS, 7, 3, way), 0)) == flat(first)


def test_order_is_the_same_everywhere_and_for_ever() -> None:
    assert flat(epoch(Order(np.arange(8), 3, 1, "drawn"), 0)) == [7, 3, 5, 6, 4, 1, 2, 0]
    assert flat(epoch(Order(np.arange(8), 3, 1, "computed"), 0)) == [1, 5, 3, 7, 2, 6, 4, 0]
    assert Permutation(10**10, 7)(np.array([0, 1, 10**10 - 1])).tolist() == [
        2029404466,
        4746028937,
        4326266687,
    ]


def test_unshuffled_rows_keep_their_order() -> None:
    assert flat(epoch(Order(ROWS, 5), 4)) == ROWS.tolist()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("done", range(6))
def test_an_epoch_goes_on_where_it_stood(done: int, way: str) -> None:
    order = Order(ROWS, 5, 3, way)
    assert epoch(order, 2, offset=min(5 * done, len(ROWS))) == epoch(order, 2)[done:]


@pytest.mark.parametrize("size", [7, BLOCK - 1, BLOCK, BLOCK + 1])
def test_minibatches_know_nothing_of_the_blocks_that_they_are_computed_in(size: int) -> None:
    rows = np.arange(2 * BLOCK + 11) + 5
    for way in WAYS:
        order = Order(rows, size, 3, way)
        minibatches = list(order.minibatches(1))
        assert {len(minibatch) for minibatch in minibatches[:-1]} <= {size}
        assert np.array_equal(np.sort(np.concatenate(minibatches)), rows)
        behind = list(order.minibatches(1, 2 * size))
        assert all(np.array_equal(one, same) for one, same in zip(behind, minibatches[2:], strict=True))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 64, 65, 1000])
def test_a_computed_permutation_has_every_number_once(count: int) -> None:
    for epoch in range(5):
        assert np.sort(Permutation(count, 1, epoch)(np.arange(count))).tolist() == list(range(count))


def test_a_computed_permutation_is_as_random_as_a_drawn_one() -> None:
    count, cells = 1_200_000, 32
    orders = [Permutation(count, 1, epoch)(np.arange(count)) for epoch in range(3)]
    positions = np.arange(count)
    together = [(positions, order) for order in orders]
    together += [(order[:-distance], order[distance:]) for order in orders for distance in (1, 2, 64)]
    together += list(pairwise(orders))
    for one, other in together:
        found = np.histogram2d(one, other, bins=cells, range=((0, count), (0, count)))[0]
        expected = len(one) / cells**2
        # Chi squared of (cells - 1)^2 degrees of freedom, five deviations off.
        surprise = ((found - expected) ** 2 / expected).sum() - (cells - 1) ** 2
        assert abs(surprise) < 5 * np.sqrt(2) * (cells - 1)


def test_specs_that_do_not_say_how_are_shuffled_as_they_always_were() -> None:
    assert permutation({"shuffle": True}) == "drawn"
    assert permutation({"shuffle": True, "permutation": "computed"}) == "computed"
    assert permutation({"shuffle": False, "permutation": "computed"}) is None
