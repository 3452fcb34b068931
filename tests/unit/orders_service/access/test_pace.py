"""How often somebody may do something."""

from __future__ import annotations

import pytest

from orders_service.access.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_some_are_let_through_at_once_and_then_so_many_a_second() -> None:
    clock = Clock()
    pace = Pace(2.0, burst=3.0, clock=clock)

    assert [pace.take("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert pace.take("a") == pytest.approx(0.5)
    clock.now = 0.5
    assert pace.take("a") == 0.0
    assert pace.take("a") == pytest.approx(0.5)


def test_whoever_is_refused_is_let_through_after_the_seconds_that_he_was_told() -> None:
    clock = Clock()
    pace = Pace(3.0, burst=1.0, clock=clock)
    assert pace.take("a") == 0.0

    for _ in range(10):
        clock.now += pace.take("a") + 1e-9

        assert pace.take("a") == 0.0


def test_one_doesnt_stand_in_the_way_of_another() -> None:
    pace = Pace(1.0, burst=1.0, clock=Clock())
    assert pace.take("a") == 0.0
    assert pace.take("a") > 0.0

    assert pace.take("b") == 0.0


def test_a_rate_of_nothing_is_no_limit() -> None:
    pace = Pace(0.0, burst=1.0, clock=Clock())

    assert {pace.take("a") for _ in range(1000)} == {0.0}


def test_those_who_havent_come_for_long_are_forgotten_first() -> None:
    clock = Clock()
    pace = Pace(1.0, burst=1.0, clock=clock)
    pace.take("often")
    for number in range(20_000):
        pace.take(f"once {number}")
        if number % 1000 == 0:
            assert pace.take("often") > 0.0, "still counted"

    assert len(pace._buckets) <= 10_000
