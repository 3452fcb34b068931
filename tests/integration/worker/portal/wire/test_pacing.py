"""The pause between two calls of one account, measured where it counts: at the server."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.portal import server
from tests.waiting import wait_until
from worker.portal.client import PortalClient
from worker.portal.errors import RateLimited
from worker.portal.finish import FinishRequest
from worker.portal.hours import Hours, read_windows
from worker.portal.login.credentials import Credentials
from worker.portal.wire.budget import PAID_CALLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.worker.portal.server import Portal

    MakeClient = Callable[..., PortalClient]

INTERVAL_S = 0.4
# The server's clock reads when its thread got the request, a little later than the request's first byte.
BLUR_S = 0.1
LOGIN_PATHS = {server.AUTH, server.LOGIN, server.TOTP, server.RETURN}


def gaps(portal: Portal) -> list[float]:
    starts = [request.at_s for request in portal.requests if request.path not in LOGIN_PATHS]
    return [after - before for before, after in itertools.pairwise(starts)]


def test_any_two_calls_keep_the_interval_from_start_to_start_the_paid_one_too(
    portal: Portal, make_client: MakeClient
) -> None:
    client = make_client(min_interval_s=INTERVAL_S)

    client.balance()
    client.search(server.CAD_NUM)
    request = FinishRequest(super_package_guid="g", person_oid=client.person_oid(), access_key=server.KEY)
    with client.prepare_finish(request) as paid:
        paid.open()
        paid.send(lambda: True)
    client.list_applications()

    assert len(portal.seen(server.FINISH)) == 1
    assert len(gaps(portal)) == 5
    assert min(gaps(portal)) >= INTERVAL_S - BLUR_S


def test_time_that_passed_anyway_counts_towards_the_interval(make_client: MakeClient) -> None:
    client = make_client(min_interval_s=INTERVAL_S)
    client.balance()
    wait_until(lambda: client.pacer.remaining_s() == 0, "the interval to pass")
    slept: list[float] = []

    with client.pausing_with(slept.append):
        client.balance()

    assert slept == []


def test_the_login_itself_is_not_paced(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(min_interval_s=INTERVAL_S)

    client.log_in()

    logins = [request.at_s for request in portal.requests if request.path in LOGIN_PATHS]
    assert len(logins) == 3
    assert logins[-1] - logins[0] < INTERVAL_S


def test_one_interval_is_kept_before_the_first_call_too(portal: Portal, make_client: MakeClient) -> None:
    started_s = time.monotonic()
    client = make_client(min_interval_s=INTERVAL_S)

    client.log_in()

    assert portal.seen(server.ROLES)[0].at_s - started_s >= INTERVAL_S


def test_the_next_client_of_the_account_keeps_the_pace_of_the_one_before(
    portal: Portal, make_client: MakeClient
) -> None:
    before = make_client(min_interval_s=INTERVAL_S)
    before.balance()

    after = PortalClient(before.settings, Credentials(login="x", password="right"), pacer=before.pacer)
    try:
        after.balance()
    finally:
        after.close()

    assert min(gaps(portal)) >= INTERVAL_S - BLUR_S


def test_the_days_calls_are_all_that_the_portal_sees_the_paid_one_too(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(daily_limit=30)
    request = FinishRequest(super_package_guid="g", person_oid=client.person_oid(), access_key=server.KEY)
    for _ in range(30 - len(gaps(portal)) - 1 - PAID_CALLS):
        client.balance()

    with client.prepare_finish(request) as paid:
        paid.open()
        paid.send(lambda: True)
    for _ in range(PAID_CALLS - 1):
        client.list_applications()
    with pytest.raises(RateLimited):
        client.balance()

    assert len(portal.seen(server.FINISH)) == 1
    assert len(gaps(portal)) + 1 == 30


def closing(client: PortalClient, now_s: list[float]) -> None:
    """Two hours of the night from the moment 0 on, as if that were two o'clock."""
    windows = read_windows("02:00-04:00", "ROSREESTR_QUIET_HOURS")
    client._transport.hours = Hours(windows, clock=lambda: 86_400 * 20_000 - 3600 + now_s[0])


def test_in_quiet_hours_nothing_is_called_the_login_neither(portal: Portal, make_client: MakeClient) -> None:
    client = make_client()
    closing(client, now_s := [60.0])

    with pytest.raises(RateLimited, match="02:00-04:00 по московскому времени") as caught:
        client.balance()

    assert portal.requests == []
    assert 7140 < (caught.value.retry_after_s or 0) <= 7170
    now_s[0] = 7200.0
    client.balance()


def test_a_paid_call_that_was_begun_before_quiet_hours_is_finished_in_them_and_nothing_more(
    portal: Portal, make_client: MakeClient
) -> None:
    client = make_client()
    closing(client, now_s := [-1.0])

    with client.pausing_with(time.sleep):
        request = FinishRequest(super_package_guid="g", person_oid=client.person_oid(), access_key=server.KEY)
        with client.prepare_finish(request) as paid:
            paid.open()
            now_s[0] = 1.0
            paid.send(lambda: True)
        client.list_applications()
    seen = len(portal.requests)
    with client.pausing_with(time.sleep), pytest.raises(RateLimited):
        client.list_applications()

    assert len(portal.seen(server.FINISH)) == 1
    assert len(portal.requests) == seen


def test_no_paid_call_is_begun_in_quiet_hours(portal: Portal, make_client: MakeClient) -> None:
    client = make_client()
    closing(client, now_s := [-1.0])
    request = FinishRequest(super_package_guid="g", person_oid=client.person_oid(), access_key=server.KEY)
    now_s[0] = 1.0

    with client.prepare_finish(request) as paid, pytest.raises(RateLimited):
        paid.open()

    assert portal.seen(server.FINISH) == []


def test_no_connection_is_opened_for_a_paid_call_that_the_day_has_no_reading_after_for(
    portal: Portal, make_client: MakeClient
) -> None:
    client = make_client(daily_limit=30)
    request = FinishRequest(super_package_guid="g", person_oid=client.person_oid(), access_key=server.KEY)
    for _ in range(30 - len(gaps(portal)) - PAID_CALLS):
        client.balance()

    with client.prepare_finish(request) as paid, pytest.raises(RateLimited, match="ROSREESTR_DAILY_LIMIT"):
        paid.open()

    assert portal.seen(server.FINISH) == []
    client.balance()
