"""How many orders there are, how they stand, how long they took and what was charged."""

from __future__ import annotations

import collections
import datetime as dt
import random
import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.orders.statistics import MAX_SPAN, Numbers, Span, Statistics, Times, count_orders
from tests.integration.orders_service.orders.test_download import store_extract
from tests.integration.orders_service.stage import insert_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.postgres import Database

MOSCOW = zoneinfo.ZoneInfo("Europe/Moscow")
NOW = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)

NEEDED: dict[str, dict[str, Any]] = {
    "failed": {"error": "нет", "finished_at": NOW},
    "cancelled": {"finished_at": NOW},
}

#: What came of the paid calls of an order; None: it isn't known yet.
OUTCOMES: list[list[str | None]] = [[], ["number"], ["absent", None], ["absent", "number"]]


def counted(run: Any, **span: Any) -> Statistics:
    statistics: Statistics = run(lambda db: count_orders(db, Span(**span), now=NOW))
    return statistics


def send(database: Database, order_id: int, outcome: str | None) -> None:
    """A paid call, as the journal has it."""
    with database.connect() as connection:
        connection.execute(
            """
            with submission as (
                insert into submissions (order_id, rosreestr_user_id, super_package_guid, statement_guid, package_guid,
                                         draft_guid, person_oid, access_key, balance, portal_cad_num,
                                         known_application_ids)
                select id, rosreestr_user_id, %(guid)s, %(guid)s, %(guid)s, %(guid)s, 'p', 'k', 10, 'x', '{}'
                from orders where id = %(id)s
                on conflict (order_id, rosreestr_user_id) do update set balance = 10
                returning id
            )
            insert into sends (send_id, order_id, submission_id, fence, fence_token, epoch, absent_after_s, balance,
                               outcome, settled_at, person_oid)
            select %(guid)s, %(id)s, id, 1, 't', 1, 3600, 10, %(outcome)s::send_outcome,
                   case when %(outcome)s::send_outcome is not null then now() end, 'p'
            from submission
            """,
            {"guid": uuid.uuid4(), "id": order_id, "outcome": outcome},
        )


def test_what_is_counted_is_what_counting_by_hand_comes_to(run: Any, fresh_database: Database) -> None:
    chosen = random.Random(7)
    kept: list[dict[str, Any]] = []
    for number in range(1, 61):
        state = chosen.choice(["queued", "processing", "registered", "completed", "failed", "cancelled"])
        created = dt.datetime(2026, 6, 1, 20, tzinfo=dt.UTC) + dt.timedelta(minutes=chosen.randrange(4 * 24 * 60))
        account = None if state == "queued" else chosen.choice(["a", "b"])
        order_id = insert_order(
            fresh_database,
            number,
            state="registered" if state == "completed" else state,
            created_at=created,
            account=account,
            client=chosen.choice(["crm", "shop"]),
            **NEEDED.get(state, {}),
            **({"rosreestr_order_num": f"n-{number}"} if state in ("registered", "completed") else {}),
        )
        took = dt.timedelta(seconds=chosen.randrange(60, 100_000))
        if state == "completed":
            store_extract(fresh_database, order_id, b"%d" % number)
        outcomes = chosen.choice(OUTCOMES) if account else []
        for outcome in outcomes:
            send(fresh_database, order_id, outcome)
        is_held = state == "registered" and chosen.random() < 0.5
        with fresh_database.connect() as connection:
            connection.execute(
                "update orders set finished_at = case when finished_at is not null then created_at + %s end, "
                "hold_reason = %s, hold_at = %s where id = %s",
                (took, "x" if is_held else None, NOW if is_held else None, order_id),
            )
            row = connection.execute(
                "select state::text, username, client, orders.created_at, finished_at - orders.created_at from orders "
                "left join rosreestr_users on rosreestr_users.id = rosreestr_user_id where orders.id = %s",
                (order_id,),
            ).fetchone()
        assert row is not None
        kept.append(
            {
                "state": row[0],
                "account": row[1] or "",
                "client": row[2],
                "created": row[3],
                "took": row[4] if row[0] == "completed" else None,
                "is_held": is_held,
                "charges": outcomes.count("number"),
                "open_sends": outcomes.count(None),
            }
        )

    for client in (None, "crm", "shop"):
        for begin, end in (
            (NOW - dt.timedelta(days=30), NOW),
            (dt.datetime(2026, 6, 3, tzinfo=MOSCOW), dt.datetime(2026, 6, 5, tzinfo=MOSCOW)),
        ):
            own = [one for one in kept if client in (None, one["client"]) and begin <= one["created"] < end]
            found = counted(run, client=client, created_from=begin, created_before=end)
            assert own
            assert (found.total, found.times) == (numbers(own), times(own))
            by_account = grouped(own, lambda one: one["account"])
            assert found.accounts == {name: (numbers(these), times(these)) for name, these in by_account.items()}
            assert list(found.accounts) == sorted(by_account)
            by_day = grouped(own, lambda one: one["created"].astimezone(MOSCOW).date())
            assert found.days == {day: numbers(these) for day, these in by_day.items()}
            assert list(found.days) == sorted(by_day)
    [only] = counted(run, account="b").accounts
    assert only == "b"
    tokyo = counted(run, time_zone="Asia/Tokyo")
    assert sum(one.orders for one in tokyo.days.values()) == 60
    assert list(tokyo.days) != list(counted(run).days) or tokyo.days != counted(run).days


def grouped(rows: Iterable[dict[str, Any]], key: Any) -> dict[Any, list[dict[str, Any]]]:
    found = collections.defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def numbers(rows: list[dict[str, Any]]) -> Numbers:
    return Numbers(
        orders=len(rows),
        states=dict(collections.Counter(row["state"] for row in rows)),
        on_hold=sum(row["is_held"] for row in rows),
        charges=sum(row["charges"] for row in rows),
        open_sends=sum(row["open_sends"] for row in rows),
    )


def times(rows: list[dict[str, Any]]) -> Times:
    took = sorted(row["took"] for row in rows if row["took"] is not None)
    if not took:
        return Times()

    def share(tenths: int) -> dt.timedelta:
        """The smallest within which so many are."""
        length: dt.timedelta = took[-(-len(took) * tenths // 10) - 1]
        return length

    return Times(extracts=len(took), median=share(5), p90=share(9), longest=took[-1])


def test_where_nothing_is_there_is_nothing(run: Any) -> None:
    found = counted(run)

    assert (found.total, found.times, found.accounts, found.days) == (Numbers(), Times(), {}, {})
    assert (found.created_from, found.created_before) == (NOW - dt.timedelta(days=30), NOW)
    assert found.time_zone == "Europe/Moscow"


@pytest.mark.parametrize(
    ("span", "field"),
    [
        ({"created_from": NOW}, "created_from: must be before"),
        ({"created_from": NOW - MAX_SPAN - dt.timedelta(seconds=1)}, "created_from: may be up to 366 days"),
        ({"created_before": dt.datetime(1, 1, 2, tzinfo=dt.UTC)}, "created_before"),
        ({"time_zone": "Moscow"}, "time_zone: must be a zone's name"),
        ({"time_zone": "UTC+3"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"time_zone": "x" * 5000}, "time_zone"),
        ({"time_zone": "Europe/Moscow\n"}, "time_zone"),
    ],
)
def test_a_span_that_cant_be_counted_is_refused(run: Any, span: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.InvalidInput, match=field):
        counted(run, **span)


def test_an_account_that_isnt_there_is_told(run: Any) -> None:
    with pytest.raises(errors.NotFound, match="There is no account nobody"):
        counted(run, account="nobody")
