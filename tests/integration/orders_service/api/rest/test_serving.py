"""REST as a server: health that tells the truth, a stop that loses nothing, and callers who are slow or leave."""

from __future__ import annotations

import concurrent.futures
import json
import signal
import socket
import uuid
from typing import TYPE_CHECKING, Any

import httpx

from orders_service.v1 import orders_pb2
from tests.integration.orders_service.serving import Service, run_cli
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.postgres import Database
    from tests.servers import RedisServer


def ask(service: Service, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{service.rest_port}{path}", timeout=20, trust_env=False)


def test_a_stop_lets_the_request_under_way_end_and_takes_no_other(
    fresh_database: Database, redis_server: RedisServer, queue_name: str, tmp_path: Path
) -> None:
    service = Service(
        {
            **fresh_database.env(),
            **redis_server.env(),
            "ROSQ_QUEUE": queue_name,
            "ORDERS_SERVICE_GRACE_S": "60",
        },
        tmp_path,
    )
    order = {"cad_num": "77:01:0001001:1001", "idempotency_key": "k"}
    try:
        service.wait_ready()
        with (
            concurrent.futures.ThreadPoolExecutor(1) as threads,
            fresh_database.connect(autocommit=False) as connection,
            socket.create_connection(("127.0.0.1", service.rest_port), timeout=20) as idle,
        ):
            connection.execute("lock table orders in access exclusive mode")
            url = f"http://127.0.0.1:{service.rest_port}/v1/orders"
            pending = threads.submit(lambda: httpx.post(url, json=order, timeout=60, trust_env=False))
            wait_until(lambda: is_waiting_for_a_lock(fresh_database), "the request to be under way", 20)

            service.process.send(signal.SIGTERM)

            wait_until(lambda: is_refused(service), "nobody else to be let in", 20)
            assert idle.recv(1) == b"", "a connection that does nothing is closed"
            assert not pending.done()
            connection.rollback()
            answer = pending.result(60)

        assert answer.status_code == 200, answer.text
        assert service.process.wait_end(60) == 0
        assert "Traceback" not in service.process.log
        assert count_orders(fresh_database) == 1
    finally:
        service.close()


def test_a_second_signal_breaks_off_what_is_under_way(
    fresh_database: Database, redis_server: RedisServer, queue_name: str, tmp_path: Path
) -> None:
    service = Service(
        {
            **fresh_database.env(),
            **redis_server.env(),
            "ROSQ_QUEUE": queue_name,
            "ORDERS_SERVICE_GRACE_S": "600",
        },
        tmp_path,
    )
    order = {"cad_num": "77:01:0001001:1001", "idempotency_key": "k"}
    try:
        service.wait_ready()
        with (
            concurrent.futures.ThreadPoolExecutor(1) as threads,
            fresh_database.connect(autocommit=False) as connection,
        ):
            connection.execute("lock table orders in access exclusive mode")
            url = f"http://127.0.0.1:{service.rest_port}/v1/orders"
            pending = threads.submit(lambda: httpx.post(url, json=order, timeout=60, trust_env=False))
            wait_until(lambda: is_waiting_for_a_lock(fresh_database), "the request to be under way", 20)

            service.process.send(signal.SIGTERM)
            wait_until(lambda: "event=stopping" in service.process.log, "the stop to be noticed")
            service.process.send(signal.SIGTERM)

            assert service.process.wait_end(60) == 0
            answer = pending.result(60)
            connection.rollback()

        assert (answer.status_code, answer.json()["reason"]) == (503, "OUTCOME_UNKNOWN")
        assert "Traceback" not in service.process.log
        assert count_orders(fresh_database) == 0
    finally:
        service.close()


def test_a_caller_who_leaves_takes_his_call_with_him(
    service: Service, database: Database, new_number: Callable[[], str]
) -> None:
    body = json.dumps({"cad_num": new_number(), "idempotency_key": uuid.uuid4().hex}).encode()
    head = (
        f"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    with database.connect(autocommit=False) as connection:
        connection.execute("lock table orders in access exclusive mode")
        with socket.create_connection(("127.0.0.1", service.rest_port), timeout=20) as caller:
            caller.sendall(head.encode() + b"\r\n\r\n" + body)
            wait_until(lambda: is_waiting_for_a_lock(database), "the request to be under way", 20)

        wait_until(lambda: not is_waiting_for_a_lock(database), "the call to be given up", 20)
        connection.rollback()
    assert "Traceback" not in service.process.log


def test_a_body_that_never_ends_keeps_nobody_else_waiting(service: Service, order_id: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", service.rest_port), timeout=20) for _ in range(50)]
    try:
        for one in slow:
            one.sendall(b"POST /v1/orders:batchCreate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\n\r\n[")

        assert ask(service, f"/v1/orders/{order_id}").status_code == 200
        assert ask(service, "/readyz").status_code == 200
    finally:
        for one in slow:
            one.close()


def test_too_many_at_once_are_told_to_come_again(
    service: Service, database: Database, new_number: Callable[[], str]
) -> None:
    # Bodies that don't come hold a place each, and nothing else.
    waiting = [socket.create_connection(("127.0.0.1", service.rest_port), timeout=20) for _ in range(200)]
    try:
        for one in waiting:
            one.sendall(b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{")

        def is_full() -> httpx.Response | None:
            answer = ask(service, "/v1/orders?page_size=1")
            return answer if answer.status_code == 503 else None

        answer = wait_until(is_full, "all places to be taken", 20)
        assert answer.json()["code"] == "UNAVAILABLE"
        assert answer.headers["retry-after"] == "1"
    finally:
        for one in waiting:
            one.close()
    wait_until(lambda: ask(service, "/v1/orders?page_size=1").status_code == 200, "places to be free again", 20)


def test_a_port_that_is_taken_is_named_with_the_option(service: Service, tmp_path: Path) -> None:
    answer = run_cli("serve", env={**service.env, "ORDERS_SERVICE_LISTEN": "127.0.0.1:0"}, folder=tmp_path)

    assert answer.returncode == 1
    assert f"127.0.0.1:{service.rest_port}" in answer.stderr
    assert "--rest-listen" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_rest_can_be_left_out(
    fresh_database: Database, redis_server: RedisServer, queue_name: str, tmp_path: Path
) -> None:
    env = {**fresh_database.env(), **redis_server.env(), "ROSQ_QUEUE": queue_name}
    service = Service({**env, "ORDERS_SERVICE_REST_LISTEN": "off"}, tmp_path)
    try:
        service.wait_ready()
        assert is_refused(service)
        assert service.process.stop() == 0
    finally:
        service.close()


def test_the_page_and_the_document_are_served_and_ask_nobody_else(web: httpx.Client) -> None:
    page = web.get("/docs", follow_redirects=True)
    document = web.get("/openapi.json")

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    assert "://" not in page.text
    for name, kind in (("page.js", "text/javascript"), ("page.css", "text/css")):
        file = web.get(f"/docs/{name}")
        assert (file.status_code, file.headers["content-type"].split(";")[0]) == (200, kind)
        assert "://" not in file.text
    assert document.json()["openapi"] == "3.1.0"


def is_waiting_for_a_lock(database: Database) -> bool:
    with database.connect() as connection:
        row: Any = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' "
            "and query like '%insert into orders%'"
        ).fetchone()
    return bool(row[0])


def count_orders(database: Database) -> int:
    with database.connect() as connection:
        row: Any = connection.execute("select count(*) from orders").fetchone()
    return int(row[0])


def is_refused(service: Service) -> bool:
    try:
        socket.create_connection(("127.0.0.1", service.rest_port), timeout=20).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_stop_doesnt_wait_for_those_who_watch(
    fresh_database: Database, redis_server: RedisServer, queue_name: str, tmp_path: Path
) -> None:
    env = {**fresh_database.env(), **redis_server.env(), "ROSQ_QUEUE": queue_name, "ORDERS_SERVICE_GRACE_S": "600"}
    service = Service(env, tmp_path)
    try:
        service.wait_ready()
        by_grpc: Any = service.orders.WatchOrders(orders_pb2.WatchOrdersRequest())
        assert next(by_grpc).event_id == 0
        url = f"http://127.0.0.1:{service.rest_port}/v1/orders:watch"
        with httpx.stream("GET", url, timeout=60, trust_env=False) as by_rest:
            lines = by_rest.iter_lines()
            assert next(lines) == "retry: 2000"

            service.process.send(signal.SIGTERM)

            assert "".join(lines).endswith("id: 0"), "told how far he has come, and let go in order"
        assert [told.event_id for told in by_grpc] == [0]
        assert service.process.wait_end(60) == 0
        assert "Traceback" not in service.process.log
    finally:
        service.close()
