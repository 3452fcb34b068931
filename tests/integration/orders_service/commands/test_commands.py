"""The command line, as an operator uses it."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING, Any

import pytest

from orders_service.crypto import Secretbox
from tests.integration.orders_service.orders.test_download import store_extract
from tests.integration.orders_service.serving import SECRET, Service
from tests.integration.orders_service.stage import insert_order
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Database, PostgresServer
    from tests.servers import RedisServer

NUMBER = "77:01:0001001:1001"


@pytest.fixture(scope="module")
def shared(
    postgres_server: PostgresServer,
    template_database: Database,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Service, Database]]:
    """One service for all tests of this file: each uses accounts and orders of its own."""
    database = postgres_server.create_database("rosq_test_commands", template_database.name)
    folder = tmp_path_factory.mktemp("commands")
    service = Service({**database.env(), **redis_server.env(), "ROSQ_QUEUE": "test-commands"}, folder)
    try:
        service.wait_ready()
        yield service, database
    finally:
        service.close()
        postgres_server.drop_database(database.name)


@pytest.fixture
def service(shared: tuple[Service, Database], tmp_path: Path) -> Service:
    shared[0].folder = tmp_path
    return shared[0]


@pytest.fixture
def database(shared: tuple[Service, Database]) -> Database:
    return shared[1]


def answer(service: Service, *args: str, text: str | None = None) -> Any:
    """What a command prints with --json."""
    result = service.cli(*args, "--json", text=text)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def said(service: Service, *args: str, code: int = 1, text: str | None = None) -> str:
    """The sentence with which a command fails."""
    result = service.cli(*args, text=text)
    assert result.returncode == code, (result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    return result.stderr


def test_an_account_lives_through_its_commands(service: Service, database: Database) -> None:
    added = answer(service, "accounts", "add", "life", "--comment", "Первый", text="the-word\n")
    assert (added["account"], added["has_password"], added["is_active"]) == ("life", True, True)
    listed = service.cli("accounts", "list")
    assert "orders nothing: set its --declarant-category" in listed.stdout

    changed = answer(service, "accounts", "set", "life", "--declarant-category", "357039000000")
    assert (changed["declarant_category"], changed["comment"]) == ("357039000000", "Первый")
    assert answer(service, "accounts", "deactivate", "life")["is_active"] is False
    assert answer(service, "accounts", "activate", "life")["is_active"] is True
    (service.folder / "cookies.json").write_text('{"session": "abc"}')
    assert answer(service, "accounts", "import-session", "life", "--file", "cookies.json")["has_session"] is True
    assert answer(service, "accounts", "show", "life")["has_session"] is True
    assert [one["account"] for one in answer(service, "accounts", "list")["accounts"]] == ["life"]

    with database.connect() as connection:
        row = connection.execute("select password_encrypted from rosreestr_users where username = 'life'").fetchone()
    assert row is not None
    assert Secretbox(SECRET).open(row[0], username="life", purpose="password") == "the-word"
    assert "the-word" not in service.process.log


def test_what_is_wrong_with_an_account_is_one_sentence(service: Service) -> None:
    assert "There is no account nobody." in said(service, "accounts", "show", "nobody")
    assert "account: must be 1 to 64" in said(service, "accounts", "add", "имя", "--no-password")
    assert "No password came on standard input" in said(service, "accounts", "add", "silent", code=2)
    assert "Say what to change" in said(service, "accounts", "set", "nobody", code=2)
    for text, words in (("[]", "there are no cookies in it"), ("{", "breaks off"), ('{"a": 1}', "not cookies")):
        (service.folder / "cookies.json").write_text(text)
        assert words in said(service, "accounts", "import-session", "nobody", "--file", "cookies.json")


def test_a_session_in_a_browsers_form_is_stored_and_none_of_its_values_said(
    service: Service, database: Database
) -> None:
    answer(service, "accounts", "add", "browser", "--no-password")
    lines = [
        "# Netscape HTTP Cookie File",
        "lk.rosreestr.ru\tFALSE\t/\tTRUE\t0\tAUTH_TOKEN\tcanary-a",
        "lk.rosreestr.ru\tFALSE\t/account-back\tTRUE\t0\tAUTH_TOKEN\tcanary-b",
        "lk.rosreestr.ru\tFALSE\t/\tTRUE\t1000000000\tOLD\tcanary-c",
        ".yandex.ru\tTRUE\t/\tTRUE\t0\tyandexuid\tcanary-d",
    ]
    command = ("accounts", "import-session", "browser", "--file", "-")

    told = service.cli(*command, text="\n".join(lines))
    russian = service.cli("--lang", "ru", *command, text="\n".join(lines[:1] + lines[4:]))

    assert told.returncode == 0, told.stderr
    assert "cookies: 2" in told.stdout
    assert "since they have expired: OLD" in told.stderr
    assert (russian.returncode, "только чужие (1)" in russian.stderr) == (1, True)
    with database.connect() as connection:
        row = connection.execute("select session_encrypted from rosreestr_users where username = 'browser'").fetchone()
    assert row is not None
    stored = json.loads(Secretbox(SECRET).open(row[0], username="browser", purpose="session"))
    assert [(one["value"], one["path"]) for one in stored] == [("canary-a", "/"), ("canary-b", "/account-back")]
    for text in (told.stdout, told.stderr, russian.stdout, russian.stderr, service.process.log):
        assert "canary" not in text


def test_orders_are_submitted_shown_and_listed(service: Service) -> None:
    submitted = answer(
        service, "orders", "submit", "--cad-num", NUMBER, "--recipient", "Bank [red]", "--idempotency-key", "k1"
    )
    order = submitted["orders"][0]
    assert (order["cad_num"], order["state"], order["is_existing"]) == (NUMBER, "queued", False)
    again = answer(
        service, "orders", "submit", "--cad-num", NUMBER, "--recipient", "Bank [red]", "--idempotency-key", "k1"
    )
    assert again["orders"] == [order | {"is_existing": True}]

    shown = answer(service, "orders", "show", str(order["order_id"]))
    assert shown["order"]["recipient"] == "Bank [red]"
    assert shown["events"][0] | {"at": "", "event_id": 0} == {
        "event_id": 0,
        "at": "",
        "actor": "client",
        "kind": "transition",
        "from_state": None,
        "to_state": "queued",
        "reason": "",
    }
    table = service.cli("orders", "list", "--cad-num", NUMBER)
    assert "Bank [red]" in table.stdout, "what a client wrote is no markup"
    page = answer(service, "orders", "list", "--limit", "1")
    assert len(page["orders"]) == 1


def test_a_file_of_orders_is_accepted_whole_or_refused_line_by_line(service: Service) -> None:
    csv = service.folder / "orders.csv"
    csv.write_text(
        "\ufeffcad_num;recipient;is_urgent;idempotency_key\n77:01:0001001:1;Банк;да;f1\n\n77:01:0001001:2;;;f2\n"
    )
    submitted = answer(service, "orders", "submit", "--file", "orders.csv")["orders"]
    orders = [answer(service, "orders", "show", str(one["order_id"]))["order"] for one in submitted]
    assert [(one["cad_num"], one["recipient"], one["is_urgent"], one["idempotency_key"]) for one in orders] == [
        ("77:01:0001001:1", "Банк", True, "f1"),
        ("77:01:0001001:2", "", False, "f2"),
    ]

    csv.write_text("77:01:0001001:3\n77.01.0001001.4\n77:01:0001001:5\nx\n")
    sentence = said(service, "orders", "submit", "--file", "orders.csv")
    assert "Nothing was ordered." in sentence
    assert "orders.csv, line 2, «кадастровый номер»: '77.01.0001001.4'" in sentence
    assert "Did you mean 77:01:0001001:4?" in sentence
    assert "orders.csv, line 4, «кадастровый номер»: 'x'" in sentence
    assert answer(service, "orders", "list", "--cad-num", "77:01:0001001:3")["orders"] == []

    csv.write_text("cad_num\n\n12\n")
    sentence = said(service, "orders", "submit", "--file", "orders.csv")
    assert "orders.csv, line 3, «cad_num»: '12' has 1 group: a cadastral number has four" in sentence


def test_every_bad_row_of_a_file_is_told_with_its_line_however_many(service: Service) -> None:
    csv = service.folder / "many.csv"
    csv.write_text("".join(f"77.01.0001001.{n}\n" for n in range(1, 10_001)))

    sentence = said(service, "orders", "submit", "--file", "many.csv", "--errors", "errors.csv")

    told = sentence.splitlines()
    assert told[0].startswith("many.csv, line 1, ")
    assert told[-2].endswith(" more: all of them are in errors.csv.")
    assert told[-1] == "Error: many.csv: 10,000 rows are bad. Nothing was ordered."
    rows = (service.folder / "errors.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) == 10_001
    assert rows[10_000].startswith("many.csv, line 10000;")
    assert rows[10_000].endswith(";77:01:0001001:10000")


def test_a_key_that_stands_twice_is_told_by_the_lines_and_one_that_is_taken_by_its_order(service: Service) -> None:
    taken = answer(service, "orders", "submit", "--cad-num", "77:01:0001001:61", "--idempotency-key", "taken")["orders"]
    csv = service.folder / "keys.csv"
    csv.write_text("cad_num,idempotency_key\n77:01:0001001:62,a\n77:01:0001001:63,a\n77:01:0001001:64,b\n")
    assert "keys.csv, line 3: idempotency_key: is the key of keys.csv, line 2 too, with other content" in said(
        service, "orders", "submit", "--file", "keys.csv"
    )

    csv.write_text("cad_num,idempotency_key\n77:01:0001001:62,a\n77:01:0001001:63,taken\n")
    sentence = said(service, "orders", "submit", "--file", "keys.csv")

    assert f"keys.csv, line 3: idempotency_key: 'taken' is the key of order {taken[0]['order_id']}" in sentence
    assert "line 2" not in sentence


def test_a_typed_number_is_told_once(service: Service) -> None:
    assert said(service, "orders", "submit", "--cad-num", "123").startswith("Error: --cad-num 123: '123' has 1 group")


def test_a_list_without_orders_says_what_there_are_none_of(service: Service) -> None:
    assert "No order waits for a person." in service.cli("orders", "list", "--on-hold", "--state", "cancelled").stdout
    assert "There are no such orders." in service.cli("orders", "list", "--state", "cancelled").stdout


def test_an_extract_is_downloaded_whole_under_its_own_name_and_replaces_nothing(
    service: Service, database: Database
) -> None:
    order_id = insert_order(database, 11)
    data = b"PK" + bytes(range(256)) * 9000
    store_extract(database, order_id, data)

    got = answer(service, "orders", "download", str(order_id))

    file = service.folder / got["file"]
    assert (file.name, file.read_bytes()) == ("Выписка.zip", data)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert "is there already" in said(service, "orders", "download", str(order_id))
    assert service.cli("orders", "download", str(order_id), "--force").returncode == 0
    assert service.cli("orders", "download", str(order_id), "--to", "other.zip").returncode == 0
    assert sorted(path.name for path in service.folder.iterdir()) == ["other.zip", "Выписка.zip"], "no left-overs"
    assert "can't be written" in said(service, "orders", "download", str(order_id), "--to", "no/such/folder.zip")


def test_a_name_from_outside_leads_nowhere_else(service: Service, database: Database) -> None:
    order_id = insert_order(database, 12)
    store_extract(database, order_id, b"zip of 12")
    with database.connect() as connection:
        connection.execute(
            "update order_extracts set file_name = '../../..\\..\\.bashrc' where order_id = %s", (order_id,)
        )

    got = answer(service, "orders", "download", str(order_id))

    assert got["file"] == "bashrc"


def test_a_damaged_extract_leaves_no_file(service: Service, database: Database) -> None:
    order_id = insert_order(database, 13)
    store_extract(database, order_id, b"zip of 13, which will be damaged")
    with database.connect() as connection:
        connection.execute(
            "update extract_chunks set data = 'x' where extract_id = (select extract_id from orders where id = %s)",
            (order_id,),
        )

    assert "isn't stored whole" in said(service, "orders", "download", str(order_id))
    assert list(service.folder.iterdir()) == []


def test_waiting_ends_with_the_orders_and_tells_how_by_its_exit_code(service: Service, database: Database) -> None:
    order = answer(service, "orders", "submit", "--cad-num", "77:01:0001001:21", "--idempotency-key", "w1")["orders"][0]
    order_id = order["order_id"]
    again = ("orders", "submit", "--cad-num", "77:01:0001001:21", "--idempotency-key", "w1", "--wait")

    late = service.cli(*again, "--timeout", "0")
    assert (late.returncode, f"Order {order_id} is accepted and goes on without this command" in late.stderr) == (
        5,
        True,
    )
    store_extract(database, order_id, b"zip of 21")
    done = service.cli(*again)
    assert done.returncode == 0, done.stderr
    assert "Выполнен" in done.stdout


def test_waiting_does_not_wait_for_what_only_a_person_can_do(service: Service, database: Database) -> None:
    order = ("orders", "submit", "--cad-num", "77:01:0001001:22", "--idempotency-key", "w2")
    order_id = answer(service, *order)["orders"][0]["order_id"]
    with database.connect() as connection:
        connection.execute("update orders set hold_reason = 'several rows', hold_at = now() where id = %s", (order_id,))

    result = service.cli(*order, "--wait")

    assert result.returncode == 1
    assert "waits for a person: several rows" in result.stdout
    assert "waits for a person: several rows" in service.cli("orders", "list", "--on-hold").stdout


def test_a_person_settles_what_the_system_cannot(service: Service, database: Database) -> None:
    order_id = insert_order(database, 31, state="unconfirmed", account="settler", fence=7, has_intent=True)
    with database.connect() as connection:
        connection.execute("update sends set gate_at = gate_at - interval '1 hour'")
    shown = answer(service, "orders", "show", str(order_id))
    send_id, case_no = shown["case"]["send_id"], str(shown["case"]["case_no"])
    for way in shown["case"]["ways"]:
        assert way in service.cli("orders", "show", str(order_id)).stdout, "and to be copied"
    settle = ("orders", "settle", str(order_id), "--send", send_id, "--case", case_no, "--actor", "ivan")

    assert "Give either --number or --absent" in said(service, *settle, code=2)
    assert "--unseen" in said(service, *settle, "--number", "80-777")
    order = answer(service, *settle, "--number", "80-777", "--unseen", "--reason", "seen in the list")

    assert (order["state"], order["order_number"]) == ("registered", "80-777")
    assert answer(service, *settle, "--number", "80-777")["state"] == "registered", "a repeat"
    assert "80-777" in said(service, *settle, "--number", "80-778")
    events = answer(service, "orders", "show", str(order_id))["events"]
    assert {"operator:ivan"} == {event["actor"] for event in events if event["to_state"] == "registered"}


def test_a_service_that_is_not_there_is_named_with_what_to_start(service: Service) -> None:
    port = free_port()
    result = service.cli("orders", "list", ORDERS_SERVICE_PORT=str(port))

    assert result.returncode == 3
    assert result.stderr == (
        f"Error: The orders service at 127.0.0.1:{port} can't be reached: start it with `orders-service serve`, "
        "or set ORDERS_SERVICE_HOST and ORDERS_SERVICE_PORT. (Perhaps it speaks TLS: then change ORDERS_SERVICE_TLS.)\n"
    )


def test_wrong_usage_is_told_by_exit_code_2(service: Service) -> None:
    assert "No such option" in said(service, "orders", "list", "--nonsense", code=2)
    assert "No such command" in said(service, "nonsense", code=2)
    assert "Give either --cad-num" in said(service, "orders", "submit", code=2)
    assert "--idempotency-key names one order" in said(
        service, "orders", "submit", "--cad-num", NUMBER, "--cad-num", NUMBER, "--idempotency-key", "k", code=2
    )
    for command in ("show", "download"):
        assert "is not in the range" in said(service, "orders", command, str(2**63), code=2)
    assert "ORDERS_SERVICE_PORT" in service.cli("orders", "list", ORDERS_SERVICE_PORT="x").stderr


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serve"],
        ["migrate"],
        ["accounts"],
        ["orders"],
        *(["accounts", one] for one in ("add", "list", "show", "set", "import-session", "deactivate", "activate")),
        *(
            ["orders", one]
            for one in ("submit", "list", "show", "download", "settle", "resume", "give-up", "cancel", "retry")
        ),
    ],
    ids=" ".join,
)
def test_every_command_teaches_itself(service: Service, command: list[str]) -> None:
    result = service.cli(*command, "--help")

    assert result.returncode == 0
    assert re.search(r"Exit\s+codes: 0 ", result.stdout)


def test_a_proxy_to_the_world_outside_is_never_asked_for_the_service(service: Service) -> None:
    nowhere = "http://127.0.0.1:9"

    result = service.cli("orders", "list", http_proxy=nowhere, https_proxy=nowhere, grpc_proxy=nowhere, no_proxy="")

    assert result.returncode == 0, result.stderr


def test_only_who_calls_the_service_reads_where_it_is(service: Service, database: Database) -> None:
    link = {"ORDERS_SERVICE_HOST": "", "ORDERS_SERVICE_PORT": f"tcp://127.0.0.1:{service.port}"}

    assert service.cli("orders", "list", **link).returncode == 0
    assert service.cli("migrate", **link).returncode == 0
    assert service.cli("migrate", ORDERS_SERVICE_PORT="x").returncode == 0
    result = service.cli("orders", "list", ORDERS_SERVICE_PORT="x")
    assert (result.returncode, "ORDERS_SERVICE_PORT must be" in result.stderr) == (2, True), result.stderr


def test_orders_are_cancelled_and_tried_again_each_by_itself(service: Service, database: Database) -> None:
    wanted, paid, unknown = insert_order(database, 71), sent(database, 72), 999_999

    told = said(
        service, "orders", "cancel", str(wanted), str(paid), str(unknown), "--why", "не нужен", "--actor", "ann"
    )

    assert "may have been sent" in told
    assert f"orders-service orders show {paid}" in told, "and what to do"
    assert f"There is no order {unknown}." in told
    shown = answer(service, "orders", "show", str(wanted))
    assert shown["order"]["state"] == "cancelled"
    assert (shown["events"][-1]["actor"], shown["events"][-1]["reason"]) == ("operator:ann", "не нужен")
    assert shown["case"]["ways"] == [f"orders-service orders retry {wanted} --why WHY"]
    again = answer(service, "orders", "cancel", str(wanted), "--why", "не нужен")
    assert [order["state"] for order in again["orders"]] == ["cancelled"]

    tried = answer(service, "orders", "retry", str(wanted), "--why", "нужен всё-таки")
    assert [order["order_id"] for order in tried["orders"]] == [wanted]
    assert tried["refused"] == []
    assert answer(service, "orders", "show", str(wanted))["order"]["state"] in ("queued", "processing")
    assert "isn't over" in said(service, "orders", "retry", str(paid), "--why", "x")
    assert "--why" in said(service, "orders", "retry", str(wanted), code=2)


def sent(database: Database, number: int) -> int:
    return insert_order(database, number, state="unconfirmed", account="paid-account", fence=5)
