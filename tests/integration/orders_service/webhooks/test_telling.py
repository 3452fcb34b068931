"""From the event to the client's address: signed, in order, once at least, and never where it mustn't go."""

from __future__ import annotations

import collections
import dataclasses
import logging
import threading
from typing import TYPE_CHECKING

from orders_service.access import tokens
from orders_service.api.grpc.messages import order_message
from orders_service.api.rest.rpc import to_plain
from orders_service.orders.search import get_order
from orders_service.webhooks import manage, notifications
from tests.integration.orders_service.webhooks.house import (
    SOON,
    add_order,
    move,
    opened_receiver,
    opened_teller,
    wait_for,
)
from tests.waiting import wait_until

if TYPE_CHECKING:
    import pytest

    from tests import postgres
    from tests.integration.orders_service.webhooks.house import Received, Receiver, Teller
    from tests.servers import EmbeddedRedis, RedisServer

STATES = ("processing", "unconfirmed", "registered", "completed")


def wait_over(teller: Teller) -> list[str]:
    """Wait until nothing is to be sent any more; how each ended."""

    def over() -> list[str]:
        states = teller.states()
        return states if states and not {"pending", "behind"} & set(states) else []

    return wait_until(over, "the notifications to be over", 30)


def test_a_client_is_told_what_rest_would_show_it_signed_with_its_secret(teller: Teller, receiver: Receiver) -> None:
    secret = teller.add_client("crm", receiver.url)
    order_id = add_order(teller, "crm")
    teller.start()

    wait_for(1, receiver.taken, "the client to be told")

    (told,) = receiver.taken
    assert told.path == "/told?key=hidden-in-the-url"
    assert told.headers["content-type"] == "application/json"
    assert told.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (told.message["id"], told.message["type"]) == (told.id, "order.queued")
    assert told.message["created_at"] == told.message["event"]["at"]
    assert told.message["order"] == to_plain(order_message(teller.run(lambda: get_order(teller.db, order_id))))
    assert told.is_signed_by(secret)
    assert not told.is_signed_by("whsec_" + "A" * 44)
    assert wait_over(teller) == ["delivered"]


def test_after_a_rotation_both_secrets_sign_for_a_while(teller: Teller, receiver: Receiver) -> None:
    before = teller.add_client("crm", receiver.url)
    _, now = teller.run(lambda: manage.rotate_secret(teller.db, teller.box, "crm", by="test"))
    add_order(teller, "crm")
    teller.start()
    wait_for(1, receiver.taken, "the client to be told")
    assert receiver.taken[0].is_signed_by(before)
    assert receiver.taken[0].is_signed_by(now)

    teller.rows("update webhooks set previous_until = now()")
    add_order(teller, "crm", 2)

    wait_for(2, receiver.taken, "the client to be told again")
    assert not receiver.taken[1].is_signed_by(before)
    assert receiver.taken[1].is_signed_by(now)


def test_each_orders_changes_come_in_their_order_while_the_receiver_fails_at_random(
    teller: Teller, receiver: Receiver
) -> None:
    tries: collections.Counter[str] = collections.Counter()

    def answer(came: Received) -> tuple[int, dict[str, str]]:
        # Each fails once to thrice, in another way.
        tries[came.id] += 1
        failing = int(came.id.removeprefix("msg_")) % 4
        return (200, {}) if tries[came.id] > failing else ((500, 404, 302)[tries[came.id] % 3], {"location": "/x"})

    receiver.answer = answer
    teller.add_client("crm", receiver.url)
    orders = [add_order(teller, "crm", number) for number in range(1, 9)]
    teller.start()
    for before, state in zip(("queued", *STATES), STATES, strict=False):
        for order_id in orders:
            move(teller, order_id, state, before)

    assert set(wait_over(teller)) == {"delivered"}

    told: dict[int, list[str]] = collections.defaultdict(list)
    for one in receiver.taken:
        told[one.told[0]].append(one.told[1])
    assert dict(told) == {order_id: [f"order.{state}" for state in ("queued", *STATES)] for order_id in orders}
    assert len(receiver.received) > len(receiver.taken), "it did fail"
    assert receiver.received[0].path == "/told?key=hidden-in-the-url"
    assert not [one for one in receiver.received if one.path == "/x"], "nobody is led elsewhere"


