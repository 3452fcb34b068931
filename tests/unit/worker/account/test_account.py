"""The account: what may be read, when it is asked about, and with what it logs in."""

from __future__ import annotations

import dataclasses
import json
import threading
from typing import TYPE_CHECKING

import pytest

from orders_service.accounts import session
from orders_service.accounts.session import Cookie
from orders_service.crypto import PASSWORD, SESSION, Secretbox
from orders_service.v1 import rosreestr_users_pb2
from tests.certificates import Authority
from tests.unit.worker.conftest import SECRETBOX
from tests.unit.worker.doubles import refusal, unavailable
from tests.waiting import wait_until
from worker.account.account import Account
from worker.account.standby import StandbyWatcher
from worker.errors import AccountNotUsable, AccountSecretsUnusable
from worker.portal.errors import PortalSettingsInvalid
from worker.service.errors import ServiceUnreachable, StaleEpoch
from worker.stopping import StopFlag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.worker.conftest import Bench


@pytest.fixture
def account(bench: Bench) -> Iterator[Account]:
    account = Account(bench.settings, bench.reporter, SECRETBOX)
    yield account
    account.close()


def test_the_own_lane_comes_first_and_alone_on_standby(bench: Bench, account: Account) -> None:
    account.open(StopFlag())
    assert account.lanes() == ("@a1", "urgent", "main")

    bench.service.account.can_take_new = False
    account.refresh(lambda _seconds: None)
    assert account.lanes() == ("@a1",)


def test_opening_waits_while_the_service_is_away(bench: Bench, account: Account) -> None:
    bench.service.script["OpenAccount"] = [unavailable(), None]

    account.open(StopFlag())

    assert account.snapshot.account == "a1"


def test_opening_ends_when_a_stop_is_asked_for(bench: Bench, account: Account) -> None:
    bench.service.script["OpenAccount"] = [unavailable()] * 20
    stop = StopFlag()
    stop.request()

    with pytest.raises(ServiceUnreachable):
        account.open(stop)


@pytest.mark.parametrize("reason", ["ACCOUNT_UNKNOWN", "ACCOUNT_INACTIVE"])
def test_a_worker_does_not_start_with_an_account_that_cannot_be_opened(
    bench: Bench, account: Account, reason: str
) -> None:
    bench.service.script["OpenAccount"] = [refusal(reason)]

    with pytest.raises(AccountNotUsable):
        account.open(StopFlag())


def test_a_worker_does_not_start_with_another_secret_and_marks_nothing(bench: Bench, account: Account) -> None:
    bench.service.account.sealed_password = Secretbox("another").seal("p", username="a1", purpose=PASSWORD)

    with pytest.raises(AccountNotUsable, match="ROSREESTR_CRYPTO_SECRET"):
        account.open(StopFlag())

    assert "MarkAccount" not in bench.log


@pytest.mark.parametrize("stored", ["plain text password", ""])
def test_an_account_without_a_usable_secret_stands_by_from_the_start(
    bench: Bench, account: Account, stored: str
) -> None:
    bench.service.account.sealed_password = stored

    account.open(StopFlag())

    assert bench.service.requests["MarkAccount"][0].kind == rosreestr_users_pb2.STANDBY_KIND_LOGIN_REFUSED
    assert account.lanes() == ("@a1",)
    with pytest.raises(AccountSecretsUnusable):
        account.portal()


def test_an_imported_session_is_enough(bench: Bench, account: Account) -> None:
    bench.service.account.sealed_password = ""
    bench.service.account.sealed_session = SECRETBOX.seal(
        json.dumps({"AUTH_TOKEN": "x"}), username="a1", purpose=SESSION
    )

    account.open(StopFlag())

    assert "MarkAccount" not in bench.log
    assert account.portal() is account.portal()


