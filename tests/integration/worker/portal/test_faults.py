"""Trouble of the portal's own: each row of the fault table that HTTP can show, and what it makes us do."""

from __future__ import annotations

import logging
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.portal import server
from tests.integration.worker.portal.server import HTML, Reply
from worker.portal.errors import (
    Need,
    Outage,
    PersonNeeded,
    PortalError,
    PortalUnavailable,
    RateLimited,
    RequestRefused,
    UnreadableAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.worker.portal.server import Portal
    from worker.portal.client import PortalClient

    MakeClient = Callable[..., PortalClient]

WAF = "<html><h1>Forbidden</h1><p>Request id: 1 Client IP: 192.0.2.1 Rule id: 7</p></html>"
MAINTENANCE = "<html>На портале ведутся технические работы</html>"


@pytest.mark.parametrize(
    ("answer", "outage"),
    [
        (Reply(status=500, body={"message": "x"}), Outage.SERVER_ERROR),
        (Reply(status=502, body="<html>Bad Gateway</html>", content_type=HTML), Outage.SERVER_ERROR),
        (Reply(status=504, body="", content_type="text/plain"), Outage.SERVER_ERROR),
        (
            Reply(status=400, body={"message": "Unsuccessful status come from fgis egrn request client 500"}),
            Outage.SERVER_ERROR,
        ),
        (Reply(status=503, body="<html>x</html>", content_type=HTML), Outage.MAINTENANCE),
        (Reply(status=200, body=MAINTENANCE, content_type=HTML), Outage.MAINTENANCE),
        # Without the right label it is a page all the same.
        (Reply(status=200, body=MAINTENANCE, content_type=server.JSON), Outage.MAINTENANCE),
        (
            Reply(status=200, body=MAINTENANCE.encode("cp1251"), content_type="text/html; charset=windows-1251"),
            Outage.MAINTENANCE,
        ),
        (Reply(status=403, body=WAF, content_type=HTML), Outage.BLOCKED),
        (Reply(status=200, body=WAF, content_type=HTML), Outage.BLOCKED),
        (Reply(action="close"), Outage.BROKEN),
        (Reply(action="reset"), Outage.BROKEN),
        (Reply(body={"elements": [server.found()], "count": 1}, action="cut"), Outage.BROKEN),
    ],
)
def test_the_portals_own_trouble_means_waiting(
    portal: Portal, client: PortalClient, answer: Reply, outage: Outage
) -> None:
    client.log_in()
    portal.always("POST", server.ON_SEARCH, answer)

    with pytest.raises(PortalUnavailable) as caught:
        client.search(server.CAD_NUM)

    assert caught.value.outage is outage
    assert caught.value.retry_after_s
    # ... and isn't taken for the session's end.
    assert len(portal.seen(server.LOGIN)) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 413, 415, 422])
def test_only_what_is_about_the_order_can_fail_it(portal: Portal, client: PortalClient, status: int) -> None:
    refusal = Reply(status=status, body={"error": "x"})
    for method, path in [("GET", server.BALANCE), ("POST", server.LIST), ("POST", server.ON_SEARCH)]:
        portal.always(method, path, refusal)

    for ask in (client.balance, client.list_applications):
        with pytest.raises(UnreadableAnswer) as caught:
            ask()
        assert caught.value.retry_after_s
    with pytest.raises(RequestRefused if status in (400, 409, 422) else UnreadableAnswer):
        client.search(server.CAD_NUM)


def test_repeated_trouble_means_waiting_longer_each_time_until_an_answer_is_good(
    portal: Portal, client: PortalClient
) -> None:
    client.log_in()
    portal.script("GET", server.BALANCE, *[Reply(status=500, body={})] * 3)
    waits = []

    for _ in range(3):
        with pytest.raises(PortalUnavailable) as caught:
            client.balance()
        waits.append(caught.value.retry_after_s)
    assert client.balance() == 87
    portal.script("GET", server.BALANCE, Reply(status=500, body={}))
    with pytest.raises(PortalUnavailable) as caught:
        client.balance()

    assert waits == [10.0, 20.0, 40.0]
    assert caught.value.retry_after_s == 10.0


def test_a_step_that_goes_well_says_nothing_about_another(portal: Portal, client: PortalClient) -> None:
    """An object whose card fails: the search before it goes well each time, and the pause grows all the same."""
    portal.always("POST", server.ON_CARD, Reply(status=500, body={}))
    waits = []

    for _ in range(4):
        client.search(server.CAD_NUM)
        with pytest.raises(PortalUnavailable) as caught:
            client.cards(server.CAD_NUM)
        waits.append(caught.value.retry_after_s)

    assert waits == [10.0, 20.0, 40.0, 80.0]
    assert caught.value.step == "card"


@pytest.mark.parametrize(
    "value",
    ["9999999999", "9" * 400, "86401", "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"],
)
@pytest.mark.parametrize("status", [200, 401, 429, 503])
def test_no_retry_after_keeps_an_account_away_for_longer_than_a_day(
    portal: Portal, make_client: MakeClient, status: int, value: str
) -> None:
    client = make_client(patience_s=1.0)
    client.log_in()
    portal.script("GET", server.BALANCE, Reply(status=status, body={}, headers=(("Retry-After", value),)))

    with pytest.raises(PortalError) as caught:
        client.balance()

    assert 0 < (caught.value.retry_after_s or 0) <= 86_400
    assert 80_000 < client.pacer.remaining_s() <= 86_400


def test_a_retry_after_of_nothing_is_no_loop(portal: Portal, client: PortalClient) -> None:
    client.log_in()
    waits = []
    for status in (429, 503):
        portal.script("GET", server.BALANCE, Reply(status=status, body={}, headers=(("Retry-After", "0"),)))
        with pytest.raises((RateLimited, PortalUnavailable)) as caught:
            client.balance()
        waits.append(caught.value.retry_after_s)
        client.pacer._held_until = 0.0  # the pause is over

    assert waits == [5.0, 10.0]


