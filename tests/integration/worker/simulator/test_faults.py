"""Faults that a test orders while the simulator runs."""

from __future__ import annotations

import socket
import time
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.integration.worker.simulator.numbers import LAND, ROOM
from tests.integration.worker.simulator.user import User
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.worker.simulator.conftest import StartSimulator
    from tests.integration.worker.simulator.thread import SimulatorThread


def test_a_finish_can_lose_its_answer_after_the_charge(portal: SimulatorThread, user: User) -> None:
    guid = user.draft(ROOM)
    portal.fault("finish", "lost_answer_after_charge", account=user.username)

    with pytest.raises(httpx.RemoteProtocolError):
        user.finish(guid)

    [charge] = portal.charges(user.username)
    assert charge["super_package_guid"] == guid
    assert [row["requestNumber"] for row in user.rows()] == [charge["number"]]
    [call] = portal.requests(user.username, "finish")
    assert (call["status"], call["fault"]) == (None, "lost_answer_after_charge")


def test_a_finish_can_lose_its_answer_before_the_charge(portal: SimulatorThread, user: User) -> None:
    guid = user.draft(ROOM)
    portal.fault("finish", "lost_answer_before_charge", account=user.username)

    with pytest.raises(httpx.RemoteProtocolError):
        user.finish(guid)

    assert portal.charges(user.username) == []
    assert user.rows() == []


@pytest.mark.parametrize(("kind", "charges"), [("reset", 0), ("reset_after_charge", 1)])
def test_a_finish_can_end_in_a_reset(portal: SimulatorThread, user: User, kind: str, charges: int) -> None:
    guid = user.draft(ROOM)
    portal.fault("finish", kind, account=user.username)

    with pytest.raises(httpx.ReadError):
        user.finish(guid)

    assert len(portal.charges(user.username)) == charges


@pytest.mark.parametrize("status", [400, 404, 409, 500, 502, 503])
@pytest.mark.parametrize("kind", ["status", "status_after_charge"])
def test_a_status_proves_nothing_of_the_charge(portal: SimulatorThread, user: User, kind: str, status: int) -> None:
    guid = user.draft(ROOM)
    portal.fault("finish", kind, status=status, account=user.username)

    answer = user.finish(guid)

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert len(portal.charges(user.username)) == (1 if kind == "status_after_charge" else 0)


def test_a_general_fault_can_be_told_to_come_after(portal: SimulatorThread, user: User) -> None:
    portal.fault("finish", "html", after=True, account=user.username)

    answer = user.finish(user.draft(ROOM))

    assert answer.text.startswith("<!DOCTYPE html>")
    assert len(portal.charges(user.username)) == 1


def test_a_fault_that_comes_after_waits_for_a_call_that_succeeds(portal: SimulatorThread, user: User) -> None:
    portal.fault("finish", "status_after_charge", account=user.username)

    assert user.finish("7f1c0c1e-0000-4000-8000-000000000001").status_code == 400
    assert user.finish(user.draft(ROOM)).status_code == 500


def test_a_delayed_finish_is_charged_though_its_client_left(portal: SimulatorThread, user: User) -> None:
    body = user.finish_body(user.draft(ROOM))
    portal.fault("finish", "delay", seconds=0.5, account=user.username)

    with pytest.raises(httpx.ReadTimeout):
        user.http.post("/account-request/statement/finish", json=body, timeout=0.1)

    [charge] = wait_until(lambda: portal.charges(user.username), "the portal to go on with the finish")
    [call] = portal.requests(user.username, "finish")
    worked_s = datetime.fromisoformat(charge["charged_at"]) - datetime.fromisoformat(call["started_at"])
    assert worked_s.total_seconds() >= 0.5


