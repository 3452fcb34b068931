"""Accepting orders."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.orders.accept import create_orders
from orders_service.orders.search import list_events
from orders_service.orders.validation import WantedOrder

if TYPE_CHECKING:
    from orders_service.store.db import Database as ServiceDatabase
    from tests.postgres import Database

NUMBER = "77:01:0001001:1001"
OTHER = "77:01:0001001:1002"


def count(database: Database, table: str = "orders") -> int:
    with database.connect() as connection:
        row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_accepted_orders_are_queued_in_the_order_given_with_their_first_event(run: Any) -> None:
    wanted = [WantedOrder(cad_num=f"77:01:0001001:{n}", is_urgent=n % 2 == 0) for n in range(1, 26)]

    created = run(lambda db: create_orders(db, wanted))

    assert [one.order.cad_num for one in created] == [one.cad_num for one in wanted]
    assert [one.order.is_urgent for one in created] == [one.is_urgent for one in wanted]
    assert {(one.order.state, one.order.status, one.is_existing) for one in created} == {
        ("queued", "Добавлен в очередь", False)
    }
    ids = [one.order.id for one in created]
    assert ids == sorted(ids)
    (event,) = run(lambda db: list_events(db, ids[7]))
    assert (event.actor, event.kind, event.from_state, event.to_state) == ("client", "transition", None, "queued")


def test_one_bad_order_stores_none_and_every_broken_rule_is_named(run: Any, fresh_database: Database) -> None:
    wanted = [
        WantedOrder(cad_num=NUMBER),
        WantedOrder(cad_num="77.01.0001001.1002"),
        WantedOrder(cad_num=OTHER, comment="x" * 2001, recipient="a\0b"),
    ]

    with pytest.raises(errors.InvalidInput) as refused:
        run(lambda db: create_orders(db, wanted))

    assert [violation.field for violation in refused.value.violations] == [
        "orders[1].cad_num",
        "orders[2].recipient",
        "orders[2].comment",
    ]
    assert "77:01:0001001:1002" in refused.value.violations[0].rule, "the suggestion is in the message"
    assert count(fresh_database) == 0


def test_the_same_key_again_returns_the_first_order(run: Any, fresh_database: Database) -> None:
    wanted = [WantedOrder(cad_num=NUMBER, idempotency_key="k"), WantedOrder(cad_num=OTHER)]

    (first, _), (again, new) = run(lambda db: create_orders(db, wanted)), run(lambda db: create_orders(db, wanted))

    assert again.order.id == first.order.id
    assert (first.is_existing, again.is_existing, new.is_existing) == (False, True, False)
    assert count(fresh_database) == 3
    assert count(fresh_database, "order_events") == 3


def test_the_same_content_in_another_spelling_is_the_same_request(run: Any) -> None:
    (first,) = run(lambda db: create_orders(db, [WantedOrder(cad_num=NUMBER, idempotency_key="k")]))
    (again,) = run(lambda db: create_orders(db, [WantedOrder(cad_num=f"КН {NUMBER}", idempotency_key="k")]))

    assert again.order.id == first.order.id


def test_the_same_key_with_other_content_is_refused_and_nothing_is_stored(run: Any, fresh_database: Database) -> None:
    run(lambda db: create_orders(db, [WantedOrder(cad_num=NUMBER, idempotency_key="k")]))

    with pytest.raises(errors.AlreadyExists, match=r"orders\[1\].*'k'.*order 1"):
        run(
            lambda db: create_orders(
                db, [WantedOrder(cad_num=OTHER), WantedOrder(cad_num=NUMBER, idempotency_key="k", comment="now urgent")]
            )
        )

    assert count(fresh_database) == 1


def test_a_key_twice_in_one_call_is_one_order_if_the_content_is_the_same(run: Any, fresh_database: Database) -> None:
    twice = [WantedOrder(cad_num=NUMBER, idempotency_key="k")] * 2

    one, other = run(lambda db: create_orders(db, twice))

    assert one.order.id == other.order.id
    assert count(fresh_database) == 1
    with pytest.raises(errors.InvalidInput, match=r"orders\[1\].idempotency_key: is the key of orders\[0\]"):
        run(lambda db: create_orders(db, [twice[0], WantedOrder(cad_num=OTHER, idempotency_key="k")]))


def test_many_calls_with_the_same_keys_at_once_make_each_order_once(run: Any, fresh_database: Database) -> None:
    keys = [f"k{n}" for n in range(20)]

    async def at_once(db: ServiceDatabase) -> list[list[int]]:
        # Given in opposite orders, which would deadlock if they were inserted as given.
        calls = [
            create_orders(db, [WantedOrder(cad_num=NUMBER, idempotency_key=key) for key in keys[:: 1 if n % 2 else -1]])
            for n in range(8)
        ]
        return [sorted(one.order.id for one in call) for call in await asyncio.gather(*calls)]

    ids = run(at_once)

    assert all(call == ids[0] for call in ids)
    assert count(fresh_database) == len(keys)


def test_the_largest_call_is_accepted_and_one_more_is_not(run: Any, fresh_database: Database) -> None:
    wanted = [WantedOrder(cad_num=f"77:01:0001001:{n}", idempotency_key=str(n)) for n in range(1, 10_001)]

    assert len(run(lambda db: create_orders(db, wanted))) == 10_000
    with pytest.raises(errors.InvalidInput, match="1 to 10000 orders"):
        run(lambda db: create_orders(db, [*wanted, WantedOrder(cad_num=NUMBER)]))
    with pytest.raises(errors.InvalidInput, match="1 to 10000 orders"):
        run(lambda db: create_orders(db, []))
    assert count(fresh_database) == 10_000
