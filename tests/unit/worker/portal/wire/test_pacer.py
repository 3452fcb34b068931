"""The pause between two calls, by a clock that the test turns."""

from __future__ import annotations

import pytest

from worker.portal.errors import RateLimited
from worker.portal.wire.pacer import Pacer


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def test_one_interval_is_kept_after_the_start() -> None:
    clock = Clock()
    pacer = Pacer(5.0, clock=clock)

    pacer.wait(clock.sleep)

    assert clock.slept == [5.0]


def test_the_interval_counts_from_start_to_start_with_a_little_slack() -> None:
    clock = Clock()
    pacer = Pacer(5.0, clock=clock)
    pacer.wait(clock.sleep)
    pacer.mark()
    clock.now_s += 3.5

    pacer.wait(clock.sleep)

    assert clock.slept == [5.0, pytest.approx(1.6)]


def test_two_calls_never_lie_closer_than_the_interval_and_never_the_same_apart() -> None:
    clock = Clock()
    pacer = Pacer(5.0, jitter_s=3.0, patience_s=0.0, clock=clock)
    for _ in range(200):
        pacer.wait(clock.sleep)
        pacer.mark()

    assert all(5.0 <= slept_s <= 8.1 for slept_s in clock.slept)
    assert min(clock.slept) < 5.8
    assert max(clock.slept) > 7.3


def test_a_first_byte_that_is_marked_late_draws_no_second_time() -> None:
    clock = Clock()
    pacer = Pacer(5.0, jitter_s=3.0, clock=clock)
    pacer.wait(clock.sleep)
    pacer.mark()
    left_s = pacer.remaining_s()

    for _ in range(50):
        pacer.mark()

    assert pacer.remaining_s() == left_s


def test_a_sleep_that_ends_early_is_slept_again() -> None:
    clock = Clock()
    pacer = Pacer(4.0, clock=clock)

    pacer.wait(lambda seconds: clock.sleep(seconds / 2 if seconds > 1 else seconds))

    assert clock.now_s == 1004.0


def test_a_pause_longer_than_the_patience_is_raised_at_once() -> None:
    clock = Clock()
    pacer = Pacer(5.0, patience_s=30.0, clock=clock)
    pacer.hold(100.0)

    with pytest.raises(RateLimited) as caught:
        pacer.wait(clock.sleep)

    assert caught.value.retry_after_s == 100.0
    assert clock.slept == []


def test_the_interval_itself_is_never_beyond_the_patience() -> None:
    clock = Clock()

    Pacer(60.0, patience_s=1.0, clock=clock).wait(clock.sleep)

    assert clock.slept == [60.0]


def test_neither_a_call_nor_a_shorter_hold_shortens_a_pause() -> None:
    clock = Clock()
    pacer = Pacer(5.0, clock=clock)
    pacer.hold(20.0)

    pacer.hold(1.0)
    pacer.mark()

    assert pacer.remaining_s() == 20.0


def test_a_call_that_keeps_no_interval_keeps_what_the_portal_asked_for() -> None:
    clock = Clock()
    pacer = Pacer(5.0, patience_s=30.0, clock=clock)

    pacer.wait_held(clock.sleep)
    pacer.hold(20.0)
    pacer.wait_held(clock.sleep)
    pacer.hold(31.0)
    with pytest.raises(RateLimited):
        pacer.wait_held(clock.sleep)

    assert clock.slept == [20.0]


def test_limits_without_a_time_grow_and_a_named_time_is_binding() -> None:
    pacer = Pacer(5.0, clock=Clock())

    assert [pacer.note_limit("search", None) for _ in range(4)] == [5.0, 30.0, 300.0, 300.0]
    assert pacer.note_limit("search", 7.0) == 7.0
    assert pacer.note_limit("search", 0.0) == 300.0, "at once is no time at all"
    pacer.note_success("search")
    assert pacer.note_limit("search", None) == 5.0


def test_outages_wait_from_ten_seconds_to_ten_minutes_without_holding_other_calls() -> None:
    clock = Clock()
    pacer = Pacer(0.0, clock=clock)

    waits = [pacer.note_outage("search") for _ in range(8)]

    assert waits == [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0]
    assert pacer.remaining_s() == 0
    pacer.note_outage("search", 12.0)
    assert pacer.remaining_s() == 12.0


def test_the_firewall_holds_all_calls_for_half_an_hour_to_an_hour() -> None:
    pacer = Pacer(5.0, clock=Clock())

    pause_s = pacer.note_blocked()

    assert 1800 <= pause_s <= 3600
    assert pacer.remaining_s() == pytest.approx(pause_s)
