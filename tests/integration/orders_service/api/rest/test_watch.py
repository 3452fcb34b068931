"""Watching by REST: Server-Sent Events, and by the shell beside it; both go on where they ended."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from orders_service.v1 import orders_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.integration.orders_service.serving import Service
    from tests.postgres import Database

PATH = "/v1/orders:watch"


class Events:
    """What comes, block by block."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def next(self) -> dict[str, str]:
        """The next block, as EventSource reads it."""
        block: dict[str, str] = {}
        for line in self._lines:
            if not line:
                return block
            name, _, value = line.partition(":")
            block[name or "comment"] = value.strip()
        raise AssertionError("the stream has ended")

    def step(self) -> tuple[str, Any]:
        """The id and the content of the next step."""
        while True:
            block = self.next()
            if block.get("event") == "step":
                return block["id"], json.loads(block["data"])


@contextlib.contextmanager
def watched(web: httpx.Client, headers: dict[str, str] | None = None, **asked: Any) -> Iterator[Events]:
    with web.stream("GET", PATH, params=asked, headers=headers or {}) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        events = Events(answer)
        begin = events.next()
        assert (begin["retry"], begin["comment"]) == ("2000", "alive")
        assert "data" not in begin, "an id to go on from, and no event"
        yield events


def test_steps_come_as_they_are_taken_and_go_on_after_the_last_one_that_was_heard(
    web: httpx.Client, order_id: int, database: Database
) -> None:
    with watched(web, order_ids=order_id, after_event_id=0) as events:
        first_id, first = events.step()

    assert (first["order_id"], first["event_id"]) == (str(order_id), first_id)
    assert first["event"]["to_state"] == "ORDER_STATE_QUEUED"
    # As EventSource does it: the same address, and the id in a header.
    with watched(web, {"last-event-id": first_id}, order_ids=order_id, after_event_id=0) as events:
        with database.connect() as connection:
            connection.execute(
                "insert into order_events (order_id, actor, kind, reason) values (%s, 'test', 'check', 'not yet')",
                (order_id,),
            )
        second_id, second = events.step()

    assert int(second_id) > int(first_id)
    assert second["event"]["event_id"] == second_id


@pytest.mark.parametrize(
    ("headers", "asked", "field"),
    [
        ({"last-event-id": "x"}, {}, "Last-Event-ID"),
        ({"last-event-id": "-1"}, {}, "Last-Event-ID"),
        ({"last-event-id": "9" * 19}, {}, "Last-Event-ID"),
        ({"last-event-id": "9223372036854775807"}, {}, "after_event_id"),
        ({}, {"after_event_id": "9223372036854775807"}, "after_event_id"),
        ({}, {"order_ids": [str(n) for n in range(999)] + ["5000", "5001"]}, "order_ids"),
    ],
)
def test_what_cant_be_watched_is_refused_before_it_begins(
    web: httpx.Client, headers: dict[str, str], asked: dict[str, Any], field: str
) -> None:
    answer = web.get(PATH, params=asked, headers=headers)

    assert answer.status_code == 400, answer.text
    assert field in answer.text or "query" in answer.text


def test_head_says_what_would_come(web: httpx.Client) -> None:
    answer = web.head(PATH)

    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "text/event-stream", b"")


def test_whoever_leaves_gives_his_place_back_at_once(web: httpx.Client, service: Service, order_id: int) -> None:
    for _ in range(30):
        with watched(web, order_ids=order_id, after_event_id=0) as events:
            events.step()

    assert web.get("/readyz").status_code == 200
    assert "Traceback" not in service.process.log


def test_by_grpc_the_same_is_told(service: Service, order_id: int) -> None:
    request = orders_pb2.WatchOrdersRequest(after_event_id=0, order_ids=[order_id])
    call: Any = service.orders.WatchOrders(request, timeout=30)
    begin, first = next(call), next(call)
    call.cancel()

    assert (begin.event_id, begin.HasField("event")) == (0, False)
    assert (first.order_id, first.event.to_state) == (order_id, orders_pb2.ORDER_STATE_QUEUED)
    assert first.event_id == first.event.event_id


def test_the_shell_shows_steps_for_people_and_for_machines(service: Service, order_id: int) -> None:
    told = service.cli("orders", "watch", str(order_id), "--after", "0", "--limit", "1")
    plain = service.cli("orders", "watch", str(order_id), "--after", "0", "--limit", "1", "--json")
    wrong = service.cli("orders", "watch", "--after", "9223372036854775807")

    assert told.returncode == 0, told.stderr
    assert f"order {order_id}  → queued (client)" in told.stdout
    line = json.loads(plain.stdout)
    assert (line["order_id"], line["event"]["to_state"]) == (order_id, "queued")
    assert (wrong.returncode, "after_event_id" in wrong.stderr) == (1, True)
    away = service.cli("orders", "watch", ORDERS_SERVICE_PORT="1")
    assert away.returncode == 3
