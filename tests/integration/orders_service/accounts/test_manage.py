"""Accounts, from the operator's side."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.accounts import manage
from orders_service.accounts.session import Cookie, of_names
from orders_service.accounts.validation import AccountChange
from tests.integration.orders_service.stage import insert_order

if TYPE_CHECKING:
    from orders_service.crypto import Secretbox
    from tests.postgres import Database

PASSWORD = "пароль-of-the-portal"


def stored(database: Database, username: str = "a") -> dict[str, Any]:
    with database.connect() as connection:
        row = connection.execute(
            "select to_jsonb(rosreestr_users) from rosreestr_users where username = %s", (username,)
        ).fetchone()
    assert row is not None
    return dict(row[0])


def add(run: Any, box: Secretbox, **change: Any) -> Any:
    return run(lambda db: manage.create_account(db, box, "a", AccountChange(**change)))


def test_a_password_is_stored_sealed_and_neither_shown_nor_logged(
    run: Any, box: Secretbox, fresh_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        account = add(run, box, password=PASSWORD)

    sealed = stored(fresh_database)["password_encrypted"]
    assert box.open(sealed, username="a", purpose="password") == PASSWORD
    assert account.has_password
    assert PASSWORD not in repr(account) + repr(AccountChange(password=PASSWORD)) + sealed
    assert all(PASSWORD not in str(vars(record)) for record in caplog.records)


def test_a_taken_name_is_refused_and_keeps_its_password(run: Any, box: Secretbox, fresh_database: Database) -> None:
    add(run, box, password=PASSWORD)
    before = stored(fresh_database)

    with pytest.raises(errors.AlreadyExists, match="There is an account a already"):
        add(run, box, password="other")

    assert stored(fresh_database) == before


def test_wrong_fields_are_named_and_no_secret_is_repeated(run: Any, box: Secretbox) -> None:
    with pytest.raises(errors.InvalidInput, match="account: must be"):
        run(lambda db: manage.create_account(db, box, "имя", AccountChange()))
    with pytest.raises(errors.InvalidInput) as refused:
        add(run, box, password=PASSWORD * 100, declarant_category="357", comment="a\0")
    assert [violation.field for violation in refused.value.violations] == ["password", "comment", "declarant_category"]
    assert PASSWORD not in str(refused.value)


def test_a_change_leaves_what_is_not_given(run: Any, box: Secretbox, fresh_database: Database) -> None:
    add(run, box, password=PASSWORD, gu_login="+7900", declarant_category="357039000000", comment="c")
    before = stored(fresh_database)

    account = run(lambda db: manage.update_account(db, box, "a", AccountChange(gu_login="")))

    assert (account.gu_login, account.declarant_category, account.comment) == (None, "357039000000", "c")
    assert stored(fresh_database)["password_encrypted"] == before["password_encrypted"]
    assert stored(fresh_database)["updated_at"] > before["updated_at"], "workers watch it"


def test_a_session_is_sealed_and_an_empty_one_forgets_it(run: Any, box: Secretbox, fresh_database: Database) -> None:
    add(run, box)
    cookies = {"session": "abc", "ESIA": "x=y"}

    account = run(lambda db: manage.update_account(db, box, "a", AccountChange(session=of_names(cookies))))

    sealed = stored(fresh_database)["session_encrypted"]
    assert account.has_session
    assert json.loads(box.open(sealed, username="a", purpose="session")) == cookies
    assert stored(fresh_database)["session_imported_at"] is not None
    account = run(lambda db: manage.update_account(db, box, "a", AccountChange(session=of_names({}))))
    assert not account.has_session
    assert stored(fresh_database)["session_imported_at"] is None


@pytest.mark.parametrize(
    "cookie",
    [
        Cookie(name="a", value="b"),
        Cookie(name="b", value="b", path="relative"),
        Cookie(name="b", value="b", path="/\r\nX: y"),
        Cookie(name="b", value="b c"),
        Cookie(name="b", value="b\\c"),
    ],
)
def test_a_jar_that_the_worker_couldnt_use_is_refused(run: Any, box: Secretbox, cookie: Cookie) -> None:
    add(run, box)
    change = AccountChange(session=(*of_names({"a": "x"}), cookie))

    with pytest.raises(errors.InvalidInput, match=r"session\.cookies\['[ab]'\]"):
        run(lambda db: manage.update_account(db, box, "a", change))


@pytest.mark.parametrize("cookies", [{"a b": "x"}, {"a": "x\r\nSet-Cookie: y"}, {"a": "1; b=2"}])
def test_what_no_cookie_can_be_is_refused(run: Any, box: Secretbox, cookies: dict[str, str]) -> None:
    add(run, box)

    with pytest.raises(errors.InvalidInput, match=r"session\.cookies"):
        run(lambda db: manage.update_account(db, box, "a", AccountChange(session=of_names(cookies))))


@pytest.mark.parametrize(
    ("kind", "change", "is_ended"),
    [
        ("login_refused", AccountChange(password="new"), True),
        ("person_needed", AccountChange(session=of_names({"s": "1"})), True),
        ("exhausted", AccountChange(password="new"), False),
        ("login_refused", AccountChange(comment="new"), False),
        ("login_refused", AccountChange(session=of_names({})), False),
    ],
)
def test_a_new_secret_ends_a_standby_that_waits_for_one(
    run: Any, box: Secretbox, fresh_database: Database, kind: str, change: AccountChange, is_ended: bool
) -> None:
    add(run, box)
    with fresh_database.connect() as connection:
        connection.execute(
            "update rosreestr_users set standby_kind = %s, standby_reason = 'why', standby_since = now()", (kind,)
        )

    account = run(lambda db: manage.update_account(db, box, "a", change))

    assert account.standby_kind == (None if is_ended else kind)
    assert (stored(fresh_database)["standby_since"] is None) == is_ended


def test_activating_ends_any_standby_and_both_switches_may_be_repeated(
    run: Any, box: Secretbox, fresh_database: Database
) -> None:
    add(run, box)
    with fresh_database.connect() as connection:
        connection.execute("update rosreestr_users set standby_kind = 'forbidden', standby_reason = 'why'")

    for _ in range(2):
        assert not run(lambda db: manage.deactivate_account(db, "a")).is_active
    for _ in range(2):
        account = run(lambda db: manage.activate_account(db, "a"))
        assert account.is_active
        assert account.standby_kind is None
    settled = stored(fresh_database)["updated_at"]
    run(lambda db: manage.activate_account(db, "a"))
    assert stored(fresh_database)["updated_at"] == settled, "a repeat that changes nothing wakes no worker"


@pytest.mark.parametrize("name", ["nobody", "a\0", "имя", ""])
def test_an_unknown_account_is_not_found_by_any_call(run: Any, box: Secretbox, name: str) -> None:
    for call in (
        lambda db: manage.get_account(db, name),
        lambda db: manage.update_account(db, box, name, AccountChange(comment="x")),
        lambda db: manage.deactivate_account(db, name),
        lambda db: manage.activate_account(db, name),
    ):
        with pytest.raises(errors.NotFound, match="There is no account"):
            run(call)


def test_open_orders_are_those_that_only_this_account_can_finish(
    run: Any, box: Secretbox, fresh_database: Database
) -> None:
    add(run, box)
    insert_order(fresh_database, 1, state="processing", account="a")
    insert_order(fresh_database, 2, state="processing", account="a", has_intent=True)
    insert_order(fresh_database, 3, state="unconfirmed", account="a")
    insert_order(fresh_database, 4, state="registered", account="a", rosreestr_order_num="80-1")
    insert_order(fresh_database, 5)

    assert run(lambda db: manage.get_account(db, "a")).open_orders == 3
