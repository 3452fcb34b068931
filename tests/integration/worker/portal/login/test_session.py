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
    LoginPaused,
    LoginRefused,
    Need,
    ObjectForbidden,
    Outage,
    PersonNeeded,
    PortalError,
    PortalUnavailable,
    RateLimited,
    UnreadableAnswer,
)
from worker.portal.login.credentials import Credentials, ImportedCookie, cookies_of, make_totp

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
    portal.sessions.clear()
    portal.script("GET", server.BALANCE, answer)
    # The portal says so in the same way wherever it is asked.
    portal.script("GET", server.ROLES, answer)

    assert client.balance() == 87

    assert login_count(portal) == 2


@pytest.mark.parametrize("answer", EXPIRED_ANSWERS)
def test_a_session_that_lives_is_only_bound_anew_and_costs_no_password(
    portal: Portal, client: PortalClient, answer: Reply
) -> None:
    client.balance()
    portal.script("GET", server.BALANCE, answer)

    assert client.balance() == 87

    assert login_count(portal) == 1
    assert len(portal.seen(server.ROLES)) == 2


def test_a_list_that_answers_with_a_link_means_that_the_session_may_be_over(
    portal: Portal, client: PortalClient
) -> None:
    portal.script("POST", server.LIST, Reply(body={"link": "https://lk.rosreestr.ru/login"}))

    assert client.list_applications().rows == ()

    assert (login_count(portal), len(portal.seen(server.ROLES))) == (1, 2)


def test_logged_false_before_the_role_is_bound_is_no_reason_to_log_in_again(
    portal: Portal, client: PortalClient
) -> None:
    client.log_in()

    assert login_count(portal) == 1
    assert len(portal.seen(server.ROLES)) == 1


@pytest.mark.parametrize("answer", [answer for answer in EXPIRED_ANSWERS if answer.id != "403 JSON"])
def test_a_call_that_says_that_a_living_session_is_over_costs_no_password_however_often(
    portal: Portal, client: PortalClient, answer: Reply
) -> None:
    portal.always("GET", server.BALANCE, answer)

    for _ in range(3):
        with pytest.raises(UnreadableAnswer) as caught:
            client.balance()
        assert caught.value.retry_after_s
        assert client.list_applications().rows == (), "others go on"

    assert login_count(portal) == 1