def test_a_delay_after_the_charge_charges_at_once(portal: SimulatorThread, user: User) -> None:
    body = user.finish_body(user.draft(ROOM))
    portal.fault("finish", "delay", seconds=30, after=True, account=user.username)

    with pytest.raises(httpx.ReadTimeout):
        user.http.post("/account-request/statement/finish", json=body, timeout=0.3)

    wait_until(lambda: len(portal.charges(user.username)) == 1, "the charge", timeout_s=10)


def test_a_row_can_stay_hidden_for_ever(portal: SimulatorThread, user: User) -> None:
    portal.fault("finish", "hidden", account=user.username)

    user.order(ROOM)

    assert user.rows() == []
    assert len(portal.charges(user.username)) == 1
    assert user.balance() == 99


def test_an_order_can_be_told_how_to_end(portal: SimulatorThread, user: User) -> None:
    portal.fault("finish", "refused_later", account=user.username)

    user.order(ROOM)

    assert [(row["statusCode"], row["requestStatus"]) for row in user.rows()] == [("rejected", "Отказ")]


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("html", 200, "text/html"),
        ("maintenance", 503, "text/html"),
        ("waf", 403, "text/html"),
        ("captcha", 200, "text/html"),
        ("anomaly", 200, "text/html"),
        ("session_expired", 401, "application/json"),
        ("forbidden", 403, "application/json"),
        ("status", 500, "application/json"),
        ("rate_limit", 429, "application/json"),
    ],
)
def test_any_call_can_get_what_the_portal_shows_when_it_is_ill(
    portal: SimulatorThread, user: User, kind: str, status: int, content_type: str
) -> None:
    portal.fault("search", kind, account=user.username)

    answer = user.search(ROOM)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(content_type)
    assert user.search(ROOM).json()["count"] == 1


def test_a_rate_limit_says_when_to_come_back(portal: SimulatorThread, user: User) -> None:
    portal.fault("search", "rate_limit", retry_after_s=17, account=user.username)

    assert user.search(ROOM).headers["retry-after"] == "17"


def test_an_expired_session_can_show_as_a_redirect(portal: SimulatorThread, user: User) -> None:
    portal.fault("search", "login_redirect", account=user.username)

    answer = user.search(ROOM)

    assert (answer.status_code, answer.headers["location"]) == (302, "/login")


def test_an_answer_can_be_given_to_the_letter(portal: SimulatorThread, user: User) -> None:
    portal.fault("search", "answer", status=418, body='{"x": 1', content_type="application/json", account=user.username)

    answer = user.search(ROOM)

    assert (answer.status_code, answer.text) == (418, '{"x": 1')


def test_any_answer_can_be_cut(portal: SimulatorThread, user: User) -> None:
    portal.fault("search", "cut_answer", account=user.username)

    with pytest.raises(httpx.RemoteProtocolError):
        user.search(ROOM)


def test_a_fault_of_every_endpoint_meets_whatever_comes_first(portal: SimulatorThread, user: User) -> None:
    portal.fault("*", "status", status=502, times=2, account=user.username)

    assert [user.page().status_code, user.search(ROOM).status_code, user.page().status_code] == [502, 502, 200]


def test_a_fault_meets_its_account_only(portal: SimulatorThread, new_user: Callable[[], User]) -> None:
    hit, spared = new_user(), new_user()
    portal.fault("search", "status", account=hit.username)

    assert spared.search(ROOM).status_code == 200
    assert hit.search(ROOM).status_code == 500


def test_a_login_can_be_told_to_ask_for_a_person(portal: SimulatorThread) -> None:
    user = User(portal.url, "visitor_3")
    portal.fault("login", "captcha", account="visitor_3")

    answer = user.ask_login()

    assert (answer.status_code, "Введите код с картинки" in answer.text) == (200, True)
    assert "redirect_url" in user.ask_login().json()
    user.http.close()


