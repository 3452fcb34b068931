"""A late row of a send that was settled as absent is looked for in its own sender's list, and not for ever.

Each end of an order × each account that sent it: who is asked, who isn't, what he finds, and what becomes of it where
nobody can look.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import pytest

from orders_service.domain import facts
from orders_service.life import claiming, keeping_facts, papers, unattended
from orders_service.queueing.relay import LOOK_TRIES
from orders_service.store import queries
from tests.integration.orders_service.life.bench import BALANCE, Bench, person_of, row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from orders_service.domain.orders import Holder, OrderInHand

SCHEDULE: Final = queries.load("schedule")


def denied(bench: Bench, *usernames: str) -> int:
    """An order that these accounts sent one after the other, each time absent by a person's word."""
    order_id = bench.add_order()
    for username in usernames:
        holder = bench.claim(order_id, username)
        if bench.run(claiming.claim_order(bench.db, holder)).was_sent:
            read(bench, holder)
        bench.intend(holder)
        bench.upload(holder)
        bench.gate(holder)
        bench.age(order_id, 1.0)
        bench.as_absent(order_id)
    return order_id


def sent_by(bench: Bench, order_id: int, username: str) -> Holder:
    """The account sends it, and finds its number."""
    holder = bench.claim(order_id, username)
    if bench.run(claiming.claim_order(bench.db, holder)).was_sent:
        read(bench, holder)
    bench.intend(holder)
    bench.upload(holder)
    bench.gate(holder)
    read(bench, holder, row(902, "N-2"))
    assert bench.state(order_id) == "registered"
    return holder


def read(bench: Bench, holder: Holder, *rows: facts.ApplicationRow) -> None:
    """Read the account's list as its worker does that isn't told of a send."""
    reading = facts.ListReading(
        begun_at=bench.now(),
        person_oid=person_of(holder.username),
        is_unfiltered=True,
        is_complete=True,
        balance=BALANCE,
        rows=rows,
        rows_in_all=len(rows),
    )
    bench.run(keeping_facts.record_fact(bench.db, holder, reading, send_id=None))


def complete(bench: Bench, holder: Holder) -> None:
    data = b"PK..."

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    new = papers.NewPaper(
        kind="extract",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        file_name="extract.zip",
        cad_num="77:01:0001001:1001",
        registration_number="",
        formed_on="",
        reason="",
    )
    bench.run(papers.store_paper(bench.db, holder, new, pieces()))


def completed_by_another(bench: Bench) -> int:
    order_id = denied(bench, "first")
    complete(bench, sent_by(bench, order_id, "second"))
    return order_id


def completed_by_itself(bench: Bench) -> int:
    order_id = denied(bench, "first")
    holder = sent_by(bench, order_id, "first")
    complete(bench, holder)
    return order_id


def completed_by_a_third(bench: Bench) -> int:
    order_id = denied(bench, "first", "second")
    complete(bench, sent_by(bench, order_id, "third"))
    return order_id


def completed_by_one_of_two(bench: Bench) -> int:
    order_id = denied(bench, "first", "second")
    complete(bench, sent_by(bench, order_id, "second"))
    return order_id


def failed_in_anothers_hand(bench: Bench) -> int:
    order_id = denied(bench, "first")
    bench.fail(bench.claim(order_id, "second"))
    return order_id


def failed_in_its_own_hand(bench: Bench) -> int:
    order_id = denied(bench, "first")
    bench.fail(bench.claim(order_id, "first"))
    return order_id


def failed_with_its_job(bench: Bench) -> int:
    order_id = denied(bench, "first")
    holder = bench.claim(order_id, "second")
    bench.execute("update orders set seen_at = null")
    bench.run(unattended.fail_by_queue(bench.db, order_id, fence=holder.fence, error="x"))
    return order_id


def given_up_with_an_open_send(bench: Bench) -> int:
    order_id = denied(bench, "first")
    holder = bench.claim(order_id, "second")
    bench.intend(holder)
    bench.upload(holder)
    bench.gate(holder)
    bench.give_up(order_id)
    return order_id


#: How an order ends, and in whose lists it is looked for then.
ENDS: Final[dict[str, tuple[Callable[[Bench], int], set[str]]]] = {
    "completed by another": (completed_by_another, {"first"}),
    "completed by itself": (completed_by_itself, {"first"}),
    "completed by a third": (completed_by_a_third, {"first", "second"}),
    "completed by one of two": (completed_by_one_of_two, {"first", "second"}),
    "failed in another's hand": (failed_in_anothers_hand, {"first"}),
    "failed in its own hand": (failed_in_its_own_hand, {"first"}),
    "failed with its job": (failed_with_its_job, {"first"}),
    "given up with an open send": (given_up_with_an_open_send, {"first", "second"}),
}
ALL: Final = ("first", "second", "third")