def test_what_is_stored_of_a_session_is_what_the_worker_reads(bench: Bench, account: Account) -> None:
    jar = (Cookie(name="route", value="1"), Cookie(name="route", value="2", path="/account-back"))
    account.open(StopFlag())

    def read(text: str) -> list[tuple[str, str, str]]:
        bench.service.account.sealed_session = SECRETBOX.seal(text, username="a1", purpose=SESSION)
        account.refresh(lambda _seconds: None)
        cookies = account._make_credentials(account.snapshot).cookies
        return [(cookie.name, cookie.value, cookie.path) for cookie in cookies]

    assert read(session.write(jar)) == [("route", "1", "/"), ("route", "2", "/account-back")]
    # What needs no paths is written as workers before them read it.
    assert json.loads(session.write(session.of_names({"a": "b"}))) == {"a": "b"}
    assert read(session.write(session.of_names({"a": "b"}))) == [("a", "b", "/")]
    for odd in ("[1]", '[{"name": "a", "value": "b"}]', '{"a": 1}', "7", "{"):
        with pytest.raises(AccountSecretsUnusable, match="import it again"):
            read(odd)


def test_a_new_password_makes_a_new_client_with_the_old_pace(bench: Bench, account: Account) -> None:
    account.open(StopFlag())
    before = account.portal()

    bench.service.account.sealed_password = SECRETBOX.seal("new", username="a1", purpose=PASSWORD)
    account.refresh(lambda _seconds: None)

    assert account.portal() is not before
    assert account.portal().pacer is before.pacer


def test_a_refused_login_is_forgotten_once_a_person_did_something(bench: Bench, account: Account) -> None:
    account.open(StopFlag())
    before = account.portal()
    account.mark(rosreestr_users_pb2.STANDBY_KIND_LOGIN_REFUSED, "refused", None, sleep=lambda _seconds: None)
    assert account.is_login_blocked
    assert account.portal() is before

    bench.service.account.standby_kind = rosreestr_users_pb2.STANDBY_KIND_UNSPECIFIED
    bench.service.account.can_take_new = True
    account.refresh(lambda _seconds: None)

    assert not account.is_login_blocked
    assert account.portal() is not before


@pytest.mark.parametrize("noticed", [True, False])
def test_a_mark_names_the_secrets_that_were_tried_not_those_that_were_read_since(
    bench: Bench, account: Account, noticed: bool
) -> None:
    bench.service.account.secrets_version = "old"
    account.open(StopFlag())
    account.portal()
    # An operator sets a new password while the portal refuses the old one; the standby's watcher may have read it.
    bench.service.account.sealed_password = SECRETBOX.seal("new", username="a1", purpose=PASSWORD)
    bench.service.account.secrets_version = "new"
    if noticed:
        account.refresh(lambda _seconds: None)

    account.mark(rosreestr_users_pb2.STANDBY_KIND_LOGIN_REFUSED, "refused", None, sleep=lambda _seconds: None)
    account.portal()
    account.mark(rosreestr_users_pb2.STANDBY_KIND_LOGIN_REFUSED, "refused", None, sleep=lambda _seconds: None)

    assert [request.secrets_version for request in bench.service.requests["MarkAccount"]] == ["old", "new"]


