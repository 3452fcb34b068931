"""Tables of orders in, tables and papers out, by the command line."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import python_calamine
from click.testing import CliRunner

from orders_service.cli import cli
from tests.integration.orders_service.orders.test_download import store_extract
from tests.integration.orders_service.orders.test_export import keep_summary
from tests.integration.orders_service.serving import Service
from tests.integration.orders_service.stage import insert_order
from tests.unit.orders_service.domain.summary import extracts
from tests.unit.orders_service.orders.order_file.test_reading import as_csv, as_xlsx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from tests.postgres import Database, PostgresServer
    from tests.servers import RedisServer


@pytest.fixture(scope="module")
def shared(
    postgres_server: PostgresServer,
    template_database: Database,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Service, Database]]:
    """One service for all tests of this file: each uses objects of its own."""
    database = postgres_server.create_database("rosq_test_papers", template_database.name)
    folder = tmp_path_factory.mktemp("papers")
    service = Service({**database.env(), **redis_server.env(), "ROSQ_QUEUE": "test-papers"}, folder)
    try:
        service.wait_ready()
        yield service, database
    finally:
        service.close()
        postgres_server.drop_database(database.name)


@pytest.fixture
def service(shared: tuple[Service, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    shared[0].folder = tmp_path
    monkeypatch.chdir(tmp_path)
    return shared[0]


@pytest.fixture
def database(shared: tuple[Service, Database]) -> Database:
    return shared[1]


def run(service: Service, *args: str, code: int = 0) -> Result:
    """Run a command in this process: a process of its own for each would cost most of the time."""
    result = CliRunner().invoke(cli, args, env=service.env, catch_exceptions=False)
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


def answer(service: Service, *args: str) -> Any:
    """What a command prints with --json."""
    return json.loads(run(service, *args, "--json").stdout)


def said(service: Service, *args: str, code: int = 1) -> str:
    """The sentence with which a command fails."""
    return run(service, *args, code=code).stderr


def test_a_workbook_is_looked_at_ordered_and_never_ordered_twice(service: Service, database: Database) -> None:
    rows: list[list[Any]] = [
        ["№", "Кадастровый номер", "Получатель"],
        [1, "77:01:0002001:1", "Банк"],
        [2, "77:01:0002001:2", ""],
    ]
    path = service.folder / "объекты.xlsx"
    path.write_bytes(as_xlsx(("Лист1", [["Список"], *rows])))

    shown = answer(service, "orders", "submit", "--file", path.name, "--preview")
    assert shown["preview"]["columns"] == {"cad_num": "Кадастровый номер", "recipient": "Получатель"}
    assert [row["cad_num"] for row in shown["orders"]] == ["77:01:0002001:1", "77:01:0002001:2"]
    assert answer(service, "orders", "list", "--cad-num", "77:01:0002001:1")["orders"] == [], "nothing was ordered"
    for_people = run(service, "orders", "submit", "--file", path.name, "--preview")
    assert "Кадастровый номер" in for_people.stdout
    assert "№" in for_people.stdout

    in_russian = run(service, "--lang", "ru", "orders", "submit", "--file", path.name, "--preview").stdout
    assert re.search(r"получатель +Получатель", in_russian)
    assert "2 accepted, 0 already there." in run(service, "orders", "submit", "--file", path.name).stdout
    # Sorted, longer, as CSV, under another name: only what is new is ordered.
    more = [rows[0], rows[2], [3, "77:01:0002001:3", ""], rows[1]]
    (service.folder / "more.csv").write_bytes(
        as_csv([[str(cell) for cell in row] for row in more]).encode("cp1251", "replace")
    )
    again = answer(service, "orders", "submit", "--file", "more.csv")["orders"]
    assert [one["is_existing"] for one in again] == [True, False, True]
    once_more = answer(service, "orders", "submit", "--file", "more.csv", "--batch", "2026-12")["orders"]
    assert [one["is_existing"] for one in once_more] == [False, False, False]
    with database.connect() as connection:
        [(count,)] = connection.execute("select count(*) from orders where cad_num like '77:01:0002001:%'").fetchall()
    assert count == 6


def test_a_changed_comment_is_refused_and_not_ordered_again(service: Service) -> None:
    (service.folder / "a.csv").write_text("cad_num;comment\n77:01:0002002:1;first\n")
    answer(service, "orders", "submit", "--file", "a.csv")
    (service.folder / "a.csv").write_text("cad_num;comment\n77:01:0002002:1;second\n")

    assert "a.csv, line 2" in said(service, "orders", "submit", "--file", "a.csv")
    assert len(answer(service, "orders", "list", "--cad-num", "77:01:0002002:1")["orders"]) == 1
    listed = ("orders", "list", "--cad-num", "77:01:0002002:1")
    assert "Добавлен в очередь [queued]" in run(service, *listed).stdout
    assert answer(service, "--lang", "ru", *listed) == answer(service, "--lang", "en", *listed)
    unknown = said(service, "--lang", "ru", "orders", "show", "999999")
    assert "Ошибка: Такого заказа нет (ORDER_UNKNOWN). There is no order 999999" in unknown


def test_every_bad_row_is_told_on_the_screen_in_a_file_and_as_json(service: Service) -> None:
    numbers = [f"к/н 77:01:0002003:{number}" for number in range(1, 301)]
    (service.folder / "bad.csv").write_text("КН\n" + "\n".join([*numbers, "77:01:0002003:999"]))

    sentence = said(service, "orders", "submit", "--file", "bad.csv", "--errors", "errors.csv")
    assert "300 rows are bad. Nothing was ordered." in sentence
    assert "and 280 more: all of them are in errors.csv" in sentence
    assert sentence.count("Did you mean") == 20
    with (service.folder / "errors.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    assert len(rows) == 301
    assert (rows[1][0], rows[1][4]) == ("bad.csv, line 2", "77:01:0002003:1")

    (service.folder / "errors.csv").unlink()
    for options in ((), ("--preview",)):
        result = run(
            service, "orders", "submit", "--file", "bad.csv", "--json", *options, "--errors", "errors.csv", code=1
        )
        assert (service.folder / "errors.csv").stat().st_size > 10_000
        assert len(json.loads(result.stdout)["bad_rows"]) == 300
    assert answer(service, "orders", "list", "--cad-num", "77:01:0002003:999")["orders"] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cad-num", "77:01:0002004:1", "--column", "КН"), "go with --file"),
        (("--file", "none.csv"), "does not exist"),
    ],
)
def test_options_that_do_not_go_together_are_refused(service: Service, options: tuple[str, ...], words: str) -> None:
    assert words in said(service, "orders", "submit", *options, code=2)


@pytest.mark.parametrize("name", ["bad.csv", "./bad.csv", "link.csv", "hard.csv"])
def test_the_file_of_orders_is_never_written_over(service: Service, name: str) -> None:
    path = service.folder / "bad.csv"
    path.write_text("КН\nсарай\n")
    (service.folder / "link.csv").symlink_to(path)
    (service.folder / "hard.csv").hardlink_to(path)

    for options in ((), ("--preview",), ("--json",)):
        sentence = said(service, "orders", "submit", "--file", "bad.csv", "--errors", name, *options, code=2)
        assert "is the file of orders itself: name another" in sentence
        assert path.read_text() == "КН\nсарай\n"


def test_a_file_of_orders_without_an_end_is_refused(service: Service) -> None:
    assert "more than 33,554,432 bytes" in said(service, "orders", "submit", "--file", "/dev/zero")


def test_what_came_of_orders_is_exported_bundled_summed_up_and_moved(service: Service, database: Database) -> None:
    named, aside, waiting = (insert_order(database, number, cad_num=f"77:01:0002005:{number}") for number in (1, 2, 3))
    data = b"PK" + bytes(range(256)) * 9000
    store_extract(database, named, data)
    store_extract(database, aside, b"of another object", kind="quarantined")
    keep_summary(database, named, extracts.extract(rights=extracts.right(extracts.COMPANY), burdens=extracts.MORTGAGE))

    exported = run(service, "orders", "export", "--to", "orders.xlsx", "--cad-num", "77:01:0002005:1")
    assert "(1 order," in exported.stdout
    book = python_calamine.CalamineWorkbook.from_path(str(service.folder / "orders.xlsx"))
    assert [row[6] for row in book.get_sheet_by_name("Права").to_python()[1:]] == ['ООО "ТЕСТ"']
    assert "is there already" in said(service, "orders", "export", "--to", "orders.xlsx")
    assert "ends in .xlsx or .csv" in said(service, "orders", "export", "--to", "orders.pdf", code=2)
    run(service, "orders", "export", "--to", "orders.csv", "--since", "2020-01-01")

    summed = answer(service, "orders", "summary", str(named))
    assert (summed["number"], summed["answer"]) == ("КУВИ-001/2026-000000001", "named")
    assert 'ООО "ТЕСТ"' in run(service, "orders", "summary", str(named)).stdout
    assert "It has no extract" in said(service, "orders", "summary", str(waiting))

    run(service, "orders", "bundle", str(named), str(waiting), "--to", "papers.zip")
    with zipfile.ZipFile(service.folder / "papers.zip") as archive:
        assert archive.read(f"{named}-Выписка.zip") == data
        listed = list(csv.DictReader(io.StringIO(archive.read("список.csv").decode("utf-8-sig")), delimiter=";"))
    assert [bool(row["Файл"]) for row in listed] == [True, False]

    assert "no extract" in said(service, "orders", "download", str(aside))
    shown = run(service, "orders", "show", str(aside)).stdout
    [told] = [line for line in shown.splitlines() if "To look at it: " in line]
    run(service, *told.partition("orders-service ")[2].split(), "--to", "aside.zip")
    assert (service.folder / "aside.zip").read_bytes() == b"of another object"

    counted = answer(service, "orders", "stats", "--account", "a")
    assert (counted["total"]["orders"], counted["times"]["extracts"]) == (1, 1)
    assert counted["total"]["states"] == [{"state": "completed", "orders": 1}]
    [row] = [line.split() for line in run(service, "orders", "stats").stdout.splitlines() if line.startswith("a ")]
    assert row[:2] == ["a", "1"]
    assert "time_zone: must be a zone's name" in said(service, "orders", "stats", "--zone", "Mars")

    (service.folder / "store").mkdir()
    store = (service.folder / "store").as_uri()
    moved = service.cli("extracts", "move", "--to", store)
    assert (moved.returncode, "2 files moved" in moved.stdout) == (0, True), moved.stderr
    assert store in service.cli("extracts", "places").stdout
    run(service, "orders", "download", str(named), "--to", "got.zip")
    assert (service.folder / "got.zip").read_bytes() == data
    for path in (service.folder / "store").rglob("*.zip"):
        path.write_bytes(b"spoiled")
    checked = service.cli("extracts", "check")
    assert (checked.returncode, "2 files have trouble" in checked.stderr) == (1, True), checked.stdout
    assert "isn't stored whole" in said(service, "orders", "download", str(named), "--to", "bad.zip")
    assert not (service.folder / "bad.zip").exists()
    assert "is no place for extracts" in service.cli("extracts", "move", "--to", "nowhere").stderr