@pytest.fixture
def ended(bench: Bench, request: Any) -> tuple[int, set[str]]:
    """An order that ended so, a day ago."""
    for username in ALL[1:]:
        bench.add_account(username)
    end, senders = ENDS[request.param]
    order_id = end(bench)
    called(bench)
    a_day_goes_by(bench)
    return order_id, senders


def a_day_goes_by(bench: Bench) -> None:
    day = "interval '25 h'"
    bench.execute(f"update orders set look_at = look_at - {day}, relayed_at = relayed_at - {day}")
    bench.execute(f"update orders set registered_at = registered_at - {day}")
    bench.execute(f"update sends set looked_at = looked_at - {day}")


def called(bench: Bench) -> dict[int, str | None]:
    """What the relay puts on the queue now: the orders, and in whose lanes."""

    async def relay() -> dict[int, str | None]:
        async with bench.db.transaction() as connection:
            parameters = {"tries": LOOK_TRIES, "actor": "relay", "kind": "look_missed"}
            await connection.execute(SCHEDULE["call_for_looks"], parameters)
            rows = await connection.execute(SCHEDULE["take_unrelayed"], {"after_id": 0, "limit": 100})
            found = {row["id"]: row["username"] for row in await rows.fetchall()}
            await connection.execute(SCHEDULE["mark_relayed"], {"ids": list(found)})
            return found

    return bench.run(relay())


def claim(bench: Bench, order_id: int, username: str) -> tuple[Holder, OrderInHand]:
    holder = bench.delivery(order_id, username)
    return holder, bench.run(claiming.claim_order(bench.db, holder))


@pytest.mark.parametrize("ended", ENDS, indirect=True)
def test_each_sender_is_asked_and_nobody_else(bench: Bench, ended: tuple[int, set[str]]) -> None:
    order_id, senders = ended
    asked: set[str] = set()

    while order := called(bench):
        username = order[order_id]
        assert username is not None
        for other in ALL:
            holder, told = claim(bench, order_id, other)
            if other == username:
                assert told.is_look_due, username
                assert told.submission is not None, "with the journal that tells what it knew"
                assert told.submission.rosreestr_user_id == account_id(bench, username)
                mine = holder
            else:
                assert told.is_look_due is (other in senders - asked)
        read(bench, mine)
        asked.add(username)
        assert len(asked) <= len(senders)
        a_day_goes_by(bench)

    assert asked >= senders
    assert bench.order(order_id)["look_at"] is None, "and that is the end of it"
    assert bench.events(order_id, "alarm") == []


def account_id(bench: Bench, username: str) -> int:
    return int(bench.one("select id from rosreestr_users where username = %(name)s", name=username)["id"])


@pytest.mark.parametrize("ended", ENDS, indirect=True)
def test_a_late_row_in_each_senders_list_is_an_alarm(bench: Bench, ended: tuple[int, set[str]]) -> None:
    order_id, senders = ended

    for number, username in enumerate(sorted(senders), start=1):
        read(bench, claim(bench, order_id, username)[0], row(910 + number, f"LATE-{username}"))

        assert len(bench.events(order_id, "alarm")) == number
        assert f"LATE-{username}" in bench.events(order_id, "alarm")[-1]["reason"]


@pytest.mark.parametrize("ended", ENDS, indirect=True)
def test_where_nobody_looks_it_is_said_and_over(bench: Bench, ended: tuple[int, set[str]]) -> None:
    order_id, senders = ended

    days = 0
    while called(bench):
        days += 1
        assert called(bench) == {}, "once a day"
        assert days <= LOOK_TRIES + 1, "the last decision may have asked for one more"
        a_day_goes_by(bench)

    assert bench.order(order_id)["look_at"] is None
    (missed,) = bench.events(order_id, "look_missed")
    assert all(username in missed["reason"] for username in senders), missed
    a_day_goes_by(bench)
    assert called(bench) == {}


def test_a_reading_that_proves_nothing_is_no_look(bench: Bench) -> None:
    bench.add_account("second")
    order_id = failed_in_anothers_hand(bench)
    a_day_goes_by(bench)
    holder, told = claim(bench, order_id, "first")
    assert told.is_look_due

    for changes in ({"is_complete": False}, {"is_unfiltered": False}, {"person_oid": "somebody"}):
        bench.read(holder, **changes)
        assert claim(bench, order_id, "first")[1].is_look_due, changes
