"""A database of the system before, taken over on one evening: no order lost, none ordered twice, nothing dropped."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.crypto import PASSWORD, Secretbox
from orders_service.orders import download
from orders_service.queueing.schedule import ScheduledOrder
from orders_service.settings import DatabaseSettings
from orders_service.store import migrating, migrations
from orders_service.store.migrating import Patience
from orders_service.store.queries import load
from orders_service.takeover import survey, taking
from tests.integration.orders_service.life.bench import Bench, refused, row
from tests.integration.orders_service.serving import clean_env, run_cli
from tests.postgres import SQL_DIR
from tests.unit.orders_service.test_crypto import OLD_VECTORS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Database

OLD_SCHEMA = Path(__file__).with_name("old_schema.sql")
CREATED, WRITTEN = dt.datetime(2026, 3, 1, 9, 0, 0, 123456, dt.UTC), dt.datetime(2026, 3, 1, 9, 5, 30, 654321, dt.UTC)
REGISTERED, FINISHED = dt.datetime(2026, 3, 1, 9, 5, tzinfo=dt.UTC), dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
QUEUED = "Добавлен в очередь"
NOT_FOUND = "Кадастровый номер не найден на портале"
NO_BALANCE = "Недостаточно доступных заказов на балансе"

#: What the old system left, and what becomes of it: state, status, hold, account.
ROWS: dict[str, tuple[dict[str, Any], tuple[str, str, bool, int | None]]] = {
    # Finished.
    "downloaded": (
        {"status": "Файлы загружены", "number": "N-1", "account": 1, "is_complete": True},
        ("completed", "Выполнен", False, 1),
    ),
    "registered by an early version, which called that complete": (
        {"status": "Зарегистрирован в росреестре", "number": "N-2", "account": 2, "is_complete": True},
        ("completed", "Выполнен", False, 2),
    ),
    "downloaded, and its account was written over": (
        {"status": "Файлы загружены", "number": "N-3", "is_complete": True},
        ("completed", "Выполнен", False, 4),
    ),
    "not found": (
        {"status": NOT_FOUND, "account": 1, "is_complete": True},
        ("failed", f"Ошибка: {NOT_FOUND}", False, None),
    ),
    "an error that somebody closed": (
        {"status": "Ошибка: портал отказал", "is_complete": True},
        ("failed", "Ошибка: портал отказал", False, None),
    ),
    "another order's file, without a number": (
        {"status": "Файлы загружены", "account": 1, "is_complete": True},
        ("failed", "Ошибка: В прежней системе: «Файлы загружены», номера на портале нет", False, None),
    ),
    "deleted": (
        {"status": QUEUED, "deleted_at": FINISHED},
        ("cancelled", "Отменён", False, None),
    ),
    "deleted after it was downloaded": (
        {"status": "Файлы загружены", "number": "N-4", "account": 1, "is_complete": True, "deleted_at": FINISHED},
        ("cancelled", "Отменён", False, 1),
    ),
    # Open, with a number.
    "registered": (
        {"status": "Зарегистрирован в росреестре", "number": "N-5", "account": 1},
        ("registered", "Зарегистрирован в росреестре", False, 1),
    ),
    "registered, and looked at": (
        {"status": "РР processing", "number": "N-6", "account": 2},
        ("registered", "Зарегистрирован в росреестре", False, 2),
    ),
    "registered, and put back as if it were new": (
        {"status": QUEUED, "number": "N-7", "account": 2},
        ("registered", "Зарегистрирован в росреестре", False, 2),
    ),
    "registered, with an account that was deleted": (
        {"status": "Ошибка: нет связи", "number": "N-8", "account": 3},
        ("registered", "Зарегистрирован в росреестре", False, 3),
    ),
    # Open, and perhaps paid.
    "in work": ({"status": "В обработке", "account": 1}, ("unconfirmed", "Проверяется в росреестре", True, 1)),
    "in work, of the same object and account": (
        {"status": "В обработке", "account": 1, "same_object": True},
        ("queued", QUEUED, True, None),
    ),
    "an error, its account written over": ({"status": "Ошибка: timeout of 0ms"}, ("queued", QUEUED, True, None)),
    "an error, its account left": (
        {"status": "Ошибка: timeout of 0ms", "account": 2},
        ("unconfirmed", "Проверяется в росреестре", True, 2),
    ),
    "no balance": ({"status": NO_BALANCE, "account": 1}, ("unconfirmed", "Проверяется в росреестре", True, 1)),
    "put back after three errors": ({"status": QUEUED}, ("queued", QUEUED, True, None)),
    "put back after three errors, its account left": (
        {"status": QUEUED, "account": 2},
        ("unconfirmed", "Проверяется в росреестре", True, 2),
    ),
    "with a number that another order of its account has": (
        {"status": "В обработке", "number": "N-5", "account": 1},
        ("unconfirmed", "Проверяется в росреестре", True, 1),
    ),
    # Open, and never begun.
    "accepted": ({"status": QUEUED, "updated_at": CREATED}, ("queued", QUEUED, False, None)),
    "accepted, its number with blanks": (
        {"status": QUEUED, "updated_at": CREATED, "cad_num": " 77:01: 0001001:999 "},
        ("queued", QUEUED, False, None),
    ),
}
IDS = {name: number for number, name in enumerate(ROWS, start=11)}


@pytest.fixture
def old(empty_database: Database) -> Database:
    """The old system's tables with every kind of order, three accounts, and passwords that it sealed."""
    with empty_database.connect() as connection, connection.transaction():
        connection.execute(OLD_SCHEMA.read_bytes())
        for number, deleted_at in ((1, None), (2, None), (3, FINISHED)):
            connection.execute(
                "insert into rosreestr_users (username, password_encrypted, gu_login, comment, deleted_at) "
                "values (%s, %s, %s, 'Основной', %s)",
                (f"rosreestr_user_{number}", OLD_VECTORS[0][2], f"+7900000000{number}", deleted_at),
            )
        for name, (given, _) in ROWS.items():
            cad_num = (
                "77:01:0001001:1" if given.get("same_object") or name == "in work" else f"77:01:0001001:{IDS[name]}"
            )
            connection.execute(
                "insert into orders (id, user_id, cad_num, rosreestr_order_num, recipient_name, status, is_complete, "
                "comment, rosreestr_registered_at, completed_at, created_at, updated_at, deleted_at, "
                "rosreestr_user_id) "
                "values (%(id)s, 1, %(cad_num)s, %(number)s, 'Получатель', %(status)s, %(is_complete)s, %(comment)s, "
                "%(registered_at)s, %(completed_at)s, %(created_at)s, %(updated_at)s, %(deleted_at)s, %(account)s)",
                {
                    "cad_num": cad_num,
                    "number": None,
                    "is_complete": False,
                    "comment": name,
                    "registered_at": REGISTERED if given.get("number") else None,
                    "completed_at": FINISHED if given.get("is_complete") else None,
                    "created_at": CREATED,
                    "updated_at": WRITTEN,
                    "deleted_at": None,
                    "account": None,
                    **given,
                    "id": IDS[name],
                },
            )
        # It had given more, and deleted them.
        connection.execute("select setval('orders_id_seq', 500), setval('rosreestr_users_id_seq', 3)")
    return empty_database


