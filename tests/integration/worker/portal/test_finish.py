"""The paid call: sent at most once, on the connection that was opened before the gate, and honest about what came."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.portal import server
from tests.integration.worker.portal.server import HTML, Reply
from tests.waiting import wait_until
from worker.portal.errors import Outage, PaidCallMisused, PortalUnavailable, RateLimited
from worker.portal.finish import Answered, FinishRequest, Lost, NotSent, PaidCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.worker.portal.server import Portal
    from worker.portal.client import PortalClient

    MakeClient = Callable[..., PortalClient]

GUID = "11111111-0000-4000-8000-000000000001"


def prepare(client: PortalClient) -> PaidCall:
    return client.prepare_finish(
        FinishRequest(super_package_guid=GUID, person_oid=client.person_oid(), access_key=server.KEY)
    )


def held() -> bool:
    return True


def test_the_paid_call_says_what_the_contract_says_with_the_sessions_cookies(
    portal: Portal, client: PortalClient
) -> None:
    with prepare(client) as paid:
        paid.open()
        result = paid.send(held)

    assert result == Answered(status=200, text=server.NUMBER, expected_number=server.NUMBER)
    (sent,) = portal.seen(server.FINISH)
    assert sent.json == {
        "superPackageGuid": GUID,
        "esiaUserId": server.OID,
        "subjectObject": "",
        "packageType": "egrn_with_docs_1",
        "accessKey": server.KEY,
    }
    assert "AUTH_TOKEN=token-0" in sent.headers["cookie"]
    assert sent.headers["content-type"] == "application/json;charset=UTF-8"
    assert sent.headers["content-length"] == str(len(sent.body))
    assert "transfer-encoding" not in sent.headers
    assert sent.headers["host"] == portal.url.removeprefix("http://")


def test_nothing_is_sent_while_it_is_prepared_and_opened(portal: Portal, client: PortalClient) -> None:
    with prepare(client) as paid:
        connections = portal.connections
        paid.open()
        wait_until(lambda: portal.connections == connections + 1, "the connection to arrive")

    assert not portal.seen(server.FINISH)


@pytest.mark.parametrize(
    ("answer", "text", "number"),
    [
        (Reply(body=server.NUMBER), f'"{server.NUMBER}"', server.NUMBER),
        (Reply(body=f" {server.NUMBER}\n", content_type="text/plain"), f" {server.NUMBER}\n", server.NUMBER),
        (Reply(body="80-123456789", content_type="text/plain"), "80-123456789", "80-123456789"),
        (Reply(body="OK", content_type="text/plain"), "OK", None),
        (Reply(body=None), "null", None),
        (Reply(body={"n": server.NUMBER}), f'{{"n": "{server.NUMBER}"}}', None),
        (Reply(body='"broken', content_type=server.JSON), '"broken', None),
        (Reply(body="", content_type="text/plain"), "", None),
    ],
)
def test_the_answers_number_is_read_from_text_and_json_string_and_from_nothing_else(
    portal: Portal, client: PortalClient, answer: Reply, text: str, number: str | None
) -> None:
    if isinstance(answer.body, str) and answer.content_type == server.JSON and not answer.body.startswith('"'):
        answer = Reply(body=f'"{answer.body}"')
    portal.script("POST", server.FINISH, answer)

    with prepare(client) as paid:
        paid.open()
        result = paid.send(held)

    assert result == Answered(status=200, text=text, expected_number=number)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 502, 503, 504])
def test_no_status_is_an_error_or_a_reason_to_send_again(portal: Portal, client: PortalClient, status: int) -> None:
    portal.script("POST", server.FINISH, Reply(status=status, body={"error": "x"}))

    with prepare(client) as paid:
        paid.open()
        result = paid.send(held)

    assert result == Answered(status=status, text='{"error": "x"}', expected_number=None)
    assert len(portal.seen(server.FINISH)) == 1
    assert len(portal.seen(server.LOGIN)) == 1


def test_a_page_is_kept_as_what_it_is(portal: Portal, client: PortalClient) -> None:
    portal.script("POST", server.FINISH, Reply(status=200, body="<html>" + "x" * 5000, content_type=HTML))

    with prepare(client) as paid:
        paid.open()
        result = paid.send(held)

    assert isinstance(result, Answered)
    assert len(result.text) == 2000


def test_a_redirect_of_the_paid_call_is_not_followed(portal: Portal, client: PortalClient) -> None:
    portal.script("POST", server.FINISH, Reply(status=307, body="", headers=(("Location", server.FINISH),)))

    with prepare(client) as paid:
        paid.open()
        result = paid.send(held)

    assert isinstance(result, Answered)
    assert result.status == 307
    assert len(portal.seen(server.FINISH)) == 1


def test_a_connection_that_was_closed_before_the_call_means_that_nothing_was_sent(
    portal: Portal, client: PortalClient
) -> None:
    with prepare(client) as paid:
        paid.open()
        close_idle(portal)
        connections = portal.connections

        result = paid.send(held)

    assert isinstance(result, NotSent)
    assert "closed" in result.reason
    assert not portal.seen(server.FINISH)
    assert portal.connections == connections


def test_a_lost_lease_means_that_nothing_was_sent(portal: Portal, client: PortalClient) -> None:
    with prepare(client) as paid:
        paid.open()
        result = paid.send(lambda: False)

    assert isinstance(result, NotSent)
    assert not portal.seen(server.FINISH)


def test_a_connection_that_waited_too_long_is_not_used(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(finish_connection_age_s=1e-6)

    with prepare(client) as paid:
        paid.open()
        result = paid.send(held)

    assert isinstance(result, NotSent)
    assert not portal.seen(server.FINISH)


def test_another_call_in_between_means_that_nothing_was_sent(portal: Portal, make_client: MakeClient) -> None:
    client = make_client(min_interval_s=0.2)

    with prepare(client) as paid:
        paid.open()
        client.balance()
        result = paid.send(held)

    assert isinstance(result, NotSent)
    assert not portal.seen(server.FINISH)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Reply(action="close"), None),
        (Reply(action="reset"), None),
        (Reply(body=server.NUMBER * 3, action="cut"), 200),
        (Reply(body=server.NUMBER, headers=(("Content-Length", "10000"),), action="cut"), 200),
    ],
)
def test_a_request_that_was_read_but_not_wholly_answered_is_lost(
    portal: Portal, client: PortalClient, answer: Reply, status: int | None
) -> None:
    portal.script("POST", server.FINISH, answer)

    with prepare(client) as paid:
        paid.open()
        result = paid.send(held)

    assert isinstance(result, Lost)
    assert result.status == status
    assert len(portal.seen(server.FINISH)) == 1


@pytest.mark.parametrize("action", ["wait", "trickle"])
def test_an_answer_that_does_not_come_in_time_is_lost(portal: Portal, make_client: MakeClient, action: str) -> None:
    client = make_client(finish_timeout_s=0.4)
    portal.script("POST", server.FINISH, Reply(body="x" * 1000, action=action))
    started_s = time.monotonic()

    with prepare(client) as paid:
        paid.open()
        result = paid.send(held)

    assert isinstance(result, Lost)
    assert time.monotonic() - started_s < 5
    assert len(portal.seen(server.FINISH)) == 1


def test_a_paid_call_is_opened_once_and_sent_once(portal: Portal, client: PortalClient) -> None:
    with prepare(client) as paid:
        with pytest.raises(PaidCallMisused):
            paid.send(held)
        paid.open()
        with pytest.raises(PaidCallMisused):
            paid.open()
        paid.send(held)
        for _ in range(2):
            with pytest.raises(PaidCallMisused):
                paid.send(held)
        with pytest.raises(PaidCallMisused):
            paid.open()

    assert len(portal.seen(server.FINISH)) == 1


def test_a_paid_call_that_was_not_sent_is_used_up_as_well(portal: Portal, client: PortalClient) -> None:
    with prepare(client) as paid:
        paid.open()
        paid.send(lambda: False)

        with pytest.raises(PaidCallMisused):
            paid.send(held)

    assert not portal.seen(server.FINISH)


def test_a_closed_paid_call_sends_nothing(portal: Portal, client: PortalClient) -> None:
    with prepare(client) as paid:
        paid.open()

    assert isinstance(paid.send(held), NotSent)
    assert not portal.seen(server.FINISH)


def test_a_portal_that_cannot_be_reached_is_found_before_the_gate(portal: Portal, client: PortalClient) -> None:
    paid = prepare(client)
    object.__setattr__(client.settings, "url", "http://127.0.0.1:1")

    with pytest.raises(PortalUnavailable) as caught:
        paid.open()

    assert caught.value.outage is Outage.UNREACHABLE


def test_a_pause_asked_for_by_the_paid_calls_answer_binds_the_next_call(
    portal: Portal, make_client: MakeClient
) -> None:
    client = make_client(patience_s=0.5)
    portal.script("POST", server.FINISH, Reply(status=429, body={}, headers=(("Retry-After", "60"),)))

    with prepare(client) as paid:
        paid.open()
        paid.send(held)

    with pytest.raises(RateLimited):
        client.balance()


CHILD = """
import sys
from worker.portal.client import PortalClient
from worker.portal.finish import FinishRequest
from worker.portal.login.credentials import Credentials
from worker.portal.settings import PortalSettings
client = PortalClient(PortalSettings(url=sys.argv[1], min_interval_s=0.0), Credentials(login="x", password="right"))
request = FinishRequest(super_package_guid="g", person_oid=client.person_oid(), access_key="k")
with client.prepare_finish(request) as paid:
    paid.open()
    print("open", flush=True)
    sys.stdin.readline()
    print(type(paid.send(lambda: True)).__name__, flush=True)
"""


def test_a_process_that_was_stopped_between_gate_and_call_sends_nothing_when_it_goes_on(portal: Portal) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, portal.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "open\n"
        # Given a worker that is stopped with the gate behind it, longer than the portal keeps an idle connection
        os.kill(child.pid, signal.SIGSTOP)
        close_idle(portal)
        child.stdin.write("go\n")
        child.stdin.flush()
        # When it goes on
        os.kill(child.pid, signal.SIGCONT)
        # Then it finds the connection closed
        assert child.stdout.readline() == "NotSent\n"
    finally:
        child.kill()
        child.communicate(timeout=10)
    assert not portal.seen(server.FINISH)


def close_idle(portal: Portal) -> None:
    """Close the one connection that waits; the server's thread may be about to take it up."""
    wait_until(portal.close_idle_connections, "the server to see the idle connection")
