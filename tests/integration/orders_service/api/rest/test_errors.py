"""What goes wrong by REST is told as problem+json, whoever finds it: routing, reading, the servicer or the database."""

from __future__ import annotations

import socket
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.integration.orders_service.serving import Service
    from tests.postgres import Database

JSON = {"content-type": "application/json"}
EVIL = {"origin": "https://elsewhere.example"}

#: method, path, what httpx is given, HTTP's status, the contract's code
REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/", {}, 404, "NOT_FOUND"),
    ("GET", "/v1", {}, 404, "NOT_FOUND"),
    ("GET", "/v1/orders/", {}, 404, "NOT_FOUND"),
    ("GET", "/V1/orders", {}, 404, "NOT_FOUND"),
    ("GET", "/docs/../../etc/passwd", {}, 404, "NOT_FOUND"),
    ("GET", "/docs/%2e%2e%2fopenapi.json", {}, 404, "NOT_FOUND"),
    ("POST", "/orders_service.v1.WorkerService/OpenAccount", {"json": {}}, 404, "NOT_FOUND"),
    ("PATCH", "/v1/orders", {"json": {}}, 405, "UNIMPLEMENTED"),
    ("GET", "/v1/orders:batchCreate", {}, 405, "UNIMPLEMENTED"),
    ("TRACE", "/v1/orders/1", {}, 405, "UNIMPLEMENTED"),
    ("POST", "/healthz", {}, 405, "UNIMPLEMENTED"),
    ("POST", "/v1/orders", {"content": "{}"}, 415, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders", {"data": {"cad_num": "77"}}, 415, "INVALID_ARGUMENT"),
    (
        "POST",
        "/v1/orders",
        {"content": "{}", "headers": {"content-type": "application/json; charset=cp1251"}},
        415,
        "INVALID_ARGUMENT",
    ),
    ("POST", "/v1/orders", {"content": "{}", "headers": {**JSON, "content-encoding": "gzip"}}, 415, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders", {"content": "{" + " " * (256 << 10) + "}", "headers": JSON}, 413, "OUT_OF_RANGE"),
    ("POST", "/v1/orders", {"content": '{"a":', "headers": JSON}, 400, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders", {"content": "[" * 200_000, "headers": JSON}, 400, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders", {"content": b"\xff\xfe", "headers": JSON}, 400, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders", {"content": "9" * 10_000, "headers": JSON}, 400, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders", {"content": '{"cad_num":"a","cad_num":"b"}', "headers": JSON}, 400, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders", {"content": '{"cad_num":"\\ud800"}', "headers": JSON}, 400, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders", {"json": []}, 400, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders", {"json": {"cad_num": 7}}, 400, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders", {"json": {"number": "7"}}, 400, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders", {"json": {"cad_num": "77", "idempotency_key": "\0"}}, 400, "INVALID_ARGUMENT"),
    ("POST", "/v1/orders?cad_num=77:01:0001001:1001", {"json": {}}, 400, "INVALID_ARGUMENT"),
    ("POST", "/rosreestr-users/1/activate", {"json": {"account": "x"}}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders/x", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders/1:resume", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders/%ff", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders/%00", {}, 400, "INVALID_ARGUMENT"),
    ("GET", f"/v1/orders/{2**63}", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders/1?idempotency_key=x", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders?page_size=x", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders?page_size=1&page_size=2", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders?states=DONE", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders?only_on_hold=1", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders?created_from=yesterday", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders?cad_num=%00", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders?cad_num=%ff", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders?" + "states=1&" * 2000, {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders?nonsense=1", {}, 400, "INVALID_ARGUMENT"),
    ("GET", "/v1/orders?page_token=nonsense", {}, 400, "INVALID_ARGUMENT"),
    ("GET", f"/v1/orders/{2**62}", {}, 404, "NOT_FOUND"),
    ("GET", "/rosreestr-users/99999", {}, 404, "NOT_FOUND"),
    ("DELETE", "/rosreestr-users/99999", {}, 404, "NOT_FOUND"),
    ("POST", "/rosreestr-users", {"json": {"account": "a"}, "headers": EVIL}, 403, "PERMISSION_DENIED"),
    ("DELETE", "/rosreestr-users/1", {"headers": {"sec-fetch-site": "cross-site"}}, 403, "PERMISSION_DENIED"),
    ("GET", "/v1/orders", {"headers": {"host": "elsewhere.example"}}, 421, "PERMISSION_DENIED"),
]


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "code"),
    REFUSED,
    ids=[f"{status}-{method}-{path[:40]}-{index}" for index, (method, path, _, status, _) in enumerate(REFUSED)],
)
def test_a_request_that_can_not_be_served_is_told_why_in_json(
    web: httpx.Client, method: str, path: str, given: dict[str, Any], status: int, code: str
) -> None:
    answer = web.request(method, path, **given)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem = answer.json()
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, "about:blank")
    assert problem["title"]
    assert problem["detail"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status == 405:
        assert "OPTIONS" in answer.headers["allow"]


def test_nothing_of_what_was_refused_is_stored_or_told_as_a_bug(
    web: httpx.Client, database: Database, service: Service
) -> None:
    def count() -> tuple[Any, ...] | None:
        with database.connect() as connection:
            return connection.execute(
                "select (select count(*) from orders), (select count(*) from rosreestr_users)"
            ).fetchone()

    before = count()
    for method, path, given, _, _ in REFUSED:
        web.request(method, path, **given)

    assert count() == before
    assert "Traceback" not in service.process.log
    assert "call_broken" not in service.process.log


def test_every_field_that_can_not_be_read_is_named_with_its_rule(web: httpx.Client) -> None:
    orders = [{"cad_num": "77:01:0001001:1", "idempotency_key": "k"}, {"cad_num": 5, "is_urgent": "yes"}, 7, {"x": 1}]

    answer = web.post("/v1/orders:batchCreate", json={"orders": orders})

    assert answer.status_code == 400
    assert [violation["field"] for violation in answer.json()["violations"]] == [
        "orders[1].cad_num",
        "orders[1].is_urgent",
        "orders[2]",
        "orders[3].x",
    ]
    assert answer.json()["reason"] == "INVALID_INPUT"


def test_a_broken_rule_is_named_as_by_grpc(web: httpx.Client) -> None:
    answer = web.post("/v1/orders", json={"cad_num": "77.01.0001001.1002", "idempotency_key": uuid.uuid4().hex})

    assert answer.status_code == 400
    (violation,) = answer.json()["violations"]
    assert violation["field"].endswith("cad_num")
    assert "Did you mean 77:01:0001001:1002?" in violation["description"]


def test_options_tells_what_is_allowed(web: httpx.Client) -> None:
    answer = web.options("/rosreestr-users/1")

    assert answer.status_code == 204
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PUT, OPTIONS"
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_the_service_itself_may_ask(web: httpx.Client, new_number: Callable[[], str]) -> None:
    origin = str(web.base_url).rstrip("/")
    headers = {"origin": origin, "sec-fetch-site": "same-origin"}

    answer = web.post(
        "/v1/orders", json={"cad_num": new_number(), "idempotency_key": uuid.uuid4().hex}, headers=headers
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nBad Header\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000,
        b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http_is_told_in_json_too(service: Service, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.rest_port), timeout=20) as connection:
        connection.sendall(raw)
        head, _, body = receive_all(connection).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 "), head
    assert b"application/problem+json" in head
    assert b"Traceback" not in body


def receive_all(connection: socket.socket) -> bytes:
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received
