"""The budget is never exceeded, and nobody waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from trainjobs.storage.budget import MemoryBudget


def test_many_holders_together_never_exceed_the_budget():
    budget = MemoryBudget(10)

    def transfer(size: int) -> None:
        with budget.hold(size):
            assert budget.in_use <= 10

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(transfer, [1, 3, 7, 10, 2] * 40))
    assert budget.in_use == 0
    assert budget.peak == 10


def test_a_part_bigger_than_the_budget_goes_alone():
    budget = MemoryBudget(10)
    with budget.hold(25):
        assert budget.try_acquire(1) is None
    assert budget.try_acquire(1) == 1


def test_who_waits_goes_on_when_there_is_room():
    budget = MemoryBudget(10)
    share = budget.acquire(8)
    went_on = threading.Event()
    waiting = threading.Thread(target=lambda: (budget.acquire(5), went_on.set()))
    waiting.start()
    assert not went_on.wait(0.05)
    budget.release(share)
    assert went_on.wait(5)
    waiting.join()


def test_a_failure_gives_the_memory_back():
    budget = MemoryBudget(10)
    with pytest.raises(ConnectionError), budget.hold(10):
        raise ConnectionError
    assert budget.in_use == 0
