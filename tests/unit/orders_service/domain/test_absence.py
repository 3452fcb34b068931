"""When readings prove absence: never early, never from too few, never from readings that prove nothing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random

import pytest

from orders_service.domain.absence import NEEDED, VoidReason, count_readings, find_void_reason
from orders_service.domain.facts import ListReading

GATE = dt.datetime(2026, 1, 15, 12, 0, tzinfo=dt.UTC)
HOUR = 3600.0


def at(seconds: float) -> dt.datetime:
    return GATE + dt.timedelta(seconds=seconds)


def test_five_readings_spread_over_the_whole_time_prove_absence() -> None:
    assert count_readings([at(720), at(1440), at(2160), at(2880), at(3600)], GATE, HOUR) == NEEDED


def test_the_last_reading_is_begun_after_the_end_of_the_time() -> None:
    assert count_readings([at(720), at(1440), at(2160), at(2880), at(3599.999)], GATE, HOUR) == 4


def test_many_readings_in_a_row_count_once() -> None:
    assert count_readings([at(720 + second) for second in range(600)], GATE, HOUR) == 1


def test_many_readings_after_the_time_still_take_their_time() -> None:
    # Nobody read for two hours: five readings within a minute afterwards aren't spread over anything.
    assert count_readings([at(7200 + 10 * n) for n in range(5)], GATE, HOUR) == 1


def test_a_reading_right_after_the_gate_doesnt_count() -> None:
    assert count_readings([at(1), at(719.9)], GATE, HOUR) == 0


def test_readings_before_the_gate_dont_count() -> None:
    assert count_readings([at(-7200), at(-1)], GATE, HOUR) == 0


def test_the_order_in_which_they_came_is_of_no_matter() -> None:
    readings = [at(3600), at(720), at(2880), at(1440), at(2160)]

    assert count_readings(readings, GATE, HOUR) == NEEDED


def test_no_more_than_needed_are_counted() -> None:
    assert count_readings([at(720 * n) for n in range(1, 50)], GATE, HOUR) == NEEDED


def test_a_missed_reading_puts_absence_off_and_never_forward() -> None:
    without_third = [at(720), at(1440), at(2880), at(3600)]

    assert count_readings(without_third, GATE, HOUR) == 4
    assert count_readings([*without_third, at(4320)], GATE, HOUR) == NEEDED


@pytest.mark.parametrize("seed", range(200))
def test_whatever_comes_absence_is_never_early_and_never_from_few(seed: int) -> None:
    chance = random.Random(seed)
    absent_after_s = chance.choice([0.7, 1.0, 15.0, 3600.0, 86400.0 / 7])
    readings: list[dt.datetime] = []
    counted = 0

    for _ in range(chance.randrange(60)):
        readings.append(at(chance.uniform(-0.5, 3) * absent_after_s))
        before, counted = counted, count_readings(readings, GATE, absent_after_s)
        # One more reading never takes away what was proven, and proves one step at most.
        assert before <= counted <= before + 1

    if counted == NEEDED:
        after_gate = [reading for reading in readings if reading >= at(absent_after_s / NEEDED)]
        assert len(after_gate) >= NEEDED
        assert max(readings) >= at(absent_after_s)


def good_reading(**changes: object) -> ListReading:
    reading = ListReading(
        begun_at=at(800),
        person_oid="1",
        is_unfiltered=True,
        is_complete=True,
        balance=10,
        rows=(),
        rows_in_all=0,
    )
    return dataclasses.replace(reading, **changes)  # type: ignore[arg-type]


def void_reason(reading: ListReading, *, is_own_account: bool = True) -> VoidReason | None:
    return find_void_reason(
        reading,
        is_own_account=is_own_account,
        person_oid="1",
        gate_at=GATE,
        recorded_at=at(900),
        expected_balance=10,
    )


def test_a_reading_as_the_journalled_person_without_filters_to_the_end_counts() -> None:
    assert void_reason(good_reading()) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"person_oid": "2"}, VoidReason.OTHER_PERSON),
        ({"person_oid": ""}, VoidReason.OTHER_PERSON),
        ({"begun_at": at(-0.001)}, VoidReason.BEFORE_GATE),
        ({"begun_at": at(900.001)}, VoidReason.IN_FUTURE),
        ({"is_unfiltered": False}, VoidReason.FILTERED),
        ({"is_complete": False}, VoidReason.INCOMPLETE),
        ({"balance": None}, VoidReason.NO_BALANCE),
        ({"balance": 9}, VoidReason.OTHER_BALANCE),
        ({"balance": 11}, VoidReason.OTHER_BALANCE),
    ],
)
def test_a_reading_that_proves_nothing_says_why(changes: dict[str, object], reason: VoidReason) -> None:
    assert void_reason(good_reading(**changes)) is reason


def test_another_accounts_list_proves_nothing() -> None:
    assert void_reason(good_reading(), is_own_account=False) is VoidReason.OTHER_ACCOUNT
