"""What holds for every call: no chunked bodies, JSON said to be JSON, limits by account, the maintenance window."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.integration.worker.simulator.numbers import ROOM
from tests.integration.worker.simulator.user import User
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.worker.simulator.conftest import StartSimulator
    from tests.integration.worker.simulator.thread import SimulatorThread

MOSCOW = timezone(timedelta(hours=3))
JSON_POSTS = (
    "/aas/oauth2/api/login",
    "/account-back/on/with-addresses",
    "/account-back/on",
    "/account-request/statement/upload",
    "/account-request/statement/finish",
    "/account-back/applications",
)


@pytest.mark.parametrize("path", JSON_POSTS)
def test_a_chunked_body_is_413(user: User, path: str) -> None:
    def parts() -> Iterator[bytes]:
        yield b"{"
        yield b"}"

    answer = user.http.post(path, content=parts(), headers={"Content-Type": "application/json"})

    assert answer.request.headers["transfer-encoding"] == "chunked"
    assert answer.status_code == 413


def test_a_chunked_request_is_refused_before_its_body_came(portal: SimulatorThread) -> None:
    head = b"POST /account-back/on HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    with socket.create_connection(("127.0.0.1", portal.port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_is_too_large_is_413(user: User) -> None:
    answer = user.http.post(
        "/account-back/on", content=b" " * (1024 * 1024 + 1), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 413


@pytest.mark.parametrize("path", JSON_POSTS)
def test_a_json_post_without_its_content_type_is_415(user: User, path: str) -> None:
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        assert user.http.post(path, content=b"{}", headers=headers).status_code == 415, headers


@pytest.mark.parametrize("content_type", ["application/json;charset=UTF-8", "application/json"])
def test_a_json_post_with_its_content_type_is_taken(user: User, content_type: str) -> None:
    answer = user.http.post("/account-back/applications", content=b"{}", headers={"Content-Type": content_type})

    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"'])
def test_a_body_that_is_no_json_object_is_400(user: User, body: bytes) -> None:
    answer = user.http.post("/account-back/applications", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400


def test_an_unknown_path_or_method_is_json(user: User) -> None:
    for answer, status in (
        (user.http.get("/account-back/nothing"), 404),
        (user.http.post("/account-request/statement/finish/", json={}), 404),
        (user.http.get("/account-request/statement/finish"), 405),
    ):
        assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_the_shell_and_the_login_page_are_html(portal: SimulatorThread) -> None:
    for path in ("/", "/login", "/aas/oauth2/ac"):
        answer = httpx.get(f"{portal.url}{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_calls_that_come_too_soon_are_429_with_the_time_to_wait(start_simulator: StartSimulator) -> None:
    process = start_simulator("--min-interval", "2")
    user = User(process.url, "anna").log_in()

    def ask() -> httpx.Response:
        return user.http.get("/account-back/profile/roles")

    first, second = ask(), ask()

    assert (first.status_code, second.status_code) == (200, 429)
    assert 1 <= int(second.headers["retry-after"]) <= 2
    wait_until(lambda: ask().status_code == 200, "a call to be let in again", every_s=0.05)
    passed = [call for call in process.requests("anna", "roles") if call["status"] == 200]
    assert len(passed) == 2
    assert passed[1]["started_monotonic_s"] - passed[0]["started_monotonic_s"] >= 2
    user.http.close()


def test_the_interval_is_each_accounts_own(start_simulator: StartSimulator) -> None:
    process = start_simulator("--min-interval", "3600")

    for name in ("anna", "boris"):
        user = User(process.url, name).log_in()
        assert user.http.get("/account-back/profile/roles").status_code == 200
        user.http.close()


def test_the_daily_quota_is_429_until_moscow_midnight(
    start_simulator: StartSimulator, bound: Callable[..., User]
) -> None:
    user = bound(start_simulator("--daily-quota", "3"))  # Two of them to take the role.

    assert user.page().status_code == 200
    answer = user.page()

    now = datetime.now(MOSCOW)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert answer.status_code == 429
    assert abs(int(answer.headers["retry-after"]) - (midnight - now).total_seconds()) < 30


@pytest.mark.parametrize(("shift_h", "status"), [(-1, 503), (2, 200)])
def test_the_maintenance_window_is_by_moscow_time(start_simulator: StartSimulator, shift_h: int, status: int) -> None:
    start = datetime.now(MOSCOW) + timedelta(hours=shift_h)
    window = f"{start:%H:%M}-{start + timedelta(hours=2):%H:%M}"
    process = start_simulator("--maintenance", window)

    answer = httpx.get(f"{process.url}/account-back/config")

    assert answer.status_code == status
    assert process.get("/health")["status"] == "ok"
    assert ("Ведутся технические работы" in answer.text) == (status == 503)


def test_the_latency_is_between_its_bounds(start_simulator: StartSimulator) -> None:
    process = start_simulator("--latency", "0.1:0.2")

    for _ in range(5):
        httpx.get(f"{process.url}/account-back/config")

    durations = [call["duration_s"] for call in process.get("/requests", endpoint="config")["requests"]]
    assert len(durations) == 5
    assert min(durations) >= 0.1
    assert len(set(durations)) > 1


def test_every_call_is_logged_with_account_times_and_connection(
    portal: SimulatorThread, new_user: Callable[[], User]
) -> None:
    user = new_user()
    before, monotonic_before = datetime.now(UTC), time.monotonic()
    user.search(ROOM)
    user.page(3, size=7)

    [search] = portal.requests(user.username, "search")
    [page] = portal.requests(user.username, "applications")
    assert (search["method"], search["path"], search["status"]) == ("POST", "/account-back/on/with-addresses", 200)
    assert (page["query"], page["oid"], page["account"]) == ("page=3&size=7", user.oid, user.username)
    assert before <= datetime.fromisoformat(search["started_at"]) <= datetime.fromisoformat(page["started_at"])
    assert monotonic_before <= search["started_monotonic_s"] <= page["started_monotonic_s"] <= time.monotonic()
    assert search["connection"] == page["connection"]
    assert page["request_on_connection"] == search["request_on_connection"] + 1
    assert portal.get("/requests", account=user.username, after=page["number"])["requests"] == []


def test_a_refused_login_is_logged_with_its_account_and_without_secrets(
    portal: SimulatorThread, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    user = User(portal.url, "visitor_2", "not the password")
    user.ask_login()

    [call] = portal.requests("visitor_2", "login")
    assert call["status"] == 401
    assert "not the password" not in caplog.text
    user.http.close()
