"""With every job handed to two workers at once, always, PostgreSQL alone keeps the promises.

Two workers of two accounts walk the same order, each with a delivery of its own that it believes in, one step each in
any order of turns. However they take turns, one send is made at most, and where it is made, by the order's account.
"""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING

import pytest

from orders_service import errors
from orders_service.life import claiming
from tests.integration.orders_service.life.bench import Bench, row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orders_service.domain import facts
    from orders_service.domain.orders import Holder


class Portal:
    """What the portal charged, by account."""

    def __init__(self) -> None:
        self.charged: list[str] = []

    def finish(self, username: str) -> None:
        self.charged.append(username)

    def rows(self, username: str) -> list[facts.ApplicationRow]:
        return [row(900 + place, f"N-{place}") for place, account in enumerate(self.charged) if account == username]


def walk(bench: Bench, portal: Portal, holder: Holder) -> Iterator[None]:
    """One worker's way with one delivery; each `yield` lets the other one have a turn."""
    yield
    try:
        claimed = bench.run(claiming.claim_order(bench.db, holder))
        yield
        if claimed.order.state == "processing":
            bench.intend(holder)
            yield
            bench.upload(holder)
            yield
            send_id = uuid.uuid4()
            bench.gate(holder, send_id)
            yield
            bench.gate(holder, send_id)  # its answer was lost
            yield
            portal.finish(holder.username)
            yield
            bench.answer(holder, "", status=502)
            yield
        bench.read(holder, *portal.rows(holder.username))
    except errors.Refused:
        return


@pytest.mark.parametrize("seed", range(25))
def test_two_deliveries_of_two_accounts_pay_once(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    bench.add_account("second")
    order_id = bench.add_order()
    portal = Portal()

    for _ in range(6):
        ways = [walk(bench, portal, bench.delivery(order_id, username)) for username in ("first", "second")]
        chance.shuffle(ways)
        while ways:
            way = chance.choice(ways)
            if next(way, StopIteration) is StopIteration:
                ways.remove(way)

    order = bench.order(order_id)
    assert len(portal.charged) == 1
    assert (order["state"], order["rosreestr_order_num"]) == ("registered", "N-0")
    account = bench.one("select username from rosreestr_users where id = %(id)s", id=order["rosreestr_user_id"])
    assert portal.charged == [account["username"]]
    assert bench.events(order_id, "alarm") == []


@pytest.mark.parametrize("seed", range(10))
def test_two_deliveries_of_one_account_pay_once(bench: Bench, seed: int) -> None:
    """The exclusive name keeps this from happening; money doesn't rest on it."""
    chance = random.Random(seed)
    order_id = bench.add_order()
    portal = Portal()

    for _ in range(6):
        ways = [walk(bench, portal, bench.delivery(order_id)) for _ in range(2)]
        chance.shuffle(ways)
        while ways:
            way = chance.choice(ways)
            if next(way, StopIteration) is StopIteration:
                ways.remove(way)

    assert len(portal.charged) == 1
    assert bench.state(order_id) == "registered"
    assert len(bench.sends(order_id)) == 1


def test_the_overtaken_delivery_decides_nothing_but_tells_all(bench: Bench) -> None:
    bench.add_account("second")
    holder = bench.sent()
    bench.claim(holder.order_id)
    before = bench.snapshot(holder.order_id)

    for decide in (bench.intend, bench.upload, bench.gate, bench.check, bench.release, bench.fail):
        with pytest.raises(errors.Refused) as caught:
            decide(holder)
        assert caught.value.reason == "STALE_FENCE"

    assert bench.snapshot(holder.order_id) == before
    assert not bench.answer(holder, "N-1").is_weighed
    assert bench.one("select count(*) as kept from facts")["kept"] == 1
