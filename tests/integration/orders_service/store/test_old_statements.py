"""The statements that operators know from the system before this one, as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orders_service.accounts import manage
from orders_service.crypto import PASSWORD, Secretbox
from tests.unit.orders_service.test_crypto import OLD_VECTORS

if TYPE_CHECKING:
    from tests.postgres import Database

INSERT = (
    "INSERT INTO rosreestr_users (username, password_encrypted, is_active, comment) "
    "VALUES ('rosreestr_user_1', '{}', true, 'Основной аккаунт')"
)
SELECT_USER = "SELECT * FROM rosreestr_users WHERE id = 1"
ACTIVATE = "UPDATE rosreestr_users SET is_active = true WHERE id = 1"
SELECT_FAILED = (
    "SELECT o.id, o.cad_num, o.status, o.comment, o.rosreestr_user_id FROM orders o "
    "WHERE o.status LIKE 'Ошибка:%' ORDER BY o.updated_at DESC"
)


def test_the_old_insert_adds_an_account_whose_old_password_can_be_read(run: Any, fresh_database: Database) -> None:
    secret, password, sealed = OLD_VECTORS[0]

    with fresh_database.connect() as connection:
        connection.execute(INSERT.format(sealed).encode())
        cursor = connection.execute(SELECT_USER.encode())
        row = cursor.fetchone()
        assert row is not None
        assert cursor.description is not None
        found = dict(zip((column.name for column in cursor.description), row, strict=True))

    assert (found["id"], found["username"], found["is_active"]) == (1, "rosreestr_user_1", True)
    opened = Secretbox(secret).open(found["password_encrypted"], username=found["username"], purpose=PASSWORD)
    assert opened == password
    account = run(lambda db: manage.get_account(db, "rosreestr_user_1"))
    assert account.has_password
    assert account.declarant_category is None, "it orders nothing until somebody states one"


def test_the_old_update_activates(run: Any, fresh_database: Database) -> None:
    with fresh_database.connect() as connection:
        connection.execute(INSERT.format("x").encode())
    run(lambda db: manage.deactivate_account(db, "rosreestr_user_1"))

    with fresh_database.connect() as connection:
        assert connection.execute(ACTIVATE.encode()).rowcount == 1

    assert run(lambda db: manage.get_account(db, "rosreestr_user_1")).is_active


def test_the_old_select_shows_what_failed_and_why_newest_first(fresh_database: Database) -> None:
    with fresh_database.connect() as connection:
        for number, error in enumerate(("объект не найден", "отказ"), start=1):
            connection.execute(
                "insert into orders (cad_num, state, error, finished_at, updated_at, comment) "
                "values (%s, 'failed', %s, now(), now() + %s * interval '1 s', 'c')",
                (f"77:01:0001001:{number}", error, number),
            )
        connection.execute("insert into orders (cad_num) values ('77:01:0001001:3')")

        rows = connection.execute(SELECT_FAILED.encode()).fetchall()

    assert rows == [
        (2, "77:01:0001001:2", "Ошибка: отказ", "c", None),
        (1, "77:01:0001001:1", "Ошибка: объект не найден", "c", None),
    ]


STANDBYS = ("exhausted", "login_refused", "person_needed", "unusable", "forbidden", "limited")
#: What is set by SQL, and which standbys that ends: the same as the command does.
SET_BY_SQL = {
    "password_encrypted = 'new'": ("login_refused", "person_needed"),
    "session_encrypted = 'new'": ("login_refused", "person_needed"),
    "totp_encrypted = 'new'": ("login_refused", "person_needed"),
    "portal_role = 'new'": ("login_refused", "person_needed"),
    "password_encrypted = password_encrypted": (),
    "password_encrypted = null": (),
    "is_active = true": STANDBYS,
    "is_active = true, password_encrypted = 'new'": STANDBYS,
    "is_active = false": (),
    "comment = 'new'": (),
}


@pytest.mark.parametrize("was_active", [True, False])
def test_what_operators_set_by_sql_ends_a_standby_as_the_command_does(
    fresh_database: Database, was_active: bool
) -> None:
    with fresh_database.connect() as connection:
        for assignment, ended in SET_BY_SQL.items():
            for kind in STANDBYS:
                connection.execute("delete from rosreestr_users")
                connection.execute(
                    "insert into rosreestr_users (username, password_encrypted, is_active, standby_kind, "
                    "standby_reason, standby_since, standby_until, updated_at) "
                    "values ('a', 'old', %s, %s, 'why', now(), now(), '2100-01-01')",
                    (was_active, kind),
                )
                connection.execute(f"update rosreestr_users set {assignment}".encode())
                row = connection.execute(
                    "select standby_kind, standby_reason, standby_since is null, standby_until is null, "
                    "updated_at > '2100-01-01' from rosreestr_users"
                ).fetchone()

                is_news = "comment" not in assignment and assignment not in (
                    "password_encrypted = password_encrypted",
                    "password_encrypted = null",
                )
                left = (None, None, True, True) if kind in ended else (kind, "why", False, False)
                # Its time grows although it stood in the future, where a clock was set back: workers watch it.
                assert row is not None
                assert row[:4] == left, (assignment, kind)
                assert not is_news or row[4], (assignment, kind)


def test_the_habit_of_old_brings_an_account_back_whose_password_was_refused(run: Any, fresh_database: Database) -> None:
    with fresh_database.connect() as connection:
        connection.execute(INSERT.format("x").encode())
        connection.execute(
            "update rosreestr_users set standby_kind = 'login_refused', standby_reason = 'why', standby_since = now()"
        )
        before = run(lambda db: manage.get_account(db, "rosreestr_user_1"))
        connection.execute(ACTIVATE.encode())

    after = run(lambda db: manage.get_account(db, "rosreestr_user_1"))

    assert (before.standby_kind, after.standby_kind) == ("login_refused", None)
    assert after.updated_at > before.updated_at, "its worker, which stands by, learns of it"
