"""Every rpc of the contract that REST offers, by REST: the same as by gRPC."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import json_format

from orders_service.api.rest.bindings import read_bindings
from orders_service.server import REST_SERVICES
from orders_service.v1 import operator_pb2, orders_pb2, rosreestr_users_pb2
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from google.protobuf.message import Message

    from tests.integration.orders_service.serving import Service
    from tests.postgres import Database


def as_json(message: Message) -> Any:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def assert_same(by_rest: Callable[[], httpx.Response], by_grpc: Callable[[], Message]) -> None:
    """Both answer the same; the relay may touch the order in between, so they are asked until it is at rest."""

    def is_same() -> bool:
        answer = by_rest()
        assert answer.status_code == 200, answer.text
        return bool(answer.json() == as_json(by_grpc()))

    wait_until(is_same, "both to answer the same")


def new_order(number: str, **more: object) -> dict[str, object]:
    return {"cad_num": number, "idempotency_key": uuid.uuid4().hex, **more}


def test_an_order_is_accepted_once_however_often_it_is_sent(web: httpx.Client, new_number: Callable[[], str]) -> None:
    order = new_order(new_number(), recipient="Иванову", comment="срочно", is_urgent=True)

    first, second = web.post("/v1/orders", json=order), web.post("/v1/orders", json=order)

    assert (first.status_code, first.headers["content-type"]) == (200, "application/json")
    assert (first.json()["is_existing"], second.json()["is_existing"]) == (False, True)
    accepted = first.json()["order"]
    assert second.json()["order"]["order_id"] == accepted["order_id"]
    assert isinstance(accepted["order_id"], str), "64-bit numbers are strings"
    assert (accepted["state"], accepted["status"]) == ("ORDER_STATE_QUEUED", "Добавлен в очередь")
    assert (accepted["recipient"], accepted["is_urgent"], accepted["error"]) == ("Иванову", True, "")


def test_the_names_of_json_are_taken_beside_those_of_the_contract(
    web: httpx.Client, new_number: Callable[[], str]
) -> None:
    answer = web.post("/v1/orders", json={"cadNum": new_number(), "idempotencyKey": uuid.uuid4().hex})

    assert answer.status_code == 200
    assert "cad_num" in answer.json()["order"]


def test_the_same_key_with_other_content_is_refused_as_by_grpc(
    web: httpx.Client, new_number: Callable[[], str]
) -> None:
    order = new_order(new_number())
    web.post("/v1/orders", json=order)

    answer = web.post("/v1/orders", json={**order, "cad_num": new_number()})

    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    problem = answer.json()
    assert (problem["code"], problem["reason"], problem["domain"]) == ("ALREADY_EXISTS", "KEY_TAKEN", "orders_service")
    assert problem["metadata"]["idempotency_key"] == order["idempotency_key"]


def test_a_batch_is_accepted_and_checked(web: httpx.Client, new_number: Callable[[], str]) -> None:
    orders = [new_order(new_number()) for _ in range(3)]

    created = web.post("/v1/orders:batchCreate", json={"orders": orders})
    checked = web.post("/v1/orders:check", json={"orders": [*orders, {"cad_num": "77", "idempotency_key": ""}]})

    assert len(created.json()["orders"]) == 3
    (row,) = checked.json()["bad_rows"]
    assert row["index"] == 3
    assert {rule["field"] for rule in row["rules"]} == {"cad_num", "idempotency_key"}


def test_a_batch_that_is_longer_than_what_other_calls_take_is_one_request(web: httpx.Client) -> None:
    orders = [new_order(f"50:20:0100711:{number}", comment="ж" * 2000) for number in range(1, 301)]

    answer = web.post("/v1/orders:batchCreate", json={"orders": orders}, timeout=60)

    assert int(answer.request.headers["content-length"]) > 1 << 20
    assert answer.status_code == 200, answer.text[:500]
    assert len({one["order_id"] for one in answer.json()["orders"]}) == 300


@pytest.mark.parametrize("path", ["/v1/orders/{order_id}", "/v1/orders:byKey?idempotency_key={key}"])
def test_an_order_is_found_by_id_and_by_key(
    web: httpx.Client, service: Service, new_number: Callable[[], str], path: str
) -> None:
    order = new_order(new_number())
    order_id = web.post("/v1/orders", json=order).json()["order"]["order_id"]

    asked = path.format(order_id=order_id, key=order["idempotency_key"])

    request = orders_pb2.GetOrderRequest(order_id=int(order_id))
    assert_same(lambda: web.get(asked), lambda: service.orders.GetOrder(request, timeout=10))


def test_several_orders_are_asked_for_at_once(web: httpx.Client, order_id: int) -> None:
    answer = web.get("/v1/orders:batchGet", params={"order_ids": [order_id, 2**62], "idempotency_keys": ["no such"]})

    assert [one["order_id"] for one in answer.json()["orders"]] == [str(order_id)]
    assert answer.json()["missing_order_ids"] == [str(2**62)]
    assert answer.json()["missing_idempotency_keys"] == ["no such"]


def test_orders_are_listed_with_filters_and_pages(web: httpx.Client, new_number: Callable[[], str]) -> None:
    number = new_number()
    for _ in range(3):
        web.post("/v1/orders", json=new_order(number))
    asked: dict[str, Any] = {
        "cad_num": number,
        "page_size": 2,
        "states": ["ORDER_STATE_QUEUED", "2"],
        "only_on_hold": "false",
        "created_from": "2026-01-01T03:00:00+03:00",
    }

    first = web.get("/v1/orders", params=asked).json()
    second = web.get("/v1/orders", params={**asked, "page_token": first["next_page_token"]}).json()

    assert [len(page["orders"]) for page in (first, second)] == [2, 1]
    assert second["next_page_token"] == ""


def test_the_history_of_an_order_is_told(web: httpx.Client, order_id: int, service: Service) -> None:
    path, request = f"/v1/orders/{order_id}/events", orders_pb2.ListOrderEventsRequest(order_id=order_id)

    assert_same(lambda: web.get(path), lambda: service.orders.ListOrderEvents(request, timeout=10))
    assert web.get(path, params={"newest_first": "true"}).json()["events"][-1]["actor"] == "client"


def test_a_case_is_told_and_each_decision_about_it_is_answered_as_by_grpc(
    web: httpx.Client, service: Service, order_id: int
) -> None:
    path, request = f"/v1/orders/{order_id}/case", operator_pb2.GetOrderCaseRequest(order_id=order_id)
    assert_same(lambda: web.get(path), lambda: service.operator.GetOrderCase(request, timeout=10))
    basis = {"case_no": web.get(path).json()["case_no"], "actor": "ivan", "reason": "so it is"}

    for verb, more in (
        ("settleByNumber", {"number": "80-1"}),
        ("settleAsAbsent", {"application_ids": ["1"]}),
        ("resume", {}),
        ("giveUp", {}),
    ):
        answer = web.post(f"/v1/orders/{order_id}/case:{verb}", json={"basis": basis, **more})
        assert (answer.status_code, answer.json()["reason"]) == (409, "WRONG_STATE"), verb


def test_a_held_order_is_resumed(web: httpx.Client, order_id: int, database: Database) -> None:
    with database.connect() as connection:
        connection.execute("update orders set hold_reason = 'Проверьте', hold_at = now() where id = %s", (order_id,))
    case = web.get(f"/v1/orders/{order_id}/case").json()

    answer = web.post(
        f"/v1/orders/{order_id}/case:resume",
        json={"basis": {"order_id": str(order_id), "case_no": case["case_no"], "actor": "ivan", "reason": "ok"}},
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["order"]["hold_reason"] == ""


def test_the_six_calls_of_the_old_system(web: httpx.Client, service: Service) -> None:
    name = f"user_{uuid.uuid4().hex[:8]}"

    created = web.post("/rosreestr-users", json={"account": name, "password": "hidden-word", "comment": "first"})
    number = created.json()["account_id"]
    got = web.get(f"/rosreestr-users/{number}")
    listed = web.get("/rosreestr-users", params={"page_size": 500})
    changed = web.put(f"/rosreestr-users/{number}", json={"comment": "second", "password": "another-hidden-word"})
    deactivated = web.delete(f"/rosreestr-users/{number}")
    activated = web.post(f"/rosreestr-users/{number}/activate")

    assert created.json() == got.json()
    assert (got.json()["account"], got.json()["has_password"], got.json()["is_active"]) == (name, True, True)
    assert got.json() in listed.json()["users"]
    assert changed.json()["comment"] == "second"
    assert (deactivated.json()["is_active"], activated.json()["is_active"]) == (False, True)
    told = service.accounts.GetRosreestrUser(rosreestr_users_pb2.GetRosreestrUserRequest(account=name), timeout=10)
    assert activated.json() == as_json(told.user)
    for answer in (created, got, listed, changed, deactivated, activated):
        assert answer.status_code == 200
        assert "hidden-word" not in answer.text
    assert "hidden-word" not in service.process.log


def test_an_account_is_found_by_name(web: httpx.Client, account: dict[str, object]) -> None:
    answer = web.get("/rosreestr-users:byName", params={"account": str(account["account"])})

    assert answer.json() == account


def test_head_is_get_without_the_body(web: httpx.Client, order_id: int) -> None:
    answer = web.head(f"/v1/orders/{order_id}")

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 100


def test_every_rpc_but_those_of_workers_can_be_called_by_rest() -> None:
    offered = {binding.method.full_name for binding in read_bindings(REST_SERVICES)}

    assert offered == {method.full_name for service in REST_SERVICES for method in service.methods}


def test_an_order_is_cancelled_and_tried_again(web: httpx.Client, order_id: int) -> None:
    cancelled = web.post(f"/v1/orders/{order_id}:cancel", json={"reason": "не нужен", "actor": "ann"})
    assert cancelled.status_code == 200, cancelled.text
    assert cancelled.json()["order"]["state"] == "ORDER_STATE_CANCELLED"
    assert web.post(f"/v1/orders/{order_id}:cancel", json={"reason": "не нужен"}).json() == cancelled.json()

    case = web.get(f"/v1/orders/{order_id}/case").json()
    basis = {"case_no": case["case_no"], "actor": "ann", "reason": "нужен всё-таки"}
    tried = web.post(f"/v1/orders/{order_id}/case:retry", json={"basis": basis})
    assert tried.status_code == 200, tried.text
    assert tried.json()["order"]["state"] == "ORDER_STATE_QUEUED"
    refused = web.post(f"/v1/orders/{order_id}/case:retry", json={"basis": basis | {"case_no": case["case_no"] + 9}})
    assert (refused.status_code, refused.json()["reason"]) == (409, "CASE_OUTDATED")
    without = web.post(f"/v1/orders/{order_id}:cancel", json={})
    assert (without.status_code, without.json()["reason"]) == (400, "INVALID_INPUT")