def test_the_firewalls_page_stops_all_calls_for_long(portal: Portal, client: PortalClient) -> None:
    client.log_in()
    portal.script("GET", server.BALANCE, Reply(status=403, body=WAF, content_type=HTML))

    with pytest.raises(PortalUnavailable) as caught:
        client.balance()
    calls = len(portal.requests)
    with pytest.raises(RateLimited):
        client.balance()

    assert 1800 <= (caught.value.retry_after_s or 0) <= 3600
    assert len(portal.requests) == calls


@pytest.mark.parametrize(
    ("answer", "need"),
    [
        (Reply(body="<html>Введите код с картинки</html>", content_type=HTML), Need.CAPTCHA),
        (Reply(status=406, body={"error": "Wrong captcha"}), Need.CAPTCHA),
        (Reply(body="<html>Подтвердите, что это Вы</html>", content_type=HTML), Need.ANOMALY),
    ],
)
def test_what_only_a_person_can_answer_is_for_a_person(
    portal: Portal, client: PortalClient, answer: Reply, need: Need
) -> None:
    portal.always("POST", server.ON_SEARCH, answer)

    with pytest.raises(PersonNeeded) as caught:
        client.search(server.CAD_NUM)

    assert caught.value.need is need


@pytest.mark.parametrize(
    "answer",
    [
        Reply(status=429, body={}),
        Reply(status=429, body="<html>slow down</html>", content_type=HTML),
        Reply(status=500, body={"message": "Превышен интервал между запросами"}),
        Reply(
            body={
                "message": "Произошла ошибка получения сведений об объектах недвижимости."
                " Пожалуйста, повторите свой запрос позже."
            }
        ),
    ],
)
def test_a_rate_limit_without_a_time_is_waited_out_in_growing_steps(
    portal: Portal, make_client: MakeClient, answer: Reply
) -> None:
    client = make_client(patience_s=0.0)
    client.log_in()
    portal.script("POST", server.ON_SEARCH, answer)

    with pytest.raises(RateLimited) as caught:
        client.search(server.CAD_NUM)

    assert caught.value.retry_after_s == 5.0
    assert client.pacer.remaining_s() > 4


def test_retry_after_binds_every_call_of_the_account(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(patience_s=1.0)
    client.log_in()
    portal.script("GET", server.BALANCE, Reply(status=429, body={}, headers=(("Retry-After", "120"),)))

    with pytest.raises(RateLimited) as caught:
        client.balance()
    calls = len(portal.requests)
    with pytest.raises(RateLimited) as again:
        client.search(server.CAD_NUM)

    assert caught.value.retry_after_s == 120
    assert 118 < (again.value.retry_after_s or 0) <= 120
    assert len(portal.requests) == calls


def test_retry_after_binds_the_login_too(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(patience_s=1.0)
    client.log_in()
    portal.script("GET", server.BALANCE, Reply(status=401, body={}, headers=(("Retry-After", "120"),)))
    calls = len(portal.requests)

    with pytest.raises(RateLimited):
        client.balance()

    assert len(portal.requests) == calls + 1


def test_a_short_retry_after_is_slept_through_with_the_given_sleep(portal: Portal, client: PortalClient) -> None:
    client.log_in()
    portal.script("GET", server.BALANCE, Reply(status=503, body={}, headers=(("Retry-After", "1"),)))
    with pytest.raises(PortalUnavailable):
        client.balance()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(seconds)

    with client.pausing_with(sleep):
        assert client.balance() == 87

    assert slept
    assert 0.5 < slept[0] <= 1


def test_whatever_the_sleep_raises_comes_through_and_nothing_is_sent(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(min_interval_s=0.5)

    class LeaseLost(Exception):
        pass

    def sleep(_seconds: float) -> None:
        raise LeaseLost

    with client.pausing_with(sleep), pytest.raises(LeaseLost):
        client.search(server.CAD_NUM)

    assert not portal.seen(server.ON_SEARCH)


def test_a_portal_that_does_not_answer_is_slow(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(read_timeout_s=0.3)
    client.log_in()
    portal.script("GET", server.BALANCE, Reply(action="wait"))

    with pytest.raises(PortalUnavailable) as caught:
        client.balance()

    assert caught.value.outage is Outage.SLOW


def test_an_answer_that_trickles_is_given_up_in_time(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(read_timeout_s=0.5)
    client.log_in()
    portal.script("GET", server.BALANCE, Reply(body="[" + " " * 1000 + "]", action="trickle"))
    started_s = time.monotonic()

    with pytest.raises(PortalUnavailable) as caught:
        client.balance()

    assert caught.value.outage is Outage.SLOW
    assert time.monotonic() - started_s < 5


def test_an_answer_beyond_all_measure_is_refused(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(max_answer_bytes=10_000)
    client.log_in()
    portal.script("GET", server.BALANCE, Reply(body="[" + " " * 20_000 + "]"))

    with pytest.raises(UnreadableAnswer):
        client.balance()


def test_a_portal_that_is_not_there_is_unreachable(make_client: MakeClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(PortalUnavailable) as caught:
        make_client(url=f"http://127.0.0.1:{port}").balance()

    assert caught.value.outage is Outage.UNREACHABLE


def test_no_log_line_holds_a_secret_or_a_person(
    portal: Portal, client: PortalClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    client.balance()
    client.search(server.CAD_NUM)

    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "portal_login" in logged
    for secret in ("right", "+70000000000", "token-0", server.OID, "Тестов", server.CAD_NUM):
        assert secret not in logged
