"""Looking at orders, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.orders.download import find_paper
from orders_service.orders.search import Filters, get_order, list_orders
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
        token = page.next_page_token
        if not token:
            break

    assert seen == ids[::-1]


def test_a_page_token_belongs_to_its_filters(run: Any) -> None:
    order(run, "77:01:0001001:1", "77:01:0001001:2")
    page = run(lambda db: list_orders(db, Filters(), page_size=1))

    with pytest.raises(errors.InvalidInput, match="page_token: belongs to other filters"):
        run(lambda db: list_orders(db, Filters(only_on_hold=True), page_token=page.next_page_token))
    for forged in ("x", "!!!", "é", page.next_page_token + "A"):
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
    assert ids(username="a") == [second]
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
        run(lambda db: list_orders(db, Filters(username="nobody")))
    with pytest.raises(errors.NotFound, match="account"):
        run(lambda db: list_orders(db, Filters(username="a\0")))
