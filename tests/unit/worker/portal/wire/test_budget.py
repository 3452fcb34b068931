"""The day's calls: blocks of them, reserved ahead."""

from __future__ import annotations

import pytest

from tests.unit.worker.portal.wire.test_pacer import Clock
from worker.portal.errors import RateLimited
from worker.portal.wire.budget import BLOCK, DayBudget, LedgerInMemory

DAY_S = 24 * 3600.0


class Ledger:
    """Of a day that ends when the test says so."""

    def __init__(self, left: int, *, day_left_s: float = 3600.0) -> None:
        self.left = left
        self.day_left_s = day_left_s
        self.asked: list[int] = []

    def reserve(self, calls: int, sleep: object) -> tuple[int, float]:
        self.asked.append(calls)
        granted = min(calls, self.left)
        self.left -= granted
        return granted, self.day_left_s


def sleep(_seconds: float) -> None:
    raise AssertionError("nothing is slept here")


def take_all(budget: DayBudget) -> tuple[int, RateLimited]:
    """How many calls there were."""
    for taken in range(10_000):
        try:
            budget.take(sleep)
        except RateLimited as exc:
            return taken, exc
    raise AssertionError("there is no end")


def test_a_day_has_so_many_calls_and_a_statement_for_ten_of_them() -> None:
    ledger = Ledger(45, day_left_s=3600.0)

    taken, refused = take_all(DayBudget(450, ledger, clock=Clock()))

    assert taken == 45
    assert len(ledger.asked) == 45 // BLOCK + 2
    assert refused.retry_after_s == pytest.approx(3601)
    assert "450" in str(refused)
    assert "полуночи по московскому времени" in str(refused)


def test_what_a_paid_call_needs_is_there_to_its_end_or_refused_before_it() -> None:
    ledger = Ledger(8)
    budget = DayBudget(450, ledger, clock=Clock())

    budget.need(8, sleep)
    asked = len(ledger.asked)
    for _ in range(8):
        budget.take(sleep)
    assert len(ledger.asked) == asked, "nothing is asked in the middle"

    with pytest.raises(RateLimited):
        budget.need(8, sleep)


def test_too_few_for_something_whole_are_kept_for_something_small() -> None:
    budget = DayBudget(450, Ledger(5), clock=Clock())

    with pytest.raises(RateLimited):
        budget.need(8, sleep)

    assert take_all(budget)[0] == 5


def test_what_is_left_of_a_block_is_void_the_next_day() -> None:
    clock = Clock()
    ledger = Ledger(10, day_left_s=100.0)
    budget = DayBudget(450, ledger, clock=clock)
    budget.take(sleep)
    clock.now_s += 100.0
    ledger.day_left_s, ledger.left = DAY_S, 0

    with pytest.raises(RateLimited):
        budget.take(sleep)


def test_a_day_that_begins_while_it_is_asked_for_takes_nothing_over_from_the_one_before() -> None:
    clock = Clock()
    ledger = Ledger(10, day_left_s=100.0)
    budget = DayBudget(450, ledger, clock=clock)
    budget.take(sleep)
    clock.now_s += 99.9
    ledger.day_left_s, ledger.left = DAY_S, 3

    with pytest.raises(RateLimited):
        budget.need(10, sleep)

    assert take_all(budget)[0] == 3


def test_a_block_whose_day_is_over_when_it_comes_is_asked_for_anew() -> None:
    clock = Clock()

    class Slow(Ledger):
        def reserve(self, calls: int, sleep: object) -> tuple[int, float]:
            granted = super().reserve(calls, sleep)
            clock.now_s += 1.0
            self.day_left_s = DAY_S
            return granted

    ledger = Slow(100, day_left_s=0.5)

    DayBudget(450, ledger, clock=clock).take(sleep)

    assert ledger.asked == [BLOCK, BLOCK]


def test_without_a_limit_nothing_is_asked() -> None:
    ledger = Ledger(0)
    budget = DayBudget(0, ledger, clock=Clock())

    budget.need(1000, sleep)
    budget.take(sleep)

    assert ledger.asked == []


def test_in_memory_the_day_is_moscows() -> None:
    now_s = [1_768_510_799.0 - 1]  # 2026-01-15 23:59:58 in Moscow
    ledger = LedgerInMemory(15, clock=lambda: now_s[0])

    assert ledger.reserve(10, sleep) == (10, 2.0)
    assert ledger.reserve(10, sleep) == (5, 2.0)
    now_s[0] += 2

    assert ledger.reserved == 0
    assert ledger.reserve(10, sleep) == (10, DAY_S)