def test_an_account_whose_secrets_were_changed_meanwhile_doesnt_stand_by(
    bench: Bench, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    account.open(StopFlag())
    account.portal()
    bench.service.is_mark_late = True

    with caplog.at_level("INFO"):
        account.mark(rosreestr_users_pb2.STANDBY_KIND_LOGIN_REFUSED, "refused", None, sleep=lambda _seconds: None)

    assert (account.can_take_new, account.is_login_blocked) == (True, False)
    assert [getattr(record, "event", "") for record in caplog.records][-1] == "account_mark_late"


def test_what_another_epoch_reads_is_stale_unless_this_process_opened_it(bench: Bench, account: Account) -> None:
    account.open(StopFlag())
    bench.service.script["ReadAccount"] = [refusal("STALE_EPOCH")]

    with pytest.raises(StaleEpoch):
        account.refresh(lambda _seconds: None)


def test_the_watcher_wakes_the_worker_when_the_account_may_go_on_and_asks_nothing_before_it_stands_by(
    bench: Bench, account: Account
) -> None:
    account.open(StopFlag())
    woken = threading.Event()
    watcher = StandbyWatcher(account, interval_s=0.02, on_change=woken.set, on_stale=lambda: None)
    watcher.start()
    assert "ReadAccount" not in bench.log

    account.mark(rosreestr_users_pb2.STANDBY_KIND_EXHAUSTED, "no orders left", 1800, sleep=lambda _seconds: None)
    wait_until(lambda: bench.log.count("ReadAccount") >= 2, "the watcher to ask")
    assert not woken.is_set()
    bench.service.account.can_take_new = True

    assert woken.wait(5)
    watcher.stop()
    assert account.lanes() == ("@a1", "urgent", "main")


def test_the_watcher_ends_the_worker_when_another_one_opened_the_account(bench: Bench, account: Account) -> None:
    account.open(StopFlag())
    stale = threading.Event()
    bench.service.script["ReadAccount"] = [refusal("STALE_EPOCH")]
    watcher = StandbyWatcher(account, interval_s=0.02, on_change=lambda: None, on_stale=stale.set)
    watcher.start()

    account.mark(rosreestr_users_pb2.STANDBY_KIND_EXHAUSTED, "no orders left", 1800, sleep=lambda _seconds: None)

    assert stale.wait(5)
    watcher.stop()


def test_a_watcher_stops_before_the_account_ever_stood_by(bench: Bench, account: Account) -> None:
    watcher = StandbyWatcher(account, interval_s=0.02, on_change=lambda: None, on_stale=lambda: None)
    watcher.start()

    watcher.stop()

    assert not watcher.is_running


def test_passwords_are_counted_by_the_service_over_restarts(bench: Bench, account: Account) -> None:
    bench.service.account.passwords_sent = 2
    bench.service.account.password_age.FromSeconds(30)
    account.open(StopFlag())

    sent, age_s = account.passwords_sent()
    account.record_password(was_useful=False, sleep=lambda _seconds: None)

    assert sent == 2
    assert 30 <= age_s < 60
    assert account.passwords_sent()[0] == 3
    account.record_password(was_useful=True, sleep=lambda _seconds: None)
    assert account.passwords_sent()[0] == 0


def test_a_client_that_cant_be_made_leaves_the_old_one_in_use(bench: Bench, tmp_path: Path) -> None:
    bundle = Authority(tmp_path).ca_file
    pem = bundle.read_bytes()
    portal = dataclasses.replace(bench.settings.portal, ca_bundle=bundle)
    account = Account(dataclasses.replace(bench.settings, portal=portal), bench.reporter, SECRETBOX)
    account.open(StopFlag())
    before = account.portal()
    bundle.unlink()
    bench.service.account.sealed_password = SECRETBOX.seal("new", username="a1", purpose=PASSWORD)
    account.refresh(lambda _seconds: None)

    for _ in range(2):
        with pytest.raises(PortalSettingsInvalid):
            account.portal()

    assert not before._transport._http.is_closed
    bundle.write_bytes(pem)
    assert account.portal() is not before
    account.close()


def limit(bench: Bench, account: Account, seconds: int) -> None:
    bench.service.account.standby_kind = rosreestr_users_pb2.STANDBY_KIND_LIMITED
    bench.service.account.can_take_new = False
    bench.service.account.standby_left.FromSeconds(seconds)
    account.refresh(lambda _seconds: None)


def test_an_account_that_is_limited_calls_nothing_until_then_after_a_restart_neither(
    bench: Bench, account: Account
) -> None:
    account.open(StopFlag())
    limit(bench, account, 600)

    assert 590 < account.portal().pacer.remaining_s() <= 600


def test_a_person_who_lets_it_go_on_ends_that(bench: Bench, account: Account) -> None:
    account.open(StopFlag())
    limit(bench, account, 600)
    portal = account.portal()
    bench.service.account.standby_kind = rosreestr_users_pb2.STANDBY_KIND_UNSPECIFIED
    bench.service.account.can_take_new = True
    account.refresh(lambda _seconds: None)

    assert account.portal() is portal
    assert portal.pacer.remaining_s() == 0


def test_the_role_that_an_operator_names_is_the_one_that_is_acted_in(bench: Bench, account: Account) -> None:
    account.open(StopFlag())
    before = account.portal()

    bench.service.account.role = "2000000002"
    account.refresh(lambda _seconds: None)

    assert account.portal() is not before
    assert account.portal()._session._credentials.role == "2000000002"
