"""Logging in: the ESIA's JSON form, the second factor, the cookies, the role."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.simulator.thread import SimulatorThread
from tests.integration.worker.simulator.user import User
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.worker.simulator.conftest import StartSimulator


@pytest.fixture
def visitor(portal: SimulatorThread) -> Iterator[User]:
    """Somebody whose account nobody else uses, not logged in."""
    user = User(portal.url, "visitor_1")
    portal.post("/logout", account="visitor_1")
    yield user
    user.http.close()


def test_the_way_to_the_esia_starts_with_a_redirect(visitor: User) -> None:
    answer = visitor.http.get("/account-back/auth/login", params={"homeUrl": "/finances"})

    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{visitor.http.base_url}".rstrip("/") + "/aas/")


def test_a_right_password_leads_back_to_the_portal_with_cookies(visitor: User) -> None:
    answer = visitor.ask_login()
    back = visitor.come_back(answer.json()["redirect_url"])

    assert back.headers["location"] == "/request-access-egrn"
    names = [cookie.name for cookie in visitor.http.cookies.jar]
    assert "AUTH_TOKEN" in names
    twice = {cookie.path for cookie in visitor.http.cookies.jar if cookie.name == "TOMCAT_SESSIONID"}
    assert twice == {"/account-back", "/account-request"}


@pytest.mark.parametrize("home", ["//elsewhere.test/", "https://elsewhere.test/", "/\\elsewhere.test"])
def test_the_way_back_never_leads_to_another_site(visitor: User, home: str) -> None:
    visitor.http.get("/account-back/auth/login", params={"homeUrl": home})
    login = {"login": visitor.username, "password": "secret"}
    answer = visitor.http.post("/aas/oauth2/api/login", json=login)

    assert visitor.come_back(answer.json()["redirect_url"]).headers["location"] == "/"


def test_a_wrong_password_is_refused_with_401(visitor: User) -> None:
    visitor.password = "wrong"
    answer = visitor.ask_login()

    assert answer.status_code == 401
    assert "redirect_url" not in answer.json()
    assert "AUTH_TOKEN" not in visitor.http.cookies


def test_an_unknown_login_is_refused_like_a_wrong_password_but_for_the_word(visitor: User) -> None:
    visitor.password = "wrong"
    known = visitor.ask_login()
    visitor.username = "nobody"
    unknown = visitor.ask_login()

    assert (unknown.status_code, unknown.json()["message"]) == (known.status_code, known.json()["message"])
    assert (known.json()["failed"], unknown.json()["failed"]) == ("INVALID_PASSWORD", "ACCOUNT_NOT_FOUND")


@pytest.mark.parametrize("body", [{}, {"login": "visitor_1"}, {"login": "visitor_1", "password": ""}, {"login": 1}])
def test_a_login_without_its_fields_is_400(visitor: User, body: dict[str, object]) -> None:
    assert visitor.http.post("/aas/oauth2/api/login", json=body).status_code == 400


def test_the_way_back_works_once(visitor: User) -> None:
    redirect_url = visitor.ask_login().json()["redirect_url"]
    visitor.come_back(redirect_url)

    assert visitor.http.get(redirect_url).status_code == 401


def test_without_a_session_every_call_is_401_json(visitor: User) -> None:
    for answer in (
        visitor.http.get("/account-back/profile/roles"),
        visitor.http.get("/account-back/access-key"),
        visitor.search("77:01:0001001:1001"),
        visitor.page(),
        visitor.http.post("/account-request/statement/finish", json={}),
        visitor.download(1),
    ):
        assert answer.status_code == 401
        assert answer.json()["status"] == 401


def test_a_session_without_a_role_is_logged_false_and_gets_nothing_else(visitor: User) -> None:
    visitor.log_in()

    roles = visitor.roles()
    assert roles["logged"] is False
    assert [type(role["oid"]) for role in roles["roles"]] == [str]
    assert visitor.page().status_code == 403


def test_the_profile_call_with_cookie_and_oid_binds_the_role(visitor: User) -> None:
    visitor.log_in().bind()

    assert visitor.roles()["logged"] is True
    assert visitor.profile()["attributesOauth"]["userId"] == visitor.oid
    assert visitor.page().status_code == 200


def test_a_role_is_not_bound_without_the_cookie_that_the_client_sets(visitor: User) -> None:
    visitor.log_in()
    oid = visitor.roles()["roles"][0]["oid"]

    assert visitor.http.get("/account-back/profile/info", params={"oid": oid}).status_code == 403
    assert visitor.roles()["logged"] is False


def test_a_role_of_somebody_else_is_refused(visitor: User) -> None:
    visitor.log_in()
    visitor.http.cookies.set("PC_USER_WAS_AUTHORIZED", "1000000000")

    assert visitor.http.get("/account-back/profile/info", params={"oid": "1000000000"}).status_code == 403


def test_a_session_ends_after_its_time(start_simulator: StartSimulator, bound: Callable[..., User]) -> None:
    user = bound(start_simulator("--session-ttl", "3"))
    assert user.page().status_code == 200

    wait_until(lambda: user.page().status_code == 401, "the session to end")


def test_a_login_name_of_its_own_is_what_the_esia_knows(start_simulator: StartSimulator, tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps([{"username": "anna", "password": "secret", "login": "+70000000001"}]))
    process = start_simulator("--accounts", str(accounts))

    by_name = User(process.url, "anna")
    by_login = User(process.url, "+70000000001")

    assert by_name.ask_login().status_code == 401
    assert by_login.ask_login().status_code == 200
    by_name.http.close()
    by_login.http.close()


def test_logging_an_account_out_ends_its_sessions_only(portal: SimulatorThread, new_user: Callable[[], User]) -> None:
    ended, other = new_user(), new_user()

    assert portal.post("/logout", account=ended.username) == {"ended": 1}

    assert ended.page().status_code == 401
    assert other.page().status_code == 200


def test_each_role_has_a_list_of_its_own(
    start_simulator: StartSimulator, tmp_path: Path, bound: Callable[..., User]
) -> None:
    accounts = tmp_path / "accounts.json"
    roles = [{"oid": "1000000001", "name": "Физическое лицо"}, {"oid": "1000000002", "name": "ИП"}]
    accounts.write_text(json.dumps({"accounts": [{"username": "anna", "password": "secret", "roles": roles}]}))
    user = bound(start_simulator("--accounts", str(accounts)))
    user.order("77:01:0001001:1001")

    assert len(user.rows()) == 1
    user.bind("1000000002")
    assert user.rows() == []


def test_who_has_several_roles_can_be_led_to_choose_one() -> None:
    roles = [{"oid": "1000000001", "name": "Физическое лицо"}, {"oid": "1000000002", "name": "ООО «Тест»"}]
    thread = SimulatorThread(rows=[{"username": "anna", "password": "secret", "roles": roles}], role_page=True)
    user = thread.user("anna")

    back = user.come_back(user.ask_login().json()["redirect_url"])
    page = user.http.get(back.headers["location"])

    assert back.headers["location"] == "/login"
    assert "<button>Физическое лицо</button><button>ООО «Тест»</button>" in page.text
    assert user.bind("1000000002").roles()["logged"] is True
    assert "<button>" not in user.http.get("/login").text
    thread.close()
