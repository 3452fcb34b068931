"""One spoiled order keeps no other waiting: relay, reconciler and weighing go on, and it is held with an alarm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from orders_service.domain import facts
from orders_service.queueing.reconciler import Reconciler
from orders_service.queueing.relay import Relay
from tests.integration.orders_service.stage import insert_order, opened_queue, read_events, read_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orders_service.settings import Settings
    from rosq import Queue
    from tests.postgres import Database
    from tests.servers import RedisServer

#: What a neighbour could have written into what the queue is told of an order, past the service: as SQL, one each.
SPOILED_ROWS = {
    "a fence beyond what the queue can count": (
        "alter table orders drop constraint orders_fence_can_be_overtaken;"
        "update orders set fence = 9223372036854775807, fence_token = 't' where id = {id}"
    ),
    "a fence below zero": "update orders set fence = -1, fence_token = 't' where id = {id}",
    "a time that never comes": "update orders set next_at = 'infinity' where id = {id}",
    "a time in ten thousand years": "update orders set next_at = '11999-01-01' where id = {id}",
    "an account whose name can't be a lane": (
        "alter table rosreestr_users drop constraint rosreestr_users_username_check;"
        "insert into rosreestr_users (username) values (E'two words\\n');"
        "update orders set state = 'registered', rosreestr_order_num = 'x', fence = 5, fence_token = 't', "
        "bound_at = now(), "
        "rosreestr_user_id = (select id from rosreestr_users where username like 'two%%') where id = {id}"
    ),
}


@pytest.fixture
def queue(redis_server: RedisServer, queue_name: str) -> Iterator[Queue]:
    with opened_queue(redis_server, queue_name) as queue:
        yield queue


@pytest.fixture
def relay_once(run: Any, settings: Settings, queue: Queue) -> Callable[[], Any]:
    return lambda: run(lambda db: Relay(db, queue, settings).run_once())


@pytest.fixture
def reconcile_once(run: Any, settings: Settings, queue: Queue) -> Callable[[], Any]:
    return lambda: run(lambda db: Reconciler(db, queue, settings).run_once())


def execute(database: Database, sql: str) -> None:
    with database.connect() as connection:
        connection.execute(sql.encode())


def assert_held(database: Database, order_id: int) -> None:
    assert read_order(database, order_id)["hold_reason"]
    assert [kind for _, kind, _ in read_events(database, order_id)] == ["alarm", "hold"]


@pytest.mark.parametrize("kind", SPOILED_ROWS)
def test_the_relay_holds_a_spoiled_order_and_relays_the_others(
    relay_once: Any, queue: Queue, fresh_database: Database, kind: str
) -> None:
    orders = [insert_order(fresh_database, number) for number in range(1, 6)]
    execute(fresh_database, SPOILED_ROWS[kind].format(id=orders[2]))

    assert (relay_once().relayed, relay_once().relayed) == (4, 0)

    assert set(queue.find_jobs(map(str, orders))) == {str(each) for each in orders if each != orders[2]}
    assert_held(fresh_database, orders[2])


@pytest.mark.parametrize("kind", SPOILED_ROWS)
def test_the_reconciler_holds_a_spoiled_order_and_rebuilds_the_others(
    reconcile_once: Any, queue: Queue, fresh_database: Database, kind: str
) -> None:
    # Given orders whose jobs are all lost
    orders = [insert_order(fresh_database, number) for number in range(1, 6)]
    execute(fresh_database, "update orders set relayed_at = now() - interval '1 h'")
    execute(fresh_database, SPOILED_ROWS[kind].format(id=orders[2]))

    assert reconcile_once().reopened == 4
    assert reconcile_once().reopened == 0

    assert set(queue.find_jobs(map(str, orders))) == {str(each) for each in orders if each != orders[2]}
    assert_held(fresh_database, orders[2])


def test_what_something_else_wrote_under_an_orders_job_keeps_no_other_order_waiting(
    relay_once: Any, reconcile_once: Any, queue: Queue, fresh_database: Database, redis_server: RedisServer
) -> None:
    orders = [insert_order(fresh_database, number) for number in range(1, 4)]
    with redis_server.client() as client:
        client.set(queue.keys.job(str(orders[1])), "not a job")

        relay_once()
        execute(fresh_database, "update orders set relayed_at = now() - interval '1 h'")
        reconcile_once()

        assert {client.type(queue.keys.job(str(each))) for each in (orders[0], orders[2])} == {"hash"}
    assert read_order(fresh_database, orders[1])["hold_reason"]


def _contents() -> dict[str, tuple[str, Any]]:
    """Each kind of fact with each of its fields taken away, or of each other type of JSON."""
    row = {
        "application_id": 1,
        "order_number": "n",
        "cad_num": "77:01:0001001:1",
        "status_code": "",
        "request_status": "",
    }
    whole: dict[str, dict[str, Any]] = {
        "finish_answer": {"http_status": 200, "text": "", "expected_number": "n"},
        "not_sent": {"reason": "closed"},
        "refusal": {"step": "upload", "http_status": 400, "text": ""},
        "reading": {
            "begun_at": "2026-01-01T00:00:00+00:00",
            "person_oid": "1",
            "is_unfiltered": True,
            "is_complete": True,
            "balance": 1,
            "rows": [row],
            "rows_in_all": 1,
        },
    }
    cases: dict[str, tuple[str, Any]] = {}
    for kind, content in whole.items():
        cases[f"{kind} that is no object"] = (kind, [1])
        for field, right in content.items():
            cases[f"{kind} without {field}"] = (kind, {k: v for k, v in content.items() if k != field})
            for wrong in (None, True, 1, "x", [1], {"x": 1}):
                if type(wrong) is not type(right) and not (field == "balance" and wrong is None):
                    cases[f"{kind} whose {field} is {json.dumps(wrong)}"] = (kind, {**content, field: wrong})
    for field in row:
        cases[f"reading with a row without {field}"] = (
            "reading",
            {**whole["reading"], "rows": [{k: v for k, v in row.items() if k != field}]},
        )
    return cases


@pytest.mark.parametrize("case", _contents())
def test_a_fact_that_isnt_one_is_refused_when_it_is_read(case: str) -> None:
    kind, content = _contents()[case]

    with pytest.raises(ValueError, match=r"field|object|rows|isoformat"):
        facts.from_content(kind, content)


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    told = facts.from_content("not_sent", {"reason": "closed", "colour": "blue"})

    assert told == facts.NotSent(reason="closed")


def test_an_order_whose_fact_cant_be_weighed_is_held_once_and_the_others_are_weighed(
    reconcile_once: Any, fresh_database: Database
) -> None:
    orders = [
        insert_order(fresh_database, number, state="unconfirmed", account="a", has_intent=True, fence=5)
        for number in range(1, 4)
    ]
    facts_sql = (
        "insert into facts (order_id, kind, username, fence, fence_token, content)"
        ' select id, \'refusal\', \'a\', 5, \'t\', \'{"step": "upload", "http_status": 400, "text": ""}\' from orders'
    )
    execute(fresh_database, facts_sql)
    execute(fresh_database, f"update facts set content = '{{\"step\": 7}}' where order_id = {orders[1]}")

    assert reconcile_once().weighed == 3
    assert reconcile_once().weighed == 0

    assert_held(fresh_database, orders[1])
    with fresh_database.connect() as connection:
        left = connection.execute("select order_id from facts where weighed_at is null").fetchall()
    assert left == [(orders[1],)], "it is kept for whoever can read it"
