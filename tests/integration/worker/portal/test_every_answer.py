"""A generated table: every call of the portal × every answer, sane or not, and whose trouble each is.

Whatever comes, the client raises one of its own errors, the verdict on it fails no order that isn't refused itself,
nothing waits for longer than a day, and no password goes out for it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.worker.portal import odd_answers, server
from tests.integration.worker.portal.pages.test_pages import make_statement
from worker.order import verdict
from worker.portal.errors import PortalError, RequestRefused
from worker.portal.finish import Answered, FinishRequest, Lost
from worker.portal.login.credentials import Credentials, cookies_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.worker.portal.server import Portal, Reply
    from worker.portal.client import PortalClient

    MakeClient = Callable[..., PortalClient]

DAY_S = 86_400.0
PAGE = {"content": [server.application(900_001)], "numberOfElements": 1, "last": True, "totalElements": 1}
#: Each call: how it is asked, where it goes, and what a good answer is made of.
CALLS: dict[str, tuple[Callable[[PortalClient, Path], object], str, str, Any]] = {
    "search": (
        lambda client, _: client.search(server.CAD_NUM),
        "POST",
        server.ON_SEARCH,
        {"elements": [server.found()], "count": 1},
    ),
    "card": (
        lambda client, _: client.cards(server.CAD_NUM),
        "POST",
        server.ON_CARD,
        {"elements": [server.card()], "count": 1},
    ),
    "balance": (
        lambda client, _: client.balance(),
        "GET",
        server.BALANCE,
        [{"ordinal": 1, "mnemo": "egrn_with_docs_1", "count": 87}],
    ),
    "access key": (lambda client, _: client.access_key(), "GET", server.KEY_TEXT, None),
    "roles": (
        lambda client, _: forgetting(client).person_oid(),
        "GET",
        server.ROLES,
        {"logged": True, "roles": [{"oid": 1}]},
    ),
    "profile": (lambda client, _: forgetting(client).profile(), "GET", server.INFO, server.PROFILE),
    "applications": (lambda client, _: client.list_applications(), "POST", server.LIST, PAGE),
    "application": (lambda client, _: client.find_application(server.NUMBER), "POST", server.LIST, PAGE),
    "upload": (lambda client, _: client.upload(make_statement(client)), "POST", server.UPLOAD, None),
    "download": (
        lambda client, folder: client.download(1, folder / "paper.zip"),
        "GET",
        "/account-back/applications/1/download",
        None,
    ),
}


def forgetting(client: PortalClient) -> PortalClient:
    client.forget_profile()
    return client


def answers_to(good: Any) -> Iterator[tuple[str, Reply]]:
    yield from odd_answers.whole()
    if good is not None:
        yield from odd_answers.fields(good)


def judge(error: PortalError, orders_in_a_row: int = 1) -> verdict.Verdict:
    step = error.step or "register"
    return verdict.verdict(error, verdict.Circumstances(step=step, orders_in_a_row=orders_in_a_row))


def check(case: str, error: PortalError) -> None:
    """What holds for whatever went wrong."""
    assert 0 <= (error.retry_after_s or 0) <= DAY_S, case
    for orders_in_a_row in (1, 3):
        said = judge(error, orders_in_a_row)
        if isinstance(said, verdict.Attempt):
            assert isinstance(error, RequestRefused), case
            assert error.is_of_object, case
        elif isinstance(said, verdict.Rest):
            assert said.step, case
            assert 0 < said.pause_s <= DAY_S, case
        elif isinstance(said, verdict.StandBy):
            assert said.mark is not None, case
            assert said.mark.reason, case
            assert 0 < (said.mark.retry_in_s or 1) <= DAY_S, case
        else:
            assert isinstance(said, verdict.WaitOut), case
            assert 0 < said.pause_s <= verdict.STANDBY_FROM_S, case


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CALLS)
def test_no_answer_to_a_call_is_taken_for_the_orders_fault_nor_costs_a_password(
    portal: Portal, make_client: MakeClient, tmp_path: Path, name: str
) -> None:
    ask, method, path, good = CALLS[name]
    portal.sessions.add("imported")
    credentials = Credentials(login="x", password="right", cookies=cookies_of({"AUTH_TOKEN": "imported"}))
    client = make_client(credentials=credentials)
    client.log_in()
    told = 0
    for case, reply in answers_to(good):
        portal.always(method, path, reply)
        client.pacer.lift()
        try:
            ask(client, tmp_path)
        except PortalError as error:
            check(case, error)
            told += 1
        # A session that lives, by one answer, and is over, by another, is renewed once an hour.
        assert len(portal.seen(server.LOGIN)) <= 1, case
        if portal.seen(server.LOGIN) and name in ("roles", "profile"):
            # What they say of a session decides about it: the next case begins with one that lives.
            client.close()
            client = make_client(credentials=credentials)
            portal.requests.clear()
    assert told > 100


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("turn", "method", "path"),
    [
        (0, "POST", server.LOGIN),
        (1, "GET", server.RETURN),
        (2, "GET", server.ROLES),
        (3, "GET", server.INFO),
    ],
)
def test_no_answer_to_a_login_brings_more_than_two_passwords(
    portal: Portal, make_client: MakeClient, turn: int, method: str, path: str
) -> None:
    # Each call gets a quarter of the answers, another one each.
    for case, reply in itertools.islice(odd_answers.whole(), turn, None, 4):
        portal.always(method, path, reply)
        portal.requests.clear()
        client = make_client()
        for _ in range(4):
            client.pacer.lift()
            try:
                client.balance()
            except PortalError as error:
                check(case, error)
        assert len(portal.seen(server.LOGIN)) <= 2, case
        client.close()


@pytest.mark.timeout(300)
def test_whatever_the_paid_call_is_answered_is_a_value_and_no_error(portal: Portal, client: PortalClient) -> None:
    request = FinishRequest(super_package_guid="x", person_oid=server.OID, access_key=server.KEY)
    for case, reply in odd_answers.whole():
        portal.always("POST", server.FINISH, reply)
        client.pacer.lift()
        with client.prepare_finish(request) as call:
            call.open()
            result = call.send(lambda: True)
        assert isinstance(result, Answered | Lost), case
        assert "\0" not in (result.text if isinstance(result, Answered) else result.reason), case
        assert client.pacer.remaining_s() <= DAY_S, case


def test_one_odd_row_stops_nobody(portal: Portal, client: PortalClient) -> None:
    """A draft without an id, an id that is none: what can be read of the others is read."""
    good = [server.application(1), server.application(2, cadastralNumber="77:01:0001001:1002")]
    odd_ids: tuple[Any, ...] = (None, True, 1.5, "x", [], {}, -1, 0, 2**63, "9" * 40)
    for id_ in odd_ids:
        portal.applications = [*good, server.application(0, id=id_, requestNumber=None)]

        listing = client.list_applications()

        assert listing.is_complete
        assert listing.known_ids(server.CAD_NUM) == (1,)
        assert [row.application_id for row in listing.rows_of(server.CAD_NUM)] == [1, 0]
    # One that doesn't even say its object may be anybody's: absence isn't proved beside it, and ordering goes on.
    portal.applications = [*good, {"id": None}, "no row"]  # type: ignore[list-item]
    assert len(client.list_applications().unclear_rows()) == 2
    assert client.list_applications().is_complete
