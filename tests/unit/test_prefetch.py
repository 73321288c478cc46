"""Reading ahead: the same minibatches in the same order, one at a time, and no thread that stays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from trainer.loop import Diverged, train
from trainer.minibatches import Order
from trainer.prefetch import WORTH_A_THREAD, ahead, worthwhile
from trainer.state import State


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_items_come_in_order_with_what_was_read_of_them(count: int) -> None:
    threads = set()

    def read(item: int) -> int:
        threads.add(threading.current_thread())
        return item * item

    assert list(ahead(range(count), read)) == [(item, item * item) for item in range(count)]
    assert len(threads) == min(count, 1)
    assert threading.current_thread() not in threads


def test_the_next_item_is_read_while_one_is_used_and_none_beyond() -> None:
    begun = [threading.Event() for _ in range(5)]

    def read(item: int) -> int:
        begun[item].set()
        return item

    for item, _ in ahead(range(5), read):
        if item < 4:
            assert begun[item + 1].wait(timeout=30)
        # The one behind the next is not even asked for yet, so it cannot begin.
        assert not any(event.is_set() for event in begun[item + 2 :])


def test_an_error_is_raised_where_its_item_would_come() -> None:
    def read(item: int) -> int:
        if item == 2:
            raise ValueError("row 7 is torn")
        return item

    seen = []
    with pytest.raises(ValueError, match="row 7 is torn"):  # noqa: PT012  # what came before it counts
        for item, _ in ahead(range(5), read):
            seen.append(item)
    assert seen == [0, 1]


def test_a_closed_generator_waits_for_the_read_under_way() -> None:
    begun, let_go, done = threading.Event(), threading.Event(), []

    def read(item: int) -> int:
        if item == 1:
            begun.set()
            assert let_go.wait(timeout=30)
        done.append(item)
        return item

    minibatches = ahead(range(5), read)
    next(minibatches)
    assert begun.wait(timeout=30)
    threading.Timer(0.05, let_go.set).start()
    minibatches.close()
    assert done == [0, 1]


class Reading:
    """A model that reads ahead and answers with each minibatch's first row as its loss."""

    def __init__(self, bad: float | None = None) -> None:
        self.bad = bad
        self.trained: list[list[int]] = []

    def set_rate(self, epoch: float) -> None:
        pass

    def minibatches(self, order: Order, epoch: int, offset: int) -> object:
        return ahead(order.minibatches(epoch, offset), list)

    def train(self, rows: object, read: list[int]) -> tuple[float, int]:
        self.trained.append(read)
        return (float("nan") if self.bad in read else float(read[0])), 0


class Ending:
    """A callback that ends training behind one step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def minibatch(self, state: State, loss: float) -> bool:
        return state.step == self.step

    def epoch(self, state: State) -> None:
        state.next_epoch()


def rows(count: int) -> Order:
    return Order(list(range(count)), 4)


def test_an_end_in_the_middle_of_an_epoch_leaves_no_thread() -> None:
    model, state = Reading(), State()
    train(model, rows(40), state, 3, [Ending(12)])
    assert (state.epoch, state.offset) == (1, 8)
    train(model, rows(40), state, 3, [Ending(0)])
    assert model.trained == 3 * [list(range(start, start + 4)) for start in range(0, 40, 4)]


def test_a_diverged_loss_leaves_no_thread() -> None:
    with pytest.raises(Diverged, match="in epoch 1 at minibatch 6") as caught:
        train(Reading(bad=22), rows(40), State(), 3, [])
    # The traceback still holds the loop's frame, and with it the generator.
    assert caught.value.__traceback__ is not None
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


@pytest.mark.parametrize(
    ("columns", "worth"),
    [
        ([{"shape": (784,)}], False),
        ([{"shape": (WORTH_A_THREAD // 64,)}], True),
        ([{"shape": (WORTH_A_THREAD // 128,)}, {"shape": (1, WORTH_A_THREAD // 128)}], True),
        ([{"shape": (WORTH_A_THREAD,), "sparse": True}], False),
        ([{"shape": (784,)}, {"shape": (1, 2, 2), "costly": True}], True),
        ([{"shape": (784,)}, {"shape": (784,), "scarce": 3136.0}], False),
    ],
    ids=["small", "large", "large together", "sparse", "costly", "scarce"],
)
def test_only_what_costs_much_to_read_is_read_ahead(columns: list[dict[str, object]], worth: bool) -> None:
    made = [SimpleNamespace(**{"sparse": False, **column}) for column in columns]
    assert worthwhile(made, 64) is worth
