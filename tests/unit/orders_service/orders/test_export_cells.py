"""No cell of an exported table is ever run, lost or cut without a sign."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import zipfile
from typing import Any

import pytest
import python_calamine

from orders_service.orders.export.writers import CsvWriter, XlsxWriter

SHEETS = [("Заказы", ("текст", "другое"), (10, 10)), ("Права", ("право",), (10,))]

DANGEROUS = [
    *(f"{blank}{mark}HYPERLINK(1)" for blank in ("", " ", "\t", "\u00a0", "\n", "\r") for mark in "=+-@＝＋－＠"),
    "=cmd|' /C calc'!A0",
    "\t=1+1",
    "-5",
    "@SUM(1)",
]
HARMLESS = [
    "77:01:0001001:5",
    "ООО «Ёлка»",
    "a=b",
    "5-6",
    "https://example.test/",
    "",
    'кавычки "и"; разделители',
    "07",
]


def as_csv(rows: list[list[object]]) -> list[list[str]]:
    file = io.BytesIO()
    writer = CsvWriter(file, SHEETS)
    writer.write(0, rows)  # type: ignore[arg-type]
    writer.write(1, [["not in a CSV"]])
    writer.finish()
    text = file.getvalue().decode("utf-8-sig")
    assert file.getvalue().startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))


def as_xlsx(rows: list[list[object]]) -> list[list[Any]]:
    file = io.BytesIO()
    writer = XlsxWriter(file, SHEETS)
    writer.write(0, rows)  # type: ignore[arg-type]
    writer.finish()
    with zipfile.ZipFile(file) as archive:
        assert b"<f" not in archive.read("xl/worksheets/sheet1.xml").replace(b"<font", b"")
    file.seek(0)
    book = python_calamine.CalamineWorkbook.from_filelike(file)
    assert book.sheet_names == ["Заказы", "Права"]
    return book.get_sheet_by_name("Заказы").to_python(skip_empty_area=False)


def test_a_csv_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe() -> None:
    _, *rows = as_csv([[text, "x"] for text in DANGEROUS])

    for text, row in zip(DANGEROUS, rows, strict=True):
        assert row == [f"'{text}", "x"]


def test_harmless_cells_stay_as_they_are() -> None:
    assert as_csv([[text, "x"] for text in HARMLESS])[1:] == [[text, "x"] for text in HARMLESS]


def test_a_workbook_holds_texts_as_texts() -> None:
    texts = [text for text in DANGEROUS + HARMLESS if text]

    rows = as_xlsx([[text, "x"] for text in texts])[1:]

    # A line end may be written in another way; nothing is a number, a date or a formula.
    assert [str(row[0]).replace("\r", "\n").strip() for row in rows] == [
        text.replace("\r", "\n").strip() for text in texts
    ]
    assert {type(row[0]) for row in rows} == {str}


def test_numbers_and_dates_are_numbers_and_dates() -> None:
    at = dt.datetime.fromisoformat("2026-01-15T10:30:00")
    cells: list[object] = [5, decimal.Decimal("1234567.89"), at.date(), at, None]

    [_, [*xlsx]] = as_xlsx([cells])
    [_, from_csv] = as_csv([cells])

    assert xlsx[:4] == [5.0, 1234567.89, at.date(), at]
    assert from_csv == ["5", "1234567,89", "2026-01-15", "2026-01-15 10:30:00", ""]


@pytest.mark.parametrize("day", [dt.date(1, 1, 1), dt.date(1899, 12, 31), dt.date(9999, 12, 31)])
def test_a_day_that_excel_has_not_is_written_as_it_is(day: dt.date) -> None:
    [_, row] = as_xlsx([[day]])

    assert row[0] in (day, day.isoformat())


def test_a_cell_longer_than_a_spreadsheet_takes_is_cut_with_a_sign() -> None:
    for rows in (as_csv([["я" * 40_000]])[1:], as_xlsx([["я" * 40_000]])[1:]):
        assert len(str(rows[0][0])) == 32_767
        assert str(rows[0][0]).endswith("…")


def test_what_no_file_may_hold_is_replaced() -> None:
    for rows in (as_csv([["a\x00b\x1fc\ud800d"]])[1:], as_xlsx([["a\x00b\x1fc\ud800d"]])[1:]):
        assert rows[0][0] == "a\ufffdb\ufffdc\ufffdd"