def dump(database: Database, schema: str) -> dict[str, list[Any]]:
    """Every row of the old tables, as text."""
    with database.connect() as connection:
        return {
            table: connection.execute(f"select t::text from {schema}.{table} t order by id".encode()).fetchall()
            for table in ("orders", "rosreestr_users")
        }


def take_over(database: Database) -> None:
    """What `migrate` does."""
    settings = DatabaseSettings.from_env(database.env())
    files = migrations.read_folder(SQL_DIR)

    async def run() -> None:
        assert await taking.take_over(settings, files, Patience()) is not None
        await migrating.migrate(settings, files)
        await taking.settle_persons(settings)

    asyncio.run(run())


@pytest.fixture
def bench(old: Database) -> Iterator[Bench]:
    """The use cases on the taken-over database, both accounts with a category, and opened."""
    take_over(old)
    with Bench(old) as made:
        made.execute("update rosreestr_users set declarant_category = '357013000000' where id in (1, 2)")
        for number in (1, 2):
            made.open(f"rosreestr_user_{number}")
        yield made


def test_each_order_becomes_what_it_is(bench: Bench) -> None:
    for name, (given, (state, status, is_held, account)) in ROWS.items():
        order = bench.order(IDS[name])

        found = (order["state"], order["status"], order["hold_reason"] is not None, order["rosreestr_user_id"])
        assert found == (state, status, is_held, account), name
        keeps_number = given.get("number") and not name.startswith("with a number that")
        assert order["rosreestr_order_num"] == (given["number"] if keeps_number else None), name
        assert (order["created_at"], order["comment"], order["recipient"]) == (CREATED, name, "Получатель"), name
        if not is_held:
            assert order["updated_at"] == given.get("updated_at", WRITTEN), name
        if state in ("completed", "registered"):
            assert order["registered_at"] == REGISTERED, name
        if state in ("completed", "failed", "cancelled"):
            assert order["finished_at"] == FINISHED, name
            assert order["relayed_at"] is not None, f"{name}: it is over, and not for the queue"
        assert bench.events(order["id"], "transition")[0]["to_state"] == state, name
    assert bench.order(IDS["accepted, its number with blanks"])["cad_num"] == "77:01:0001001:999"
    assert bench.order(IDS["registered, and looked at"])["portal_status"] == "processing"


