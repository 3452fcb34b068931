"""Orders as a table, what an extract says, and many papers as one ZIP: on one database with orders of every kind."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import python_calamine

from orders_service import errors
from orders_service.domain.summary import ExtractSummary, HoldersAnswer, read_summary
from orders_service.orders import bundle, export, search, summaries
from orders_service.orders.download import find_any_paper, find_paper, read_pieces
from orders_service.store.extracts import upkeep
from tests.integration.orders_service.orders.test_download import order, store_extract
from tests.unit.orders_service.domain.summary import extracts

if TYPE_CHECKING:
    from orders_service.store.db import Database as ServiceDatabase
    from tests.postgres import Database


def keep_summary(database: Database, order_id: int, xml: bytes) -> None:
    kept = json.dumps(read_summary(extracts.extract_zip(xml)).as_json())
    with database.connect() as connection:
        connection.execute("update order_extracts set summary = %s where order_id = %s", (kept, order_id))


@pytest.fixture
def ids(run: Any, fresh_database: Database) -> dict[str, int]:
    names = ("named", "hidden", "none", "unread", "noticed", "aside", "queued")
    made = dict(zip(names, order(run, *(f"77:01:0001001:{n}" for n in range(1, 8))), strict=True))
    for name in ("named", "hidden", "none", "unread"):
        store_extract(fresh_database, made[name], f"the extract {name}".encode())
    store_extract(fresh_database, made["noticed"], b"a notice", kind="notice")
    store_extract(fresh_database, made["aside"], b"of another object", kind="quarantined")
    rights = extracts.right(extracts.COMPANY, extracts.TOWN)
    keep_summary(fresh_database, made["named"], extracts.extract(rights=rights, burdens=extracts.MORTGAGE))
    keep_summary(fresh_database, made["hidden"], extracts.extract("land", rights=extracts.right()))
    keep_summary(fresh_database, made["none"], extracts.extract("build"))
    with fresh_database.connect() as connection:
        connection.execute("update orders set comment = '=HYPERLINK(1)' where id = %s", (made["named"],))
    return made


def sheet(book: python_calamine.CalamineWorkbook, name: str) -> list[list[Any]]:
    return list(book.get_sheet_by_name(name).to_python())


async def table(db: ServiceDatabase, kind: export.ExportFormat, **filters: Any) -> tuple[int, bytes]:
    async with export.export_orders(db, search.Filters(**filters), kind) as made:
        content = b"".join([piece async for piece in made.read_pieces()])
        assert len(content) == made.size_bytes
        return made.orders, content


def test_a_table_holds_every_order_with_what_its_extract_says(
    run: Any, ids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export.exporting, "_PAGE", 2)

    count, content = run(lambda db: table(db, export.ExportFormat.XLSX))
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    headings, *rows = sheet(book, "Заказы")
    found = {int(row[0]): dict(zip(headings, row, strict=True)) for row in rows}

    assert count == len(rows) == len(ids)
    assert [int(row[0]) for row in rows] == sorted(ids.values(), reverse=True), "newest first"
    named = found[ids["named"]]
    assert (named["Кадастровый номер"], named["Статус"], named["Комментарий"]) == (
        "77:01:0001001:1",
        "Выполнен",
        "=HYPERLINK(1)",
    )
    assert (named["Площадь, кв. м"], named["Кадастровая стоимость, руб."]) == (42.4, 9876543.21)
    assert [found[ids[name]]["Правообладатели"] for name in ("named", "hidden", "none", "unread", "queued")] == [
        "указаны",
        "право зарегистрировано, правообладатель скрыт",
        "право не зарегистрировано",
        "",
        "",
    ]
    rights = sheet(book, "Права")[1:]
    assert {(int(row[0]), row[6]) for row in rights} == {
        (ids["named"], 'ООО "ТЕСТ"'),
        (ids["named"], "Город Тестовск"),
        (ids["hidden"], "скрыт"),
    }
    [burden] = sheet(book, "Обременения")[1:]
    assert (int(burden[0]), burden[2], burden[6]) == (ids["named"], "Ипотека", 'ПАО "БАНК" (ИНН 7700000001)')


def test_a_csv_is_the_same_and_runs_nothing(run: Any, ids: dict[str, int]) -> None:
    count, content = run(lambda db: table(db, export.ExportFormat.CSV, states=("completed",)))

    headings, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";")
    found = {int(row[0]): dict(zip(headings, row, strict=True)) for row in rows}
    assert count == 4
    assert found.keys() == {ids[name] for name in ("named", "hidden", "none", "unread")}
    assert found[ids["named"]]["Комментарий"] == "'=HYPERLINK(1)"
    assert found[ids["named"]]["Кадастровая стоимость, руб."] == "9876543,21"


def test_a_table_without_orders_is_a_table_and_one_with_too_many_is_refused(
    run: Any, ids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in export.ExportFormat:
        assert run(lambda db, kind=kind: table(db, kind, states=("cancelled",)))[0] == 0
    monkeypatch.setattr(export.exporting, "MAX_ORDERS", 3)

    for kind in export.ExportFormat:
        with pytest.raises(errors.InvalidInput, match="matches more than 3 orders"):
            run(lambda db, kind=kind: table(db, kind))


def test_a_summary_is_told_or_why_there_is_none(run: Any, ids: dict[str, int]) -> None:
    async def look(db: ServiceDatabase) -> None:
        for name, answer in (
            ("named", HoldersAnswer.NAMED),
            ("hidden", HoldersAnswer.HIDDEN),
            ("none", HoldersAnswer.NONE),
        ):
            said = await summaries.get_summary(db, ids[name])
            assert isinstance(said, ExtractSummary)
            assert said.answer is answer
        for name, words in (
            ("unread", "look into the extract itself"),
            ("noticed", "no extract"),
            ("queued", "no extr"),
        ):
            with pytest.raises(errors.Refused, match=words):
                await summaries.get_summary(db, ids[name])
        with pytest.raises(errors.NotFound):
            await summaries.get_summary(db, 999)

    run(look)


async def bundled(db: ServiceDatabase, order_ids: list[int]) -> dict[str, bytes]:
    content = b"".join([piece async for piece in bundle.bundle(db, order_ids)])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_many_papers_come_as_one_archive_with_a_list_of_what_it_holds(
    run: Any, ids: dict[str, int], fresh_database: Database
) -> None:
    with fresh_database.connect() as connection:
        connection.execute(
            "update order_extracts set file_name = '../../C:\\evil/Выписка 1.zip' where order_id = %s", (ids["none"],)
        )
        connection.execute(
            "update extract_chunks set data = 'x' where position = 0 and extract_id = "
            "(select extract_id from orders where id = %s)",
            (ids["unread"],),
        )

    held = run(lambda db: bundled(db, [*ids.values(), ids["named"], 999]))

    rows = list(csv.DictReader(io.StringIO(held.pop(bundle.LIST_NAME).decode("utf-8-sig"), newline=""), delimiter=";"))
    assert held == {
        f"{ids['named']}-Выписка.zip": b"the extract named",
        f"{ids['hidden']}-Выписка.zip": b"the extract hidden",
        f"{ids['none']}-Выписка_1.zip": b"the extract none",
        f"{ids['noticed']}-Выписка.zip": b"a notice",
    }
    told = {int(row["№ заказа"]): row for row in rows}
    assert told.keys() == {*ids.values(), 999}
    assert told[ids["noticed"]]["Что это"] == "уведомление"
    for name, words in (("aside", "no extract"), ("queued", "come back later"), ("unread", "isn't stored whole")):
        assert words in told[ids[name]]["Почему нет файла"]
        assert told[ids[name]]["Файл"] == ""
    assert "There is no order 999" in told[999]["Почему нет файла"]


@pytest.mark.parametrize("order_ids", [[], list(range(1, 1002))])
def test_no_orders_or_too_many_are_refused(run: Any, order_ids: list[int]) -> None:
    with pytest.raises(errors.InvalidInput, match="1 to 1000 orders"):
        run(lambda db: bundled(db, order_ids))


def test_an_operator_fetches_what_was_put_aside_and_a_client_does_not(run: Any, ids: dict[str, int]) -> None:
    async def look(db: ServiceDatabase) -> None:
        paper, stored = await find_any_paper(db, ids["aside"])
        assert (paper.kind, paper.sha256) == ("quarantined", stored.sha256)
        assert b"".join([piece async for piece in read_pieces(db, ids["aside"], stored)]) == b"of another object"
        assert (await find_any_paper(db, ids["aside"], paper.sha256))[0] == paper
        with pytest.raises(errors.Refused, match="put aside for a person"):
            await find_paper(db, ids["aside"], paper.sha256)
        with pytest.raises(errors.Refused, match="Nothing of order"):
            await find_any_paper(db, ids["named"])
        with pytest.raises(errors.NotFound):
            await find_any_paper(db, ids["named"], paper.sha256)

    run(look)


def test_a_paper_that_was_removed_says_when_and_keeps_its_summary(
    run: Any, ids: dict[str, int], fresh_database: Database
) -> None:
    with fresh_database.connect() as connection:
        connection.execute("update orders set finished_at = now() - interval '10 years' where finished_at is not null")
        connection.execute("update order_extracts set received_at = now() - interval '10 years'")
        connection.execute("update extracts set stored_at = now() - interval '10 years'")

    async def look(db: ServiceDatabase) -> None:
        before = dt.datetime.now(dt.UTC) - dt.timedelta(days=365)
        removed = [one.file.sha256 async for one in upkeep.retire(db, before)]
        # What was put aside is of an order that is still open.
        assert len(removed) == 5
        with pytest.raises(errors.Refused, match="was removed on 20"):
            await find_paper(db, ids["named"])
        assert (await summaries.get_summary(db, ids["named"])).answer is HoldersAnswer.NAMED
        assert (await find_any_paper(db, ids["aside"]))[0].kind == "quarantined"

    run(look)