def test_a_doubtful_session_is_renewed_after_an_hour(
    portal: Portal, client: PortalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.balance()
    dead = Reply(status=401, body={"error": "unauthorized"})
    monkeypatch.setattr("worker.portal.login.session._DOUBTFUL_AFTER_S", 0.0)
    portal.script("GET", server.BALANCE, dead, dead)

    assert client.balance() == 87

    assert login_count(portal) == 2


@pytest.mark.parametrize("answer", EXPIRED_ANSWERS)
def test_a_session_that_is_over_right_after_its_password_is_for_a_person(
    portal: Portal, client: PortalClient, answer: Reply
) -> None:
    portal.always("GET", server.ROLES, answer)

    for _ in range(5):
        with pytest.raises(PersonNeeded) as caught:
            client.balance()

    assert caught.value.need is Need.LOGIN_PAGE
    assert login_count(portal) == 1


ODD_WAYS_BACK = [
    pytest.param(server.RETURN, SHELL, id="a page on the way back"),
    pytest.param(server.RETURN, Reply(status=302, headers=(("Location", "http://[bad"),)), id="a broken address"),
    pytest.param(server.RETURN, Reply(status=302, headers=(("Location", "http://x.example/"),)), id="another host"),
    pytest.param(server.RETURN, Reply(body={"fine": True}), id="no cookie"),
    pytest.param(server.LOGIN, Reply(body="{", content_type=server.JSON), id="broken JSON"),
    pytest.param(server.LOGIN, Reply(body=[1]), id="a list"),
    pytest.param(server.LOGIN, Reply(body={"redirect_url": {"no": "text"}}), id="an address that is none"),
    pytest.param(server.LOGIN, Reply(body={"redirect_url": "http://[bad"}), id="an address that can't be read"),
    pytest.param(server.ROLES, Reply(body={"logged": "yes", "roles": None}), id="roles of another shape"),
    pytest.param(server.INFO, Reply(body="{", content_type=server.JSON), id="a broken profile"),
]


@pytest.mark.parametrize(("path", "answer"), ODD_WAYS_BACK)
def test_whatever_is_odd_between_the_password_and_the_first_good_call_is_for_a_person(
    portal: Portal, client: PortalClient, path: str, answer: Reply
) -> None:
    for method in ("GET", "POST"):
        portal.always(method, path, answer)

    for _ in range(5):
        with pytest.raises(PersonNeeded):
            client.balance()

    assert login_count(portal) == 1


OUTAGES_AFTER_THE_PASSWORD = [
    pytest.param(server.LOGIN, Reply(status=500, body={"error": "x"}), id="500 to the password"),
    pytest.param(server.LOGIN, Reply(action="close"), id="no answer to the password"),
    pytest.param(server.RETURN, Reply(status=502, body={}), id="502 on the way back"),
]


@pytest.mark.parametrize(("path", "answer"), OUTAGES_AFTER_THE_PASSWORD)
def test_two_passwords_are_sent_without_a_call_of_use_and_the_third_waits(
    portal: Portal, client: PortalClient, path: str, answer: Reply
) -> None:
    for method in ("GET", "POST"):
        portal.always(method, path, answer)
    seen: list[type[Exception]] = []

    for _ in range(6):
        with pytest.raises(PortalError) as caught:
            client.balance()
        seen.append(type(caught.value))

    assert login_count(portal) == 2
    assert seen == [PortalUnavailable] * 2 + [LoginPaused] * 4
    assert 590 < (caught.value.retry_after_s or 0) <= 600


def test_a_login_that_goes_well_ends_the_growing_of_its_pauses(portal: Portal, client: PortalClient) -> None:
    waits = []
    for _ in range(3):
        portal.sessions.clear()
        portal.script("POST", server.LOGIN, Reply(status=500, body={}))
        with pytest.raises(PortalUnavailable) as caught:
            client.balance()
        waits.append(caught.value.retry_after_s)
        client.balance()

    assert waits == [10.0] * 3
    assert client.successes("login") == 3


class Counted:
    """A count that stands elsewhere, and how long ago it was."""

    def __init__(self, sent: int = 0, age_s: float = 0.0) -> None:
        self.sent, self.age_s = sent, age_s
        self.said: list[str] = []

    def read(self) -> tuple[int, float]:
        return self.sent, self.age_s

    def add(self, _sleep: object) -> None:
        self.sent += 1
        self.said.append("sent")

    def clear(self, _sleep: object) -> bool:
        self.sent = 0
        self.said.append("useful")
        return True


@pytest.mark.parametrize(
    ("sent", "age_s", "error"),
    [
        (0, 0.0, None),
        (1, 0.0, None),
        (2, 599.0, LoginPaused),
        (2, 601.0, None),
        (3, 3599.0, LoginPaused),
        (3, 3601.0, None),
        (4, 1e9, PersonNeeded),
        (99, 1e9, PersonNeeded),
    ],
)
def test_what_was_sent_before_counts_also_after_a_restart(
    portal: Portal, make_client: MakeClient, sent: int, age_s: float, error: type[Exception] | None
) -> None:
    count = Counted(sent, age_s)
    client = make_client(count=count)

    if error is None:
        assert client.balance() == 87
        assert count.said == ["sent", "useful"]
    else:
        with pytest.raises(error):
            client.balance()
        assert (count.said, login_count(portal)) == ([], 0)


def test_a_call_of_use_is_told_once_and_again_only_where_that_failed(portal: Portal, make_client: MakeClient) -> None:
    count = Counted()
    client = make_client(count=count)
    for _ in range(3):
        client.balance()
    assert count.said == ["sent", "useful"]

    count.said.clear()

    def lose(_sleep: object) -> bool:
        count.said.append("lost")
        return False

    count.clear = lose  # type: ignore[method-assign]
    portal.sessions.clear()
    for _ in range(2):
        client.balance()

    assert count.said == ["sent", "lost", "lost"]
    # Of use it was all the same: that it ends is nothing odd.
    portal.sessions.clear()
    assert client.balance() == 87


def test_no_password_goes_out_that_couldnt_be_counted(portal: Portal, make_client: MakeClient) -> None:
    class Away(Exception):
        pass

    count = Counted()

    def add(_sleep: object) -> None:
        raise Away

    count.add = add  # type: ignore[method-assign]

    with pytest.raises(Away):
        make_client(count=count).balance()

    assert login_count(portal) == 0


def test_a_403_to_everything_means_that_the_account_may_not(portal: Portal, client: PortalClient) -> None:
    portal.always("GET", server.BALANCE, Reply(status=403, body={"error": "forbidden"}))

    with pytest.raises(AccountUnusable) as caught:
        client.balance()

    assert caught.value.lack is Lack.PERMISSION


@pytest.mark.parametrize(
    ("method", "path", "ask"),
    [
        ("POST", server.ON_SEARCH, lambda client: client.search(server.CAD_NUM)),
        ("POST", server.ON_CARD, lambda client: client.cards(server.CAD_NUM)),
    ],
)
def test_a_403_at_one_object_is_that_objects_alone(
    portal: Portal, client: PortalClient, method: str, path: str, ask: Callable[[PortalClient], object]
) -> None:
    portal.always(method, path, Reply(status=403, body={"error": "forbidden"}))

    for _ in range(3):
        with pytest.raises(ObjectForbidden):
            ask(client)

    assert login_count(portal) == 1
    assert client.balance() == 87


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
        (Reply(body={"failed": "CAPTCHA_REQUIRED"}), Need.CAPTCHA),
        (Reply(body={"failed": "ACCOUNT_LOCKED"}), Need.LOGIN_PAGE),
        (Reply(body={"action": "ENTER_MFA", "mfa_details": {"type": "SMS"}}), Need.SECOND_FACTOR),
        (Reply(body={"action": "ENTER_MFA", "mfa_details": {"type": "TTP"}}), Need.SECOND_FACTOR),
        (Reply(body={"action": "ENTER_MFA", "mfa_details": None}), Need.SECOND_FACTOR),
        (Reply(body={"action": "CHANGE_PASSWORD"}), Need.LOGIN_PAGE),
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


@pytest.mark.parametrize("failed", ["INVALID_PASSWORD", "INVALID_LOGIN", "ACCOUNT_NOT_FOUND"])
@pytest.mark.parametrize("status", [200, 401])
def test_a_password_that_is_refused_in_the_logins_own_words_is_tried_once_only(
    portal: Portal, client: PortalClient, failed: str, status: int
) -> None:
    portal.always("POST", server.LOGIN, Reply(status=status, body={"failed": failed}))

    for _ in range(3):
        with pytest.raises(LoginRefused):
            client.balance()

    assert login_count(portal) == 1


ASKS_FOR_CODE = [
    pytest.param({"action": "ENTER_TOTP"}, id="the short word"),
    pytest.param({"action": "ENTER_MFA", "mfa_details": {"type": "TTP", "ttp_details": {}}}, id="the long one"),
]


@pytest.mark.parametrize("asked", ASKS_FOR_CODE)
def test_a_one_time_code_is_made_where_its_secret_is_known(
    portal: Portal, make_client: MakeClient, asked: dict[str, object]
) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    client = make_client(credentials=Credentials(login="x", password="right", totp_secret=secret))
    flow = (("Set-Cookie", "flow=1; Path=/aas"),)
    portal.script("POST", server.LOGIN, Reply(body=asked, headers=flow))
    portal.script("POST", server.TOTP, Reply(body={"redirect_url": portal.url + server.RETURN}))

    assert client.balance() == 87

    verify = portal.seen(server.TOTP)[0]
    # Whole periods apart at most: the code is of this half minute or, at its edge, of the one before.
    assert verify.query["code"] in {make_totp(secret, at_s=time.time() - back) for back in (0, 30)}
    assert verify.headers["cookie"] == "flow=1"


@pytest.mark.parametrize(
    "refused",
    [
        Reply(status=400, body={"error": "wrong code"}),
        Reply(body={"failed": "INVALID_CODE"}),
        Reply(status=401, body={}),
    ],
    ids=["400", "200", "401"],
)
def test_a_refused_one_time_code_needs_a_person(portal: Portal, make_client: MakeClient, refused: Reply) -> None:
    client = make_client(credentials=Credentials(login="x", password="right", totp_secret="GEZDGNBV"))
    portal.script("POST", server.LOGIN, Reply(body={"action": "ENTER_TOTP"}))
    portal.script("POST", server.TOTP, refused)

    with pytest.raises(PersonNeeded) as caught:
        client.log_in()

    assert caught.value.need is (Need.LOGIN_PAGE if refused.status == 401 else Need.SECOND_FACTOR)
    assert len(portal.seen(server.TOTP)) == 1


def test_an_imported_session_is_used_without_any_login(portal: Portal, make_client: MakeClient) -> None:
    portal.sessions.add("imported")
    client = make_client(credentials=Credentials(login="x", cookies=cookies_of({"AUTH_TOKEN": "imported", "uid": "1"})))

    assert client.balance() == 87

    assert login_count(portal) == 0
    assert not portal.seen(server.AUTH)


def test_of_an_imported_name_with_two_paths_each_goes_where_it_belongs(portal: Portal, make_client: MakeClient) -> None:
    portal.sessions.add("imported")
    cookies = (
        *cookies_of({"AUTH_TOKEN": "imported", "route": "anywhere"}),
        ImportedCookie(name="route", value="back", path="/account-back/profile"),
    )

    make_client(credentials=Credentials(login="x", cookies=cookies)).balance()

    sent = portal.seen(server.ROLES)[0].headers["cookie"]
    assert sent.index("route=back") < sent.index("route=anywhere"), "the longer path goes first, as in a browser"
    assert "route=back" not in portal.seen(server.BALANCE)[0].headers["cookie"]
    assert "route=anywhere" in portal.seen(server.BALANCE)[0].headers["cookie"]


def test_an_imported_session_that_is_over_needs_a_person(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(credentials=Credentials(login="x", cookies=cookies_of({"AUTH_TOKEN": "dead"})))

    with pytest.raises(PersonNeeded) as caught:
        client.balance()

    assert caught.value.need is Need.NEW_SESSION


def test_an_imported_session_that_is_over_falls_back_to_the_password(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(
        credentials=Credentials(login="x", password="right", cookies=cookies_of({"AUTH_TOKEN": "dead"}))
    )

    assert client.balance() == 87

    assert login_count(portal) == 1


def test_maintenance_does_not_condemn_an_imported_session(portal: Portal, make_client: MakeClient) -> None:
    portal.sessions.add("imported")
    client = make_client(credentials=Credentials(login="x", cookies=cookies_of({"AUTH_TOKEN": "imported"})))
    client.balance()
    # A page that says nothing we know, wherever one asks.
    for path in (server.BALANCE, server.ROLES, server.AUTH):
        portal.script("GET", path, SHELL)

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
    assert "import the session" in str(caught.value), "what can be done about it by today's commands"
    assert by_name.person_oid() == "2000000002"
    assert by_oid.person_oid() == "1000000001"


def test_an_imported_session_keeps_the_role_that_was_chosen_in_the_browser(
    portal: Portal, make_client: MakeClient
) -> None:
    portal.sessions.add("imported")
    portal.roles = [{"oid": 1000000001}, {"oid": 2000000002}]
    cookies = {"AUTH_TOKEN": "imported", "PC_USER_WAS_AUTHORIZED": "2000000002"}

    assert make_client(credentials=Credentials(login="x", cookies=cookies_of(cookies))).person_oid() == "2000000002"


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

    with pytest.raises(PersonNeeded, match=r"elsewhere\.example\.org"):
        client.log_in()


def test_a_person_who_was_mended_at_the_portal_is_read_anew_without_a_login(
    portal: Portal, client: PortalClient
) -> None:
    bare = {**server.PROFILE, "attributesOauth": {**server.PROFILE["attributesOauth"], "documents": None}}
    portal.script("GET", server.INFO, Reply(body=bare))
    with pytest.raises(AccountUnusable) as caught:
        client.profile()

    assert caught.value.lack is Lack.PASSPORT
    assert client.profile().passport.number == "987654"
    assert login_count(portal) == 1


def test_a_person_can_be_read_anew_at_will(portal: Portal, client: PortalClient) -> None:
    changed = {**server.PROFILE, "attributesOauth": {**server.PROFILE["attributesOauth"], "email": "new@example.org"}}
    client.profile()
    portal.script("GET", server.INFO, Reply(body=changed))

    assert client.profile().email == "test@example.org"
    client.forget_profile()

    assert client.profile().email == "new@example.org"
    assert login_count(portal) == 1