def test_a_fault_without_an_end_stands_until_it_is_taken_away(portal: SimulatorThread, user: User) -> None:
    portal.fault("search", "status", times=None, account=user.username)

    assert [user.search(ROOM).status_code for _ in range(4)] == [500] * 4
    [fault] = portal.get("/faults")["faults"]
    assert (fault["kind"], fault["hits"]) == ("status", 4)
    assert portal.delete("/faults") == {"cleared": 1}
    assert user.search(ROOM).status_code == 200


def test_a_call_without_a_session_uses_no_fault_up(portal: SimulatorThread, user: User) -> None:
    portal.fault("search", "status")

    assert httpx.post(f"{portal.url}/account-back/on/with-addresses", json={}).status_code == 401
    assert user.search(ROOM).status_code == 500


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "endpoint"),
        ({"endpoint": "finnish", "kind": "status"}, "endpoint"),
        ({"endpoint": "finish"}, "kind"),
        ({"endpoint": "finish", "kind": "cut_download"}, "kind"),
        ({"endpoint": "finish", "kind": "status", "times": 0}, "times"),
        ({"endpoint": "finish", "kind": "status", "times": True}, "times"),
        ({"endpoint": "finish", "kind": "status", "account": "nobody"}, "account"),
        ({"endpoint": "finish", "kind": "status", "account": ["user_0"]}, "account"),
        ({"endpoint": "finish", "kind": "status", "status": 99}, "status"),
        ({"endpoint": "finish", "kind": "status", "status": "500"}, "status"),
        ({"endpoint": "finish", "kind": "delay", "seconds": "1"}, "seconds"),
        ({"endpoint": "finish", "kind": "delay", "seconds": -1}, "seconds"),
        ({"endpoint": "finish", "kind": "number_less", "after": True}, "after"),
        ({"endpoint": "finish", "kind": "status", "count": 1}, "count"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_by_field(
    portal: SimulatorThread, body: dict[str, object], field: str
) -> None:
    answer = httpx.post(f"{portal.url}/_simulator/faults", json=body)

    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert portal.get("/faults")["faults"] == []


def test_every_kind_of_fault_is_explained(portal: SimulatorThread) -> None:
    kinds = portal.get("/faults/kinds")

    assert {"status", "html", "delay", "reset", "lost_answer_after_charge"} <= kinds["any"].keys()
    assert {"cut_download", "empty_download", "wrong_cad_num_zip", "notice_zip", "nested_zip"} <= kinds["one"][
        "download"
    ].keys()
    assert all(said for group in (kinds["any"], *kinds["one"].values()) for said in group.values())


def test_a_planted_application_of_the_same_object_is_another_row(portal: SimulatorThread, user: User) -> None:
    [planted] = portal.post("/orders", account=user.username, orders=[{"cad_num": ROOM, "age_s": 86_400}])["orders"]
    number = user.order(ROOM)

    assert [row["requestNumber"] for row in user.rows(cadastralNumber=ROOM)] == [number, planted["number"]]


def test_a_wrong_plant_plants_nothing(portal: SimulatorThread, user: User) -> None:
    body = {"account": user.username, "orders": [{"cad_num": LAND}, {"cad_num": "no number"}]}

    answer = httpx.post(f"{portal.url}/_simulator/orders", json=body)

    assert (answer.status_code, answer.json()["field"]) == (400, "cad_num")
    assert user.rows() == []


def test_a_changed_password_is_what_counts(start_simulator: StartSimulator) -> None:
    process = start_simulator()
    process.post("/accounts/anna", password="new one")
    user = User(process.url, "anna")

    assert user.ask_login().status_code == 401
    user.password = "new one"
    assert user.ask_login().status_code == 200
    user.http.close()


def test_a_connection_that_a_fault_closed_ends_in_good_order(portal: SimulatorThread) -> None:
    portal.fault("config", "close")

    with socket.create_connection(("127.0.0.1", portal.port), timeout=10) as connection:
        start = time.monotonic()
        connection.sendall(b"GET /account-back/config HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(4096) == b""

    assert time.monotonic() - start < 3
