"""Logging in, binding the person, and what happens when the session is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.portal import server
from tests.integration.worker.portal.server import HTML, Reply
from worker.portal.errors import (
    AccountUnusable,
    Lack,
    LoginRefused,
    Need,
    Outage,
    PersonNeeded,
    PortalUnavailable,
    RateLimited,
    SessionExpired,
    UnreadableAnswer,
)
from worker.portal.login.credentials import Credentials, make_totp

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.worker.portal.server import Portal
    from worker.portal.client import PortalClient

    MakeClient = Callable[..., PortalClient]

SHELL = Reply(body="<!doctype html><html><body><div id=root></div></body></html>", content_type=HTML)
EXPIRED_ANSWERS = [
    pytest.param(Reply(status=401, body={"error": "unauthorized"}), id="401 JSON"),
    pytest.param(Reply(status=401, body="<html>", content_type=HTML), id="401 page"),
    pytest.param(Reply(status=403, body={"error": "forbidden"}), id="403 JSON"),
    pytest.param(Reply(status=302, headers=(("Location", "/login?redirect=/"),)), id="302 to /login"),
    pytest.param(Reply(status=302, headers=(("Location", "https://esia.example.org/ac"),)), id="302 to the login"),
    pytest.param(SHELL, id="200 shell"),
    pytest.param(
        Reply(body={"message": "Время сессии истекло. Пожалуйста, обновите страницу"}), id="200 JSON that says so"
    ),
]


def login_count(portal: Portal) -> int:
    return len(portal.seen(server.LOGIN))


def test_login_goes_to_the_origin_that_the_portal_names_and_binds_the_role(
    portal: Portal, client: PortalClient
) -> None:
    assert client.balance() == 87

    login = portal.seen(server.LOGIN)[0]
    assert login.headers["host"].startswith("localhost:")
    assert login.json == {"login": "+70000000000", "password": "right"}
    assert login.headers["content-type"].startswith("application/json")
    assert portal.seen(server.AUTH)[0].query == {"homeUrl": portal.url + "/"}
    assert portal.seen(server.INFO)[0].query == {"oid": server.OID}
    assert client.person_oid() == server.OID


def test_cookies_of_one_name_with_two_paths_are_both_sent_where_they_belong(
    portal: Portal, client: PortalClient
) -> None:
    client.balance()

    sent = portal.seen(server.BALANCE)[0].headers["cookie"]
    assert sent.count("AUTH_TOKEN=token-0") == 2
    assert f"PC_USER_WAS_AUTHORIZED={server.OID}" in sent
    assert "session-cookie=abc" in sent
    # ... and the portal's cookies are nobody else's.
    assert "cookie" not in portal.seen(server.LOGIN)[0].headers


@pytest.mark.parametrize("answer", EXPIRED_ANSWERS)
def test_a_session_that_is_over_is_renewed_once_and_the_call_repeated(
    portal: Portal, client: PortalClient, answer: Reply
) -> None:
    client.balance()
    portal.script("GET", server.BALANCE, answer)

    assert client.balance() == 87

    assert login_count(portal) == 2


def test_a_list_that_answers_with_a_link_means_that_the_session_is_over(portal: Portal, client: PortalClient) -> None:
    portal.script("POST", server.LIST, Reply(body={"link": "https://lk.rosreestr.ru/login"}))

    assert client.list_applications().rows == ()

    assert login_count(portal) == 2


def test_logged_false_before_the_role_is_bound_is_no_reason_to_log_in_again(
    portal: Portal, client: PortalClient
) -> None:
    client.log_in()

    assert login_count(portal) == 1
    assert len(portal.seen(server.ROLES)) == 1


def test_a_session_that_dies_at_once_is_not_renewed_in_a_loop(portal: Portal, client: PortalClient) -> None:
    portal.always("GET", server.BALANCE, Reply(status=401, body={"error": "unauthorized"}))

    for _ in range(3):
        with pytest.raises(SessionExpired) as caught:
            client.balance()
        assert caught.value.retry_after_s

    assert login_count(portal) == 2


def test_a_403_right_after_a_good_login_means_that_the_account_may_not(portal: Portal, client: PortalClient) -> None:
    portal.always("GET", server.BALANCE, Reply(status=403, body={"error": "forbidden"}))

    with pytest.raises(AccountUnusable) as caught:
        client.balance()

    assert caught.value.lack is Lack.PERMISSION


def test_a_page_right_after_a_good_login_is_unreadable_not_nothing(portal: Portal, client: PortalClient) -> None:
    portal.always("POST", server.ON_SEARCH, SHELL)

    with pytest.raises(UnreadableAnswer) as caught:
        client.search(server.CAD_NUM)

    assert caught.value.retry_after_s


def test_a_refused_password_is_tried_once_only(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(credentials=Credentials(login="x", password="wrong"))

    for _ in range(3):
        with pytest.raises(LoginRefused):
            client.balance()

    assert login_count(portal) == 1


@pytest.mark.parametrize(
    ("answer", "need"),
    [
        (Reply(body="<html><p>Введите код с картинки</p></html>", content_type=HTML), Need.CAPTCHA),
        (Reply(body="<html><p>Подтвердите, что это вы</p></html>", content_type=HTML), Need.ANOMALY),
        (Reply(body="<html><p>Что-то новое</p></html>", content_type=HTML), Need.LOGIN_PAGE),
        (Reply(status=401, body="<html>", content_type=HTML), Need.LOGIN_PAGE),
        (Reply(status=403, body={"error": "blocked"}), Need.LOGIN_PAGE),
        (Reply(body={"action": "ENTER_TOTP"}), Need.SECOND_FACTOR),
        (Reply(body={"action": "ENTER_SMS"}), Need.SECOND_FACTOR),
        (Reply(body={"something": "else"}), Need.LOGIN_PAGE),
    ],
)
def test_whatever_only_a_person_can_do_at_login_is_asked_for_once(
    portal: Portal, client: PortalClient, answer: Reply, need: Need
) -> None:
    portal.always("POST", server.LOGIN, answer)

    for _ in range(2):
        with pytest.raises(PersonNeeded) as caught:
            client.balance()
        assert caught.value.need is need

    assert login_count(portal) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Reply(status=503, body="<html>Технические работы</html>", content_type=HTML), PortalUnavailable),
        (Reply(status=500, body={"error": "x"}), PortalUnavailable),
        (Reply(action="close"), PortalUnavailable),
        (Reply(status=429, body={}, headers=(("Retry-After", "1"),)), RateLimited),
    ],
)
def test_trouble_of_the_login_itself_blames_no_password_and_is_tried_again(
    portal: Portal, client: PortalClient, answer: Reply, error: type[Exception]
) -> None:
    portal.script("POST", server.LOGIN, answer)

    with pytest.raises(error):
        client.balance()

    assert client.balance() == 87


def test_a_one_time_code_is_made_where_its_secret_is_known(portal: Portal, make_client: MakeClient) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    client = make_client(credentials=Credentials(login="x", password="right", totp_secret=secret))
    flow = (("Set-Cookie", "flow=1; Path=/aas"),)
    portal.script("POST", server.LOGIN, Reply(body={"action": "ENTER_TOTP"}, headers=flow))
    portal.script("POST", server.TOTP, Reply(body={"redirect_url": portal.url + server.RETURN}))

    assert client.balance() == 87

    verify = portal.seen(server.TOTP)[0]
    # Whole periods apart at most: the code is of this half minute or, at its edge, of the one before.
    assert verify.query["code"] in {make_totp(secret, at_s=time.time() - back) for back in (0, 30)}
    assert verify.headers["cookie"] == "flow=1"


def test_a_refused_one_time_code_needs_a_person(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(credentials=Credentials(login="x", password="right", totp_secret="GEZDGNBV"))
    portal.script("POST", server.LOGIN, Reply(body={"action": "ENTER_TOTP"}))
    portal.script("POST", server.TOTP, Reply(status=400, body={"error": "wrong code"}))

    with pytest.raises(PersonNeeded) as caught:
        client.log_in()

    assert caught.value.need is Need.SECOND_FACTOR


def test_an_imported_session_is_used_without_any_login(portal: Portal, make_client: MakeClient) -> None:
    portal.sessions.add("imported")
    client = make_client(credentials=Credentials(login="x", cookies={"AUTH_TOKEN": "imported", "uid": "1"}))

    assert client.balance() == 87

    assert login_count(portal) == 0
    assert not portal.seen(server.AUTH)


def test_an_imported_session_that_is_over_needs_a_person(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(credentials=Credentials(login="x", cookies={"AUTH_TOKEN": "dead"}))

    with pytest.raises(PersonNeeded) as caught:
        client.balance()

    assert caught.value.need is Need.NEW_SESSION


def test_an_imported_session_that_is_over_falls_back_to_the_password(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(credentials=Credentials(login="x", password="right", cookies={"AUTH_TOKEN": "dead"}))

    assert client.balance() == 87

    assert login_count(portal) == 1


def test_maintenance_does_not_condemn_an_imported_session(portal: Portal, make_client: MakeClient) -> None:
    portal.sessions.add("imported")
    client = make_client(credentials=Credentials(login="x", cookies={"AUTH_TOKEN": "imported"}))
    client.balance()
    # A page that says nothing we know, wherever one asks.
    portal.script("GET", server.BALANCE, SHELL)
    portal.script("GET", server.AUTH, SHELL)

    with pytest.raises(PortalUnavailable) as caught:
        client.balance()

    assert caught.value.outage is Outage.MAINTENANCE


def test_several_roles_need_a_choice(portal: Portal, make_client: MakeClient) -> None:
    portal.roles = [{"oid": 1000000001, "name": "Физическое лицо"}, {"oid": 2000000002, "name": "ООО ТЕСТ"}]

    with pytest.raises(PersonNeeded) as caught:
        make_client().balance()
    by_name = make_client(credentials=Credentials(login="x", password="right", role="ООО ТЕСТ"))
    by_oid = make_client(credentials=Credentials(login="x", password="right", role="1000000001"))

    assert caught.value.need is Need.ROLE
    assert by_name.person_oid() == "2000000002"
    assert by_oid.person_oid() == "1000000001"


def test_an_imported_session_keeps_the_role_that_was_chosen_in_the_browser(
    portal: Portal, make_client: MakeClient
) -> None:
    portal.sessions.add("imported")
    portal.roles = [{"oid": 1000000001}, {"oid": 2000000002}]
    cookies = {"AUTH_TOKEN": "imported", "PC_USER_WAS_AUTHORIZED": "2000000002"}

    assert make_client(credentials=Credentials(login="x", cookies=cookies)).person_oid() == "2000000002"


def test_a_renewed_session_of_another_person_is_not_used(portal: Portal, client: PortalClient) -> None:
    client.balance()
    portal.roles = [{"oid": 2000000002}]
    portal.sessions.clear()

    with pytest.raises(AccountUnusable) as caught:
        client.balance()

    assert caught.value.lack is Lack.SAME_PERSON


def test_a_binding_that_was_lost_is_resumed_without_another_login(portal: Portal, client: PortalClient) -> None:
    portal.script("GET", server.ROLES, Reply(action="close"))

    with pytest.raises(PortalUnavailable):
        client.balance()

    assert client.balance() == 87
    assert login_count(portal) == 1


def test_a_login_that_leads_elsewhere_is_not_followed(portal: Portal, client: PortalClient) -> None:
    portal.script("POST", server.LOGIN, Reply(body={"redirect_url": "http://elsewhere.example.org/steal"}))

    with pytest.raises(UnreadableAnswer):
        client.log_in()