def test_only_what_is_open_and_sure_goes_on_the_queue_each_in_its_lane(bench: Bench) -> None:
    rows = bench.all(load("schedule")["take_unrelayed"], after_id=0, limit=100)
    lanes = {order.id: order.job.lane for order in map(ScheduledOrder.from_row, rows)}

    expected = {}
    for name, (_, (state, _, is_held, account)) in ROWS.items():
        if state in ("queued", "registered") and not is_held:
            expected[IDS[name]] = f"@rosreestr_user_{account}" if account else "main"
    assert lanes == expected


def test_nothing_of_the_old_tables_is_changed_or_dropped(old: Database) -> None:
    before = dump(old, "public")
    with old.connect() as connection:
        others = connection.execute("select count(*) from users, migrations").fetchone()

    take_over(old)

    assert dump(old, "old_system") == before
    with old.connect() as connection:
        assert connection.execute("select count(*) from users, migrations").fetchone() == others


def test_new_ids_come_after_all_that_the_old_system_gave(bench: Bench) -> None:
    assert bench.add_order() == 501
    assert bench.add_account("one_more") > 4


def test_sealed_passwords_open_and_an_account_orders_nothing_before_its_category(old: Database) -> None:
    take_over(old)

    secret, password, _ = OLD_VECTORS[0]
    with old.connect() as connection:
        rows = connection.execute(
            "select username, password_encrypted, gu_login from rosreestr_users where id < 4"
        ).fetchall()
    assert len(rows) == 3
    for username, sealed, gu_login in rows:
        assert Secretbox(secret).open(sealed, username=username, purpose=PASSWORD) == password
        assert gu_login.startswith("+7900000000")
    with old.connect() as connection:
        accounts = connection.execute(
            "select is_active, declarant_category from rosreestr_users order by id"
        ).fetchall()
    assert accounts == [(True, None), (True, None), (False, None), (False, None)]


def test_a_registered_one_is_collected_by_the_account_that_has_it_and_no_other(bench: Bench) -> None:
    order_id = IDS["registered"]

    with refused("BOUND_TO_OTHER_ACCOUNT", account="rosreestr_user_1"):
        bench.claim(order_id, "rosreestr_user_2")
    holder = bench.claim(order_id, "rosreestr_user_1")
    bench.check(holder, row=row(7001, "N-5", bench.order(order_id)["cad_num"]))

    assert bench.order(order_id)["rosreestr_application_id"] == 7001
    assert bench.state(order_id) == "registered"


def test_what_may_be_paid_is_never_ordered_again_by_itself(bench: Bench) -> None:
    for name, (_, (_, _, is_held, _)) in ROWS.items():
        if is_held:
            for username in ("rosreestr_user_1", "rosreestr_user_2"):
                with refused("ORDER_ON_HOLD"):
                    bench.claim(IDS[name], username)


