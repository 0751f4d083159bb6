import threading
import time

import pytest

from sr_jax.data.ahead import ahead


def test_items_come_in_order():
    def compute(index):
        time.sleep(0.01 * (index % 3 == 0))
        return index * index

    items = ahead(compute, range(20), weigh=lambda index: 1, budget=6, threads=3)
    assert list(items) == [index * index for index in range(20)]


@pytest.mark.parametrize(("weights", "most"), [([4] * 12, 10), ([1, 1, 50, 1, 1, 50, 50, 1], 10), ([0] * 30, 10)])
def test_memory_has_a_bound(weights, most):
    """An item that is heavier than the budget is computed when no other is there."""
    lock, held, peaks = threading.Lock(), [], []

    def compute(index):
        with lock:
            held.append(index)
            peaks.append(list(held))
        return index

    for index in ahead(compute, range(len(weights)), weigh=weights.__getitem__, budget=most, threads=4):
        with lock:
            held.remove(index)
            held.append(index)  # the taker still has it
        time.sleep(0.002)
        held.remove(index)
    assert max(len(peak) for peak in peaks) <= 2 * 4 + 2
    for peak in peaks:
        assert sum(weights[i] for i in peak) <= most or len(peak) == 1


def test_an_error_comes_in_its_place():
    def compute(index):
        if index == 3:
            raise ValueError("three")
        return index

    items = ahead(compute, range(10), weigh=lambda index: 1, budget=100, threads=2)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(items)


def test_nothing_more_is_computed_after_the_end():
    computed = []
    items = ahead(computed.append, range(1000), weigh=lambda index: 1, budget=5, threads=2)
    next(items)
    items.close()
    count = len(computed)
    time.sleep(0.05)
    assert len(computed) == count < 10
