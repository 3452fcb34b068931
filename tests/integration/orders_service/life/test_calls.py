"""Calls to the portal are counted by day and person, over whatever restarts or moves."""

from __future__ import annotations

import asyncio

import pytest

from orders_service import errors
from orders_service.life import calls
from tests.integration.orders_service.life.bench import PERSON, Bench, refused

DAY_S = 24 * 3600.0


def reserve(bench: Bench, epoch: int, count: int, *, limit: int = 450, username: str = "first") -> int:
    reserved = bench.run(calls.reserve_calls(bench.db, username, epoch, calls=count, daily_limit=limit))
    assert 0 < reserved.day_left_s <= DAY_S
    return reserved.granted


def test_no_opening_of_the_account_gets_more_than_what_the_day_has_left(bench: Bench) -> None:
    granted = [reserve(bench, bench.open(), 10, limit=25) for _ in range(4)]

    assert granted == [10, 10, 5, 0]


def test_a_limit_that_was_lowered_since_grants_nothing_and_a_raised_one_the_rest(bench: Bench) -> None:
    epoch = bench.open()
    reserve(bench, epoch, 20, limit=30)

    assert reserve(bench, epoch, 10, limit=15) == 0
    assert reserve(bench, epoch, 100, limit=40) == 20


def test_two_accounts_of_one_person_share_the_day_also_what_was_called_before_it_was_known(bench: Bench) -> None:
    bench.add_account("second")
    first, second = bench.open(), bench.open("second")
    assert reserve(bench, first, 10, limit=25) == 10

    assert reserve(bench, second, 10, limit=25, username="second") == 10, "it is somebody else, as far as is known"
    bench.execute("update rosreestr_users set person_oid = %(person)s, is_active = username = 'first'", person=PERSON)

    assert reserve(bench, second, 10, limit=25, username="second") == 5
    assert reserve(bench, first, 10, limit=25) == 0


def test_two_accounts_of_one_person_that_ask_at_once_never_get_too_many(bench: Bench) -> None:
    bench.add_account("second")
    epochs = {username: bench.open(username) for username in ("first", "second")}
    bench.execute("update rosreestr_users set person_oid = %(person)s, is_active = username = 'first'", person=PERSON)

    async def ask_all() -> list[calls.Reserved]:
        asked = [
            calls.reserve_calls(bench.db, username, epoch, calls=3, daily_limit=20)
            for _ in range(8)
            for username, epoch in epochs.items()
        ]
        return await asyncio.gather(*asked)

    granted = [one.granted for one in bench.run(ask_all())]

    assert sum(granted) == 20
    assert bench.one("select sum(reserved) as reserved from portal_calls")["reserved"] == 20


def test_a_new_day_begins_anew(bench: Bench) -> None:
    epoch = bench.open()
    assert reserve(bench, epoch, 25, limit=25) == 25
    bench.execute("update portal_calls set day = day - 1")

    assert reserve(bench, epoch, 10, limit=25) == 10


def test_the_day_is_moscows(bench: Bench) -> None:
    reserved = bench.run(calls.reserve_calls(bench.db, "first", bench.open(), calls=1, daily_limit=5))

    end = bench.one(
        "select to_char((now() + make_interval(secs => %(left_s)s)) at time zone 'Europe/Moscow', 'HH24:MI') as at",
        left_s=reserved.day_left_s + 1,
    )["at"]
    day = bench.one("select day = (now() at time zone 'Europe/Moscow')::date as is_today from portal_calls")
    assert end == "00:00"
    assert day["is_today"]


def test_whose_account_was_opened_by_another_gets_none(bench: Bench) -> None:
    epoch = bench.open()
    bench.open()

    with refused("STALE_EPOCH"):
        reserve(bench, epoch, 1)


@pytest.mark.parametrize(("count", "limit"), [(0, 450), (-1, 450), (1001, 450), (1, 0), (1, -5), (1, 2**31 - 1)])
def test_numbers_that_make_no_sense_are_refused(bench: Bench, count: int, limit: int) -> None:
    with pytest.raises(errors.InvalidInput, match=r"calls|daily_limit"):
        reserve(bench, bench.open(), count, limit=limit)