def test_each_hold_is_left_by_the_ways_that_it_names(bench: Bench) -> None:
    for name in [name for name, (_, found) in ROWS.items() if found[2]]:
        order_id, is_sent = IDS[name], ROWS[name][1][0] == "unconfirmed"
        case = bench.case(order_id)
        assert case.hold_reason is not None
        verbs = [" ".join(way.split()[2:3]) for way in case.ways]
        for verb in ("settle", "resume", "give-up") if is_sent else ("resume", "give-up"):
            assert verb in verbs, name
            assert verb in case.hold_reason, name

        bench.give_up(order_id)

        assert bench.state(order_id) == "failed"
        assert ("мог быть оплачен" in bench.order(order_id)["status"]) is is_sent, name


def test_a_person_who_finds_the_number_registers_it(bench: Bench) -> None:
    order_id = IDS["in work"]

    bench.by_number(order_id, "N-77", is_unseen=True)

    order = bench.order(order_id)
    assert (order["state"], order["rosreestr_user_id"], order["hold_reason"]) == ("registered", 1, None)
    assert bench.claim(order_id, "rosreestr_user_1")


def test_a_person_who_finds_nothing_lets_any_account_order_it(bench: Bench) -> None:
    order_id = IDS["in work"]

    bench.as_absent(order_id)

    holder = bench.claim(order_id, "rosreestr_user_2")
    bench.intend(holder)
    bench.upload(holder)
    bench.gate(holder)
    assert bench.state(order_id) == "unconfirmed"


def test_one_without_an_account_is_ordered_when_a_person_says_so(bench: Bench) -> None:
    order_id = IDS["put back after three errors"]

    bench.resume(order_id)

    bench.intend(bench.claim(order_id, "rosreestr_user_2"))
    assert bench.state(order_id) == "processing"


def test_an_account_learns_who_it_is_at_the_portal_by_its_first_own_order(bench: Bench) -> None:
    holder = bench.claim(IDS["accepted"], "rosreestr_user_1")

    bench.intend(holder)
    bench.upload(holder)
    bench.gate(holder)

    assert bench.state(IDS["accepted"]) == "unconfirmed", "whoever it was in the old system isn't in its way"


def test_what_the_old_system_downloaded_says_where_it_is(bench: Bench) -> None:
    async def fetch() -> tuple[str, str, bytes]:
        paper, stored = await download.find_paper(bench.db, IDS["downloaded"])
        pieces = [piece async for piece in download.read_pieces(bench.db, IDS["downloaded"], stored)]
        return paper.kind, paper.file_name, b"".join(pieces)

    kind, file_name, content = bench.run(fetch())

    assert (kind, file_name) == ("notice", "Response-N-1.txt")
    assert "в папке загрузок" in content.decode()


def cli(database: Database, folder: Path, *args: str) -> tuple[int, str, str]:
    result = run_cli("migrate", *args, env=clean_env(database.env()), folder=folder)
    return result.returncode, result.stdout, result.stderr


def test_migrate_says_first_what_becomes_of_the_orders_and_does_it_then(old: Database, tmp_path: Path) -> None:
    before = dump(old, "public")

    code, told, _ = cli(old, tmp_path, "--dry-run")
    assert code == 0
    assert dump(old, "public") == before, "nothing was changed"
    for line in (
        "3 accounts are taken over, 2 of them active",
        "3 orders: finished, with a number: completed",
        "4 orders: open, with a number: registered",
        "2 orders: open and never begun: queued",
        "5 orders: open, and a paid call may have been made: held",
        "nothing is dropped",
    ):
        assert line in told
    code, done, _ = cli(old, tmp_path)
    assert code == 0
    assert done.startswith(told[: told.index("would apply")] + "Taken over.\n")
    code, again, _ = cli(old, tmp_path, "--json")
    assert (code, json.loads(again)["taken_over"], json.loads(again)["applied_now"]) == (0, None, [])


