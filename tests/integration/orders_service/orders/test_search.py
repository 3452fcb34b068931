"""Looking at orders, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.domain import paging
from orders_service.orders.download import find_paper
from orders_service.orders.search import (
    Filters,
    event_list,
    get_order,
    get_order_by_key,
    get_orders,
    list_events,
    list_orders,
)
from tests.integration.orders_service.orders.test_download import order, store_extract

if TYPE_CHECKING:
    from tests.postgres import Database


def test_pages_show_every_order_once_newest_first(run: Any) -> None:
    ids = order(run, *(f"77:01:0001001:{n}" for n in range(1, 8)))

    seen: list[int] = []
    token = ""
    while True:
        page = run(lambda db, token=token: list_orders(db, Filters(), page_size=3, page_token=token))
        seen += [one.id for one in page.orders]
        if not page.has_more:
            break
        token = paging.write_token(seen[-1], *Filters().content)

    assert seen == ids[::-1]


def test_a_page_token_belongs_to_its_filters(run: Any) -> None:
    order(run, "77:01:0001001:1", "77:01:0001001:2")
    token = paging.write_token(2, *Filters().content)

    with pytest.raises(errors.InvalidInput, match="page_token: belongs to other filters"):
        run(lambda db: list_orders(db, Filters(only_on_hold=True), page_token=token))
    for forged in ("x", "!!!", "é", token + "A"):
        with pytest.raises(errors.InvalidInput, match="page_token"):
            run(lambda db, forged=forged: list_orders(db, Filters(), page_token=forged))


def test_filters_narrow_to_what_holds_for_all_of_them(run: Any, fresh_database: Database) -> None:
    first, second, third = order(run, "50:20:0100711:40", "77:01:0001001:1", "77:01:0001001:2")
    store_extract(fresh_database, second, b"zip")
    with fresh_database.connect() as connection:
        connection.execute("update orders set hold_reason = 'x', hold_at = now() where id = %s", (third,))

    def ids(**filters: Any) -> list[int]:
        return [one.id for one in run(lambda db: list_orders(db, Filters(**filters))).orders]

    assert ids(cad_num="50:20:100711:40") == [first], "another spelling of the object"
    assert ids(states=("completed", "failed")) == [second]
    assert ids(account="a") == [second]
    assert ids(only_on_hold=True) == [third]
    assert ids(states=("queued",), only_on_hold=True) == [third]
    at = run(lambda db: get_order(db, second)).created_at
    assert ids(created_from=at) == [third, second, first]
    assert ids(created_before=at) == []


def test_what_does_not_exist_is_said_not_to_exist(run: Any) -> None:
    with pytest.raises(errors.NotFound, match="There is no order 7"):
        run(lambda db: get_order(db, 7))
    with pytest.raises(errors.NotFound, match="There is no order 7"):
        run(lambda db: find_paper(db, 7))
    with pytest.raises(errors.NotFound, match="There is no account nobody"):
        run(lambda db: list_orders(db, Filters(account="nobody")))
    with pytest.raises(errors.NotFound, match="There is no order 7"):
        run(lambda db: list_events(db, 7))
    with pytest.raises(errors.NotFound, match="There is no order with the key 'k'"):
        run(lambda db: get_order_by_key(db, "k"))


def test_orders_are_found_by_id_and_by_key_each_once(run: Any, fresh_database: Database) -> None:
    first, second, third = order(run, "77:01:0001001:1", "77:01:0001001:2", "77:01:0001001:3")
    key = run(lambda db: get_order(db, second)).idempotency_key

    assert run(lambda db: get_order_by_key(db, key)).id == second
    found = run(lambda db: get_orders(db, [third, 99, first, 98, 99], [key, "no such", "no such"]))
    assert [one.id for one in found.orders] == [first, second, third]
    assert (found.missing_ids, found.missing_keys) == ((99, 98), ("no such",))
    assert len(run(lambda db: get_orders(db, [second], [key])).orders) == 1, "asked for twice, answered once"
    for count in (0, 101):
        with pytest.raises(errors.InvalidInput, match="1 to 100 orders"):
            run(lambda db, count=count: get_orders(db, range(1, count + 1)))


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_history_comes_page_by_page_from_either_end_and_from_any_step_on(
    run: Any, fresh_database: Database, newest_first: bool
) -> None:
    (order_id, _) = order(run, "77:01:0001001:1", "77:01:0001001:2")
    with fresh_database.connect() as connection:
        connection.execute(
            "insert into order_events (order_id, actor, kind, reason) "
            "select %s, 'x', 'check', n::text from generate_series(1, 6) as n",
            (order_id,),
        )

    def walk(after_id: int = 0) -> list[int]:
        seen: list[int] = []
        listed = event_list(order_id, after_id, newest_first=newest_first)
        while True:
            token = paging.write_token(seen[-1], *listed) if seen else ""
            asked = {"after_id": after_id, "page_size": 3, "page_token": token, "newest_first": newest_first}
            page = run(lambda db, asked=asked: list_events(db, order_id, **asked))
            seen += [event.id for event in page.events]
            if not page.has_more:
                return seen

    everything = walk()

    assert len(everything) == len(set(everything)) == 7
    assert everything == sorted(everything, reverse=newest_first)
    third = sorted(everything)[2]
    assert walk(third) == [one for one in everything if one > third]
