"""Accepting orders."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.orders.accept import check_orders, create_order, create_orders
from orders_service.orders.search import get_order, get_orders, list_events
from orders_service.orders.validation import WantedOrder
from orders_service.store.queries import load

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


def wanted(cad_num: str = NUMBER, **fields: Any) -> WantedOrder:
    return WantedOrder(**{"cad_num": cad_num, "idempotency_key": str(uuid.uuid4()), **fields})


def test_accepted_orders_are_queued_in_the_order_given_with_their_first_event(run: Any) -> None:
    asked = [wanted(f"77:01:0001001:{n}", is_urgent=n % 2 == 0) for n in range(1, 26)]

    created = run(lambda db: create_orders(db, asked, with_orders=True))

    assert [one.order.cad_num for one in created] == [one.cad_num for one in asked]
    assert [one.order.is_urgent for one in created] == [one.is_urgent for one in asked]
    assert {(one.order.state, one.order.status, one.state, one.is_existing) for one in created} == {
        ("queued", "Добавлен в очередь", "queued", False)
    }
    ids = [one.order_id for one in created]
    assert ids == sorted(ids)
    (event,) = run(lambda db: list_events(db, ids[7])).events
    assert (event.actor, event.kind, event.from_state, event.to_state) == ("client", "transition", None, "queued")


def test_whole_orders_are_answered_when_asked_for_and_only_as_many_as_fit(run: Any, fresh_database: Database) -> None:
    assert run(lambda db: create_orders(db, [wanted()]))[0].order is None
    assert run(lambda db: create_order(db, wanted())).order.cad_num == NUMBER

    with pytest.raises(errors.InvalidInput, match="with_orders: is for up to 100 orders, not 101"):
        run(lambda db: create_orders(db, [wanted() for _ in range(101)], with_orders=True))

    assert count(fresh_database) == 2, "refused before anything is stored, not after"


@pytest.mark.parametrize("is_spelled_out", [False, True])
def test_one_order_is_answered_as_it_is_read_later(run: Any, is_spelled_out: bool) -> None:
    texts: dict[str, Any] = {"recipient": "Иванов", "comment": 'a "note"', "is_urgent": True} if is_spelled_out else {}
    earlier = run(lambda db: create_order(db, wanted(), client="a"))

    created = run(lambda db: create_order(db, wanted(**texts), client="a"))

    assert created.order == run(lambda db: get_order(db, created.order_id))
    assert (created.state, created.is_existing, created.same_object) == ("queued", False, earlier.order_id)


def test_one_order_is_stored_and_read_in_one_statement(run: Any) -> None:
    told: list[str] = []

    async def create(db: ServiceDatabase) -> None:
        await create_order(db, wanted())
        async with db.transaction() as connection:
            execute = connection.execute

        async def counted(query: Any, *args: Any, **more: Any) -> Any:
            told.append(str(query))
            return await execute(query, *args, **more)

        # The pool lends this very connection again: nobody else has one.
        connection.execute = counted  # type: ignore[method-assign]
        await create_order(db, wanted())

    run(create)

    assert told == [load("session")["begin"], load("accept")["insert_order"]]


def test_one_bad_order_stores_none_and_every_broken_rule_is_named(run: Any, fresh_database: Database) -> None:
    asked = [wanted(), wanted("77.01.0001001.1002"), wanted(OTHER, comment="x" * 2001, recipient="a\0b")]

    with pytest.raises(errors.InvalidInput) as refused:
        run(lambda db: create_orders(db, asked))

    assert [violation.field for violation in refused.value.violations] == [
        "orders[1].cad_num",
        "orders[2].recipient",
        "orders[2].comment",
    ]
    assert refused.value.metadata == {"violations": "3", "bad_rows": "2"}
    assert "77:01:0001001:1002" in refused.value.violations[0].rule, "the suggestion is in the message"
    assert count(fresh_database) == 0


def test_one_order_alone_is_named_without_a_number(run: Any) -> None:
    with pytest.raises(errors.InvalidInput, match=r"^order\.cad_num: "):
        run(lambda db: create_order(db, wanted("x")))


def test_every_bad_row_is_told_by_a_check_that_stores_nothing(run: Any, fresh_database: Database) -> None:
    same = wanted(idempotency_key="same")
    run(lambda db: create_orders(db, [wanted(idempotency_key="taken"), same]))
    asked = [wanted("x") if n % 2 else wanted() for n in range(2000)]
    asked[10] = wanted(OTHER, idempotency_key="taken")
    asked[12] = same

    bad = run(lambda db: check_orders(db, asked))

    assert [row.index for row in bad] == sorted([*range(1, 2000, 2), 10])
    (rule,) = next(row for row in bad if row.index == 10).rules
    assert (rule.field, rule.other_order_id) == ("idempotency_key", 1)
    assert count(fresh_database) == 2


def test_the_same_key_again_returns_the_first_order_as_it_stands(run: Any, fresh_database: Database) -> None:
    asked = [wanted(idempotency_key="k"), wanted(OTHER, idempotency_key="l")]
    (first, _) = run(lambda db: create_orders(db, asked))
    with fresh_database.connect() as connection:
        connection.execute(
            "update orders set state = 'cancelled', finished_at = now() where id = %s", (first.order_id,)
        )

    again, old, new = run(lambda db: create_orders(db, [*asked, wanted(OTHER)]))

    assert (again.order_id, again.state) == (first.order_id, "cancelled")
    assert (first.is_existing, again.is_existing, old.is_existing, new.is_existing) == (False, True, True, False)
    assert count(fresh_database) == 3
    assert count(fresh_database, "order_events") == 3


def test_a_key_is_its_clients_own(run: Any, fresh_database: Database) -> None:
    asked = [wanted(idempotency_key="k")]
    ids = [run(lambda db, c=client: create_orders(db, asked, client=c))[0].order_id for client in ("", "a", "b", "a")]

    assert ids[3] == ids[1]
    assert len(set(ids)) == 3
    found = run(lambda db: get_orders(db, [], ["k", "l"], client="a"))
    assert ([one.id for one in found.orders], found.missing_keys) == ([ids[1]], ("l",))
    assert found.orders[0].client == "a"


def test_another_open_order_of_the_same_object_and_client_is_warned_of(run: Any, fresh_database: Database) -> None:
    (first,) = run(lambda db: create_orders(db, [wanted(idempotency_key="k")]))
    run(lambda db: create_orders(db, [wanted()], client="b"))

    same, spelled, other = run(lambda db: create_orders(db, [wanted(), wanted(f"КН {NUMBER}"), wanted(OTHER)]))

    assert (first.same_object, other.same_object) == (None, None)
    assert same.same_object == first.order_id
    assert spelled.same_object == same.order_id, "of the same call"
    assert run(lambda db: create_orders(db, [wanted(idempotency_key="k")]))[0].same_object is None, "it is itself"
    with fresh_database.connect() as connection:
        connection.execute("update orders set state = 'cancelled', finished_at = now()")
    assert run(lambda db: create_orders(db, [wanted()]))[0].same_object is None, "what is over isn't charged again"


def test_the_same_content_in_another_spelling_is_the_same_request(run: Any) -> None:
    (first,) = run(lambda db: create_orders(db, [wanted(idempotency_key="k")]))
    (again,) = run(lambda db: create_orders(db, [wanted(f"КН {NUMBER}", idempotency_key="k")]))

    assert again.order_id == first.order_id


def test_the_same_key_with_other_content_is_refused_and_nothing_is_stored(run: Any, fresh_database: Database) -> None:
    run(lambda db: create_orders(db, [wanted(idempotency_key="k"), wanted(idempotency_key="l")]))
    asked = [wanted(OTHER), wanted(idempotency_key="k", comment="now urgent"), wanted(OTHER, idempotency_key="l")]

    with pytest.raises(errors.KeyTaken, match=r"orders\[1\].*'k'.*order 1") as refused:
        run(lambda db: create_orders(db, asked))

    assert [one.field for one in refused.value.violations] == [f"orders[{n}].idempotency_key" for n in (1, 2)]
    assert refused.value.metadata == {"index": "1", "idempotency_key": "k", "order_id": "1", "bad_rows": "2"}
    assert count(fresh_database) == 2


def test_a_key_twice_in_one_call_is_one_order_if_the_content_is_the_same(run: Any, fresh_database: Database) -> None:
    twice = [wanted(idempotency_key="k")] * 2

    one, other = run(lambda db: create_orders(db, twice))

    assert one.order_id == other.order_id
    assert count(fresh_database) == 1
    with pytest.raises(errors.InvalidInput, match=r"orders\[1\].idempotency_key: is the key of orders\[0\]"):
        run(lambda db: create_orders(db, [twice[0], wanted(OTHER, idempotency_key="k")]))


def test_many_calls_with_the_same_keys_at_once_make_each_order_once(run: Any, fresh_database: Database) -> None:
    keys = [f"k{n}" for n in range(20)]

    async def at_once(db: ServiceDatabase) -> list[list[int]]:
        # Given in opposite orders, which would deadlock if they were inserted as given.
        calls = [
            create_orders(db, [wanted(idempotency_key=key) for key in keys[:: 1 if n % 2 else -1]]) for n in range(8)
        ]
        return [sorted(one.order_id for one in call) for call in await asyncio.gather(*calls)]

    ids = run(at_once)

    assert all(call == ids[0] for call in ids)
    assert count(fresh_database) == len(keys)


def test_the_largest_call_is_accepted_and_one_more_is_not(run: Any, fresh_database: Database) -> None:
    asked = [wanted(f"77:01:0001001:{n}", idempotency_key=str(n)) for n in range(1, 10_001)]

    created = run(lambda db: create_orders(db, asked))
    assert len(created) == 10_000
    again = run(lambda db: create_orders(db, asked, client="b")) and run(
        lambda db: create_orders(
            db, [dataclasses.replace(one, idempotency_key=f"{one.idempotency_key}b") for one in asked]
        )
    )
    assert [one.same_object for one in again] == [one.order_id for one in created], "in no time that grows with both"
    with pytest.raises(errors.InvalidInput, match="1 to 10000 orders"):
        run(lambda db: create_orders(db, [*asked, wanted()]))
    with pytest.raises(errors.InvalidInput, match="1 to 10000 orders"):
        run(lambda db: create_orders(db, []))
    assert count(fresh_database) == 30_000


def test_the_plan_for_many_orders_is_never_one_for_a_few(run: Any) -> None:
    """The server makes a plan for whatever may come from the eleventh time on; for many it is a wrong one."""

    async def work(db: ServiceDatabase) -> list[int]:
        for _ in range(12):
            await create_orders(db, [wanted(f"77:01:0001001:{n}") for n in range(1, 201)])
        async with db.transaction() as connection:
            cursor = await connection.execute(
                "select generic_plans from pg_prepared_statements where statement like '%insert into orders%'"
            )
            return [row["generic_plans"] for row in await cursor.fetchall()]

    assert not any(run(work))