def test_with_json_the_question_isnt_part_of_the_answer(old: Database, tmp_path: Path) -> None:
    terminal, stdin = os.openpty()
    os.write(terminal, b"y\n")
    try:
        result = subprocess.run(
            [sys.executable, "-m", "orders_service.cli", "migrate", "--json"],
            env=clean_env(old.env()),
            cwd=tmp_path,
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(stdin)
        os.close(terminal)

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["taken_over"]["accounts"] == 3
    asked = result.stderr.partition("Take it over?")
    assert "accounts" in asked[0], "what is asked about was said before"
    assert asked[1]


def test_all_of_it_is_done_or_nothing(old: Database, tmp_path: Path) -> None:
    before = dump(old, "public")
    with old.connect() as connection:
        connection.execute("create schema old_system")

    code, _, sentence = cli(old, tmp_path)

    assert (code, 'schema "old_system" already exists' in sentence, len(sentence.splitlines())) == (1, True, 1)
    assert dump(old, "public") == before


#: What has to be mended before, and how it is told.
SPOILED = {
    "update rosreestr_users set username = 'имя' where id = 2": "Account 2 is named 'имя': a name has Latin letters",
    "update orders set rosreestr_user_id = null where id = {registered}": "Open orders {registered} have a number and",
    "update orders set rosreestr_user_id = 99 where id = {registered}": "Open orders {registered} have a number and no",
    "update orders set cad_num = 'участок у реки' where id = {accepted}": "Open order {accepted}: ",
    "update orders set cad_num = '77:01:0001001:0148' where id = {accepted}": "Did you mean 77:01:0001001:148?",
}


def test_what_has_to_be_mended_before_is_named_and_nothing_is_done(old: Database, tmp_path: Path) -> None:
    ids = {"registered": IDS["registered"], "accepted": IDS["accepted"]}
    settings, files = DatabaseSettings.from_env(old.env()), migrations.read_folder(SQL_DIR)
    for spoil, sentence in SPOILED.items():
        with old.connect() as connection:
            connection.execute(spoil.format(**ids).encode())
        before = dump(old, "public")

        found = asyncio.run(survey.find(settings))
        with pytest.raises(errors.MigrationFailed) as caught:
            asyncio.run(taking.take_over(settings, files, Patience()))

        assert found is not None
        assert sentence.format(**ids) in " ".join(found.problems)
        assert sentence.format(**ids) in str(caught.value)
        assert dump(old, "public") == before

    code, _, told = cli(old, tmp_path)
    assert (code, "can't be taken over yet, nothing was changed" in told) == (1, True), told


def test_a_finished_order_whose_object_cant_be_read_stays_where_it_is_and_stops_nothing(old: Database) -> None:
    with old.connect() as connection:
        connection.execute("update orders set cad_num = 'участок' where id = %s", (IDS["downloaded"],))
    settings = DatabaseSettings.from_env(old.env())

    found = asyncio.run(survey.find(settings))
    take_over(old)

    assert found is not None
    assert (found.fates["left"], found.problems) == (1, ())
    with old.connect() as connection:
        assert connection.execute("select count(*) from orders where id = %s", (IDS["downloaded"],)).fetchone() == (0,)


def test_the_only_account_there_ever_was_is_the_one(old: Database) -> None:
    with old.connect() as connection:
        connection.execute("delete from rosreestr_users where id > 1")
        connection.execute("update orders set rosreestr_user_id = null")

    take_over(old)

    with Bench(old) as bench:
        assert bench.order(IDS["registered"])["rosreestr_user_id"] == 1
        assert bench.state(IDS["put back after three errors"]) == "unconfirmed"


def test_a_database_of_which_only_one_table_was_ever_made_is_taken_over_too(empty_database: Database) -> None:
    text = OLD_SCHEMA.read_text()
    with empty_database.connect() as connection:
        connection.execute(
            text[text.index("create table orders") : text.index("create table rosreestr_users")].encode()
        )
        connection.execute("insert into orders (user_id, cad_num, recipient_name) values (1, '77:01:0001001:1', 'x')")

    take_over(empty_database)

    with Bench(empty_database) as bench:
        assert bench.state(1) == "queued"


def test_a_database_of_ours_or_an_empty_one_is_none_of_the_old_system(
    fresh_database: Database, empty_database: Database
) -> None:
    for database in (fresh_database, empty_database):
        assert asyncio.run(survey.find(DatabaseSettings.from_env(database.env()))) is None
