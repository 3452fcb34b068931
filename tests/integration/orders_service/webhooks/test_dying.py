"""The service is killed at the worst moment: what it was telling is told again."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.integration.orders_service.serving import SECRET, Service
from tests.integration.orders_service.webhooks.house import SOON, add_order, opened_teller, wait_for
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.orders_service.webhooks.house import Receiver, Teller
    from tests.postgres import Database
    from tests.servers import RedisServer

WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


@pytest.fixture
def teller(fresh_database: Database, redis_server: RedisServer, queue_name: str) -> Iterator[Teller]:
    """Only looks at the database: the service does the telling."""
    with opened_teller(fresh_database, redis_server, f"{queue_name}-unused", SOON) as opened:
        yield opened


@pytest.fixture
def service(fresh_database: Database, redis_server: RedisServer, queue_name: str, tmp_path: Path) -> Iterator[Service]:
    assert SECRET == "secret of the tests", "the teller's box is the service's"
    env = {"ROSQ_QUEUE": queue_name, "WEBHOOK_QUEUE": f"{queue_name}-webhooks", "WEBHOOK_LEASE_S": "1"}
    # What is in a log at its longest is in every log.
    env["ORDERS_SERVICE_LOG_LEVEL"] = "debug"
    service = Service({**fresh_database.env(), **redis_server.env(), **env}, tmp_path)
    try:
        service.wait_ready()
        yield service
    finally:
        service.close()


def test_killed_between_the_answer_and_its_record_it_tells_again_under_the_same_id(
    teller: Teller, receiver: Receiver, service: Service
) -> None:
    secret = teller.add_client("crm", receiver.url)
    with teller.database.connect() as connection, connection.transaction():
        # Whoever writes down how a try ended waits here.
        connection.execute("select from webhooks for no key update")
        add_order(teller, "crm")
        wait_for(1, receiver.taken, "the client to be told")
        wait_until(lambda: teller.rows(WAITING)[0][0] > 0, "the record to be under way")
        service.process.send(signal.SIGKILL)
        wait_until(lambda: not service.process.is_running(), "the service to be dead")
    assert teller.states() == ["pending"], "nobody knows that it was taken"

    service.process = service.start()

    wait_for(2, receiver.taken, "the client to be told again", 60)
    first, again = receiver.taken
    assert first.id == again.id
    assert again.is_signed_by(secret)
    wait_until(lambda: teller.states() == ["delivered"], "that to be written down", 30)
    assert teller.rows("select attempts from webhook_notifications") == [(2,)]


def test_killed_while_the_receiver_thinks_it_tells_again_and_the_next_one_waits(
    teller: Teller, receiver: Receiver, service: Service
) -> None:
    def kill_and_fail(_: object) -> tuple[int, dict[str, str]]:
        receiver.answer = lambda _: (200, {})
        service.process.send(signal.SIGKILL)
        return 500, {}

    receiver.answer = kill_and_fail
    teller.add_client("crm", receiver.url)
    order_id = add_order(teller, "crm")
    wait_until(lambda: not service.process.is_running(), "the service to be dead", 30)
    teller.rows(
        "insert into order_events (order_id, actor, kind, from_state, to_state) "
        "values (%s, 'client', 'transition', 'queued', 'cancelled')",
        order_id,
    )

    service.process = service.start()

    wait_for(2, receiver.taken, "the client to be told of both", 60)
    assert [one.told for one in receiver.taken] == [(order_id, "order.queued"), (order_id, "order.cancelled")]


def test_told_to_stop_it_ends_what_it_is_sending(teller: Teller, receiver: Receiver, service: Service) -> None:
    def stop_first(_: object) -> tuple[int, dict[str, str]]:
        service.process.send(signal.SIGTERM)
        wait_until(lambda: "event=stopping" in service.process.log, "the stop to be heard")
        return 200, {}

    receiver.answer = stop_first
    secret = teller.add_client("crm", receiver.url)
    add_order(teller, "crm")

    wait_until(lambda: not service.process.is_running(), "the service to have stopped", 30)

    assert teller.states() == ["delivered"]
    assert "event=stopped" in service.process.log
    assert "event=webhook_delivered" in service.process.log
    for hidden in ("hidden-in-the-url", secret.removeprefix("whsec_"), "Иванов"):
        assert hidden not in service.process.log


def test_told_to_stop_twice_it_leaves_what_it_is_sending_to_be_sent_once_more(
    teller: Teller, receiver: Receiver, service: Service
) -> None:
    is_over = threading.Event()

    def never(_: object) -> tuple[int, dict[str, str]]:
        is_over.wait(60)
        return 200, {}

    receiver.answer = never
    teller.add_client("crm", receiver.url)
    add_order(teller, "crm")
    wait_for(1, receiver.received, "the client to be told")
    try:
        service.process.send(signal.SIGTERM)
        wait_until(lambda: "event=stopping" in service.process.log, "the stop to be heard")
        service.process.send(signal.SIGTERM)

        wait_until(lambda: not service.process.is_running(), "the service to have stopped", 10)
    finally:
        is_over.set()
    assert teller.states() == ["pending"]
