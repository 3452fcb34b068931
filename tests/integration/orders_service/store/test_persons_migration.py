"""What stood in the journal before orders had columns for it is in the columns afterwards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from orders_service.settings import DatabaseSettings
from orders_service.store import migrating, migrations
from tests.postgres import SQL_DIR

if TYPE_CHECKING:
    from tests.postgres import Database

FILE = "0024_persons.sql"
GUIDS = "gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid()"

#: Where an order stood (state, whether its intent stands, the outcome of its send), then: is it bound, is a send open.
STANDS: dict[str, tuple[str, bool, str | None, bool, bool]] = {
    "put back": ("queued", False, None, False, False),
    "claimed": ("processing", False, None, False, False),
    "meant": ("processing", True, None, True, False),
    "absent by readings": ("processing", True, "absent", True, False),
    "absent by a person": ("processing", False, "absent", False, False),
    "sent": ("unconfirmed", True, "open", True, True),
    "with its number": ("registered", True, "number", True, False),
    "with its extract": ("completed", True, "number", True, False),
    "failed before the gate": ("failed", False, None, False, False),
    "given up": ("failed", False, "open", True, False),
}


def migrate(database: Database, *, before: bool) -> None:
    files = [file for file in migrations.read_folder(SQL_DIR) if not before or file.name < FILE]
    asyncio.run(migrating.migrate(DatabaseSettings.from_env(database.env()), files))


def add(database: Database, name: str, *, account: int = 1, person: str = "11") -> int:
    """An order as it was written before, by this account as this person."""
    state, has_intent, outcome, _, _ = STANDS[name]
    with database.connect() as connection, connection.transaction():

        def one(query: str, **values: Any) -> Any:
            row = connection.execute(query.encode(), values).fetchone()
            assert row is not None
            return row[0]

        order_id = one(
            "insert into orders (cad_num, state, rosreestr_user_id, rosreestr_order_num, error, finished_at, "
            "extract_id) values ('77:01:0001001:' || (select count(*) + 1 from orders), %(state)s::order_state, "
            "%(account)s, %(number)s, %(error)s, case when %(is_over)s then now() end, %(extract)s) returning id",
            state=state,
            error="x" if state == "failed" else None,
            extract=1 if state == "completed" else None,
            account=None if state == "queued" else account,
            number=f"N-{name}" if outcome == "number" else None,
            is_over=state in ("completed", "failed"),
        )
        submission_id = one(
            "insert into submissions (order_id, rosreestr_user_id, super_package_guid, statement_guid, package_guid, "
            "draft_guid, intent_at, person_oid, access_key, balance, portal_cad_num, known_application_ids) "
            f"values (%(order)s, %(account)s, {GUIDS}, case when %(has_intent)s then now() end, %(person)s, 'k', 1, "
            "'c', '{}') returning id",
            order=order_id,
            account=account,
            has_intent=has_intent,
            person=person,
        )
        if outcome is not None:
            settled = None if outcome == "open" else outcome
            one(
                "insert into sends (send_id, order_id, submission_id, fence, fence_token, epoch, absent_after_s, "
                "balance, outcome, settled_at) values (gen_random_uuid(), %(order)s, %(submission)s, 1, 't', 1, 1, 1, "
                "%(settled)s::send_outcome, case when %(settled)s::text is not null then now() end) returning order_id",
                order=order_id,
                submission=submission_id,
                settled=settled,
            )
    return int(order_id)


@pytest.fixture
def old(empty_database: Database) -> Database:
    """A database of the version before, with an account and a file."""
    migrate(empty_database, before=True)
    with empty_database.connect() as connection:
        connection.execute("insert into rosreestr_users (username) values ('a'), ('b')")
        connection.execute("insert into extracts (sha256, size_bytes) values (repeat('0', 64), 1)")
    return empty_database


def test_each_order_is_bound_as_it_was(old: Database) -> None:
    ids = {name: add(old, name) for name in STANDS}

    migrate(old, before=False)

    with old.connect() as connection:
        rows = connection.execute(
            "select id, bound_at is not null, person_oid, open_send_id is not null from orders"
        ).fetchall()
        persons = connection.execute("select distinct person_oid from sends").fetchall()
        accounts = connection.execute("select person_oid from rosreestr_users order by id").fetchall()
    stands = {
        ids[name]: (is_bound, "11" if is_bound else None, is_open)
        for name, (_, _, _, is_bound, is_open) in STANDS.items()
    }
    assert {row[0]: row[1:] for row in rows} == stands
    assert persons == [("11",)]
    assert accounts == [("11",), (None,)]


def test_of_two_accounts_that_were_one_person_the_second_stands_by(old: Database) -> None:
    add(old, "with its number", account=1)
    add(old, "sent", account=2)

    migrate(old, before=False)

    with old.connect() as connection:
        first, second = connection.execute(
            "select person_oid, claimed_person_oid, standby_kind, standby_reason from rosreestr_users order by id"
        ).fetchall()
        persons = connection.execute("select distinct person_oid from orders").fetchall()
    assert first == ("11", None, None, None)
    assert second[:3] == (None, "11", "person_needed")
    assert "account a" in second[3]
    assert persons == [("11",)]