def test_one_that_is_given_up_lets_the_next_one_of_its_order_go(teller: Teller, receiver: Receiver) -> None:
    receiver.answer = lambda came: (500 if came.message["type"] == "order.queued" else 200, {})
    teller.add_client("crm", receiver.url)
    order_id = add_order(teller, "crm")
    move(teller, order_id, "cancelled")
    teller.start()

    assert wait_over(teller) == ["given_up", "delivered"]

    ((attempts, status, why),) = teller.rows(
        "select attempts, http_status, error from webhook_notifications where state = 'given_up'"
    )
    assert (attempts, status, why) == (len(SOON.pauses_s) + 1, 500, "It answered 500.")
    assert teller.rows("select off_at from webhooks") == [(None,)], "the address lives"


def test_an_address_that_stays_dead_is_switched_off_with_a_word_to_the_operator(
    fresh_database: postgres.Database,
    redis_server: RedisServer,
    queue_name: str,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver.answer = lambda _: (503, {})
    settings = dataclasses.replace(SOON, off_after_s=0.1)
    with opened_teller(fresh_database, redis_server, queue_name, settings) as teller:
        teller.add_client("crm", receiver.url)
        first, second = add_order(teller, "crm", 1), add_order(teller, "crm", 2)
        move(teller, first, "processing")
        teller.start()

        assert set(wait_over(teller)) == {"given_up"}

        view = teller.run(lambda: manage.find_webhook(teller.db, "crm"))
        assert view.off_by == "webhooks"
        assert "Last: It answered 503." in str(view.off_reason)
        assert view.waiting == 0
        assert [one.levelname for one in caplog.records if getattr(one, "event", "") == "webhook_switched_off"] == [
            "ERROR"
        ]
        add_order(teller, "crm", 3)
        assert len(teller.states()) == 3, "nothing is written down any more"
        ((actor, reason),) = teller.rows("select actor, reason from audit where action = 'tokens webhook off'")
        assert actor == "webhooks"
        assert "It answered 503." in reason

        receiver.answer = lambda _: (200, {})
        teller.run(
            lambda: manage.set_webhook(teller.db, teller.box, "crm", receiver.url, is_private_allowed=True, by="test")
        )
        filters = notifications.Filters(states=("given_up",))
        assert teller.run(lambda: notifications.send_again(teller.db, filters, by="test")) == 3
        assert set(wait_over(teller)) == {"delivered"}
        assert [one.told[1] for one in receiver.taken if one.told[0] == first] == ["order.queued", "order.processing"]
        assert [one.told[1] for one in receiver.taken if one.told[0] == second] == ["order.queued"]


def test_an_address_that_says_it_is_gone_is_switched_off_at_once(teller: Teller, receiver: Receiver) -> None:
    receiver.answer = lambda _: (410, {})
    teller.add_client("crm", receiver.url)
    add_order(teller, "crm")
    teller.start()

    assert wait_over(teller) == ["given_up"]

    assert len(receiver.received) == 1
    assert "410" in str(teller.run(lambda: manage.find_webhook(teller.db, "crm")).off_reason)


def test_what_is_sent_again_has_the_same_id_and_another_time(teller: Teller, receiver: Receiver) -> None:
    secret = teller.add_client("crm", receiver.url)
    order_id = add_order(teller, "crm")
    teller.start()
    assert wait_over(teller) == ["delivered"]

    filters = notifications.Filters(order_id=order_id)
    assert teller.run(lambda: notifications.send_again(teller.db, filters, by="test")) == 1

    wait_for(2, receiver.taken, "it to come again")
    first, again = receiver.taken
    assert first.id == again.id
    assert again.is_signed_by(secret)
    assert wait_over(teller) == ["delivered"]


def test_a_token_that_is_revoked_is_told_nothing_more_of_what_waited(teller: Teller, receiver: Receiver) -> None:
    teller.add_client("crm", receiver.url)
    add_order(teller, "crm")
    teller.run(lambda: tokens.revoke_token(teller.db, "crm", revoked_by="test"))
    teller.start()

    assert wait_over(teller) == ["given_up"]
    assert receiver.received == []


def test_a_slow_address_holds_up_no_other(teller: Teller, receiver: Receiver) -> None:
    let_go = threading.Event()
    receiver.answer = lambda _: (200 if let_go.wait(20) else 500, {})
    with opened_receiver() as quick:
        teller.add_client("slow", receiver.url)
        teller.add_client("quick", quick.url)
        for number in range(1, 11):
            add_order(teller, "slow", number)
        teller.start()
        wait_for(2, receiver.received, "the slow one to be busy")

        add_order(teller, "quick", 1)

        wait_for(1, quick.taken, "the quick one to be told")
        assert receiver.taken == []
        assert len(receiver.received) == 2, "half of the senders"
        let_go.set()
        assert set(wait_over(teller)) == {"delivered"}


def test_what_the_queue_lost_is_sent_all_the_same(teller: Teller, receiver: Receiver) -> None:
    teller.add_client("crm", receiver.url)
    add_order(teller, "crm")
    # As if it had been relayed: the queue knows nothing of it.
    teller.rows("update webhook_notifications set relayed_at = now() - interval '1 minute'")
    teller.start()

    wait_for(1, receiver.taken, "the client to be told")


def test_what_happens_while_the_queue_is_away_is_told_when_it_is_back_and_what_it_forgot_too(
    fresh_database: postgres.Database, own_redis: EmbeddedRedis, queue_name: str, receiver: Receiver
) -> None:
    receiver.answer = lambda _: (503, {})
    settings = dataclasses.replace(SOON, pauses_s=(0.05, *[0.3] * 50))
    with opened_teller(fresh_database, own_redis, queue_name, settings) as teller:
        teller.add_client("crm", receiver.url)
        first = add_order(teller, "crm", 1)
        teller.start()
        wait_for(1, receiver.received, "a try that fails")
        own_redis.kill()
        second = add_order(teller, "crm", 2)
        move(teller, first, "processing")
        receiver.answer = lambda _: (200, {})

        own_redis.start()

        assert set(wait_over(teller)) == {"delivered"}
        told = [one.told for one in receiver.taken]
        assert [state for order_id, state in told if order_id == first] == ["order.queued", "order.processing"]
        assert (second, "order.queued") in told


def test_when_an_address_is_back_nothing_waits_for_its_own_time_any_more(
    fresh_database: postgres.Database, redis_server: RedisServer, queue_name: str, receiver: Receiver
) -> None:
    receiver.answer = lambda _: (503, {})
    settings = dataclasses.replace(SOON, pauses_s=(3600.0, 3600.0))
    with opened_teller(fresh_database, redis_server, queue_name, settings) as teller:
        teller.add_client("crm", receiver.url)
        for number in range(1, 7):
            add_order(teller, "crm", number)
        teller.start()
        wait_until(
            lambda: teller.rows("select count(*) from webhook_notifications where http_status = 503") == [(6,)],
            "all to wait for an hour",
            30,
        )
        receiver.answer = lambda _: (200, {})

        add_order(teller, "crm", 7)

        assert wait_over(teller) == ["delivered"] * 7


def test_two_processes_beside_each_other_tell_each_change_once_and_in_order_while_orders_move(
    teller: Teller, receiver: Receiver, fresh_database: postgres.Database, redis_server: RedisServer, queue_name: str
) -> None:
    teller.add_client("crm", receiver.url)
    orders = [add_order(teller, "crm", number) for number in range(1, 25)]
    with opened_teller(fresh_database, redis_server, queue_name) as other:
        teller.start()
        other.start()

        def walk(some: list[int]) -> None:
            for before, state in zip(("queued", *STATES), STATES, strict=False):
                for order_id in some:
                    move(teller, order_id, state, before)

        threads = [threading.Thread(target=walk, args=(orders[part::4],)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert set(wait_over(teller)) == {"delivered"}

    told: dict[int, list[str]] = collections.defaultdict(list)
    for one in receiver.taken:
        told[one.told[0]].append(one.told[1])
    assert dict(told) == {order_id: [f"order.{state}" for state in ("queued", *STATES)] for order_id in orders}


def test_one_whose_forerunner_was_taken_away_by_hand_is_called(teller: Teller, receiver: Receiver) -> None:
    teller.add_client("crm", receiver.url)
    move(teller, add_order(teller, "crm"), "processing")
    teller.rows(
        "update webhook_notifications set state = 'behind' where id = (select max(id) from webhook_notifications)"
    )
    teller.rows("delete from webhook_notifications where state = 'pending'")
    teller.start()

    wait_for(1, receiver.taken, "the client to be told")


def test_no_line_of_the_log_holds_the_address_the_secret_or_a_name(
    teller: Teller, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        # As `orders-service serve` sets them.
        logging.getLogger(name).setLevel(logging.WARNING)
    tries = iter((500, 200))
    receiver.answer = lambda _: (next(tries), {})
    secret = teller.add_client("crm", receiver.url)
    add_order(teller, "crm")
    teller.start()
    wait_over(teller)

    lines = [str(vars(record)) for record in caplog.records]
    assert [line for line in lines if "webhook_delivered" in line]
    for hidden in ("hidden-in-the-url", secret, secret.removeprefix("whsec_"), "Иванов"):
        assert [line for line in lines if hidden in line] == []
    assert "hidden-in-the-url" not in str(teller.rows("select error, to_jsonb(d)::text from webhook_notifications d"))
