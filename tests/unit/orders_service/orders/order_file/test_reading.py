"""Files of orders as people have them: CSV of every Excel, XLSX, Russian headings, and what is said in doubt."""

from __future__ import annotations

import csv
import io
import itertools
from typing import TYPE_CHECKING, Any

import pytest
import xlsxwriter

from orders_service.orders.order_file import MAX_FILE_BYTES, FileUnreadable, read_order_file

if TYPE_CHECKING:
    from collections.abc import Sequence

A, B, C = "77:01:0001001:1", "77:01:0001001:2", "50:20:100711:40"
ROWS = [["№", "Кадастровый номер", "Получатель", "Срочно"], ["1", A, "Банк; «Ёлка»", "да"], ["2", B, "", ""]]

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "cp866", "koi8-r"]
SEPARATORS = [";", ",", "\t", "|"]
LINE_ENDS = ["\r\n", "\n", "\r"]
FIRST_LINES = ["", "sep={}", '"sep={}"']


def as_csv(rows: Sequence[Sequence[str]], separator: str = ";", line_end: str = "\r\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=line_end).writerows(rows)
    return text.getvalue()


def as_xlsx(*sheets: tuple[str, Sequence[Sequence[Any]]]) -> bytes:
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True, "default_date_format": "dd.mm.yyyy"})
    for name, rows in sheets:
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()
    return content.getvalue()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_csv_is_read_however_it_was_written(encoding: str) -> None:
    for separator, line_end, first in itertools.product(SEPARATORS, LINE_ENDS, FIRST_LINES):
        rows = [[cell.replace("«Ёлка»", '"Елка"') for cell in row] for row in ROWS]
        if encoding in ("cp866", "koi8-r", "cp1251"):
            rows = [[cell.replace("№", "N") for cell in row] for row in rows]
        head = first.format(separator) + line_end if first else ""
        if separator == "\t" and first.startswith('"'):
            continue
        content = (head + as_csv(rows, separator, line_end)).encode(encoding)

        read = read_order_file(content, "orders.csv")

        orders = [row.order for row in read.rows]
        assert [(o.cad_num, o.recipient, o.is_urgent) for o in orders] == [(A, 'Банк; "Елка"', True), (B, "", False)]
        assert read.preview.separator == separator
        assert read.preview.encoding == encoding.removesuffix("-sig")
        first_row = 3 if first else 2
        assert [row.where for row in read.rows] == [f"orders.csv, line {first_row + i}" for i in range(2)]


def test_a_workbook_is_read_with_the_sheet_that_holds_numbers() -> None:
    content = as_xlsx(("Титул", [["Список объектов"]]), ("Объекты", [["Отчёт"], [], *ROWS]))

    read = read_order_file(content, "orders.xlsx")

    assert [row.order.cad_num for row in read.rows] == [A, B]
    assert [row.where for row in read.rows] == [
        "orders.xlsx, sheet Объекты, row 4",
        "orders.xlsx, sheet Объекты, row 5",
    ]
    assert (read.preview.kind, read.preview.sheet) == ("XLSX", "Объекты")
    assert read.preview.columns == {"cad_num": "Кадастровый номер", "recipient": "Получатель", "is_urgent": "Срочно"}
    assert read.preview.left_out == ("№",)


def test_two_sheets_with_numbers_are_a_question() -> None:
    content = as_xlsx(("Май", [[A]]), ("Июнь", [[B]]))

    with pytest.raises(FileUnreadable, match="several of its sheets may hold orders"):
        read_order_file(content, "orders.xlsx")

    assert read_order_file(content, "orders.xlsx", sheet="Июнь").rows[0].order.cad_num == B
    with pytest.raises(FileUnreadable, match="no sheet «Июль»"):
        read_order_file(content, "orders.xlsx", sheet="Июль")


@pytest.mark.parametrize(
    "heading",
    [
        "Кадастровый номер",
        "КАДАСТРОВЫЙ НОМЕР:",
        "Кадастровый (или условный) номер",
        "Кад. №",
        "Кад. номер",
        "КН",
        "к/н",
        "cad_num",
        "cadastral_number",
        "Кадастровый номер объекта",
    ],
)
def test_the_column_of_the_number_is_known_by_its_heading(heading: str) -> None:
    read = read_order_file(as_csv([["Адрес", heading], ["д. 5", A]]).encode(), "orders.csv")

    assert read.preview.columns == {"cad_num": heading}
    assert [row.order.cad_num for row in read.rows] == [A]


@pytest.mark.parametrize(
    "text", [f"{A}\n\n{B}\n", f"Номер\n{A}\n{B}", f"Кадастровый номер\n{A}\n{B}\n", f'="{A}"\n{B}']
)
def test_numbers_one_below_the_other_need_no_heading(text: str) -> None:
    assert [row.order.cad_num for row in read_order_file(text.encode(), "orders.csv").rows] == [A, B]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no order"),
        ("Кадастровый номер\n", "no order below its headings"),
        (f"Объект;Адрес\n{A};Москва\n", r"column 1 \(«Объект»\) looks like cadastral numbers \(1 rows\)"),
        (f"{A};Москва\n", "column 1 looks like"),
        (f"Дом;Участок\n{A};{B}\n", "columns 1 and 2 look like"),
        ("Дом;Цена\nсарай;5\n", "none of its 2 columns"),
        (f"cad_num;КН\n{A};{B}\n", "two of its columns may be «кадастровый номер»"),
        (f'cad_num\n"{A}\n{B}\n', "line 2: a quote"),
        (f'cad_num\n"{A}"x\n', "line 2: something stands behind a closing quote"),
        (
            f'cad_num;comment\n{A};"дом\n{B};\n{C};"сад"\n',
            r"line 2: a quote .* is opened here, and the next one is on line 4",
        ),
        (f'cad_num\n"{A}\n' + f"{B}\n" * 10_000, "line 2: a cell begins here that has .* A quote"),
        ("cad_num\n" + f"{A}\n" * 10_001, "more than 10,000: split it"),
        ("<html><table></table>", "web page"),
        ("cad_num\n\0\n", "NUL"),
    ],
)
def test_what_cannot_be_told_is_said_and_nothing_is_guessed(text: str, words: str) -> None:
    with pytest.raises(FileUnreadable, match=words) as caught:
        read_order_file(text.encode(), "orders.csv")

    assert str(caught.value).startswith("orders.csv: ")


@pytest.mark.parametrize("column", ["Объект", "объект", "2"])
def test_a_person_may_say_which_column_it_is(column: str) -> None:
    text = f"Адрес;Объект;Получатель\nМосква, 5;{A};Банк\n"

    read = read_order_file(text.encode(), "orders.csv", column=column)

    assert [row.order.cad_num for row in read.rows] == [A]
    assert read.preview.columns["cad_num"] == "Объект"
    with pytest.raises(FileUnreadable, match="no column «Цена»; its headings are «Адрес», «Объект», «Получатель»"):
        read_order_file(text.encode(), "orders.csv", column="Цена")


COLUMNS = {
    "№": [str(number) for number in range(1, 5)],
    "Объект": [f"77:01:0001001:{number}" for number in range(11, 15)],
    "Получатель": ["Банк", "Суд", "", "3"],
    "Ключ": ["k1", "", "4", "2"],
    "Комментарий": ["2", "объект", "Объект", "№"],
}


@pytest.mark.parametrize("titles", [[], [["Отчёт"]], [["Отчёт за 2026 год"], ["Заказчик", "Иван"]]])
@pytest.mark.parametrize("column", ["number", "heading"])
def test_the_column_that_a_person_names_leaves_the_others_and_every_row_as_they_are(
    column: str, titles: list[list[str]]
) -> None:
    for order in itertools.permutations(COLUMNS):
        rows = [*titles, list(order), *(list(row) for row in zip(*(COLUMNS[name] for name in order), strict=True))]
        named = str(order.index("Объект") + 1) if column == "number" else "объект"

        read = read_order_file(as_csv(rows).encode(), "orders.csv", column=named)

        assert read.bad_rows == ()
        assert [row.order.cad_num for row in read.rows] == COLUMNS["Объект"], order
        assert [row.order.recipient for row in read.rows] == COLUMNS["Получатель"], order
        assert [row.order.comment for row in read.rows] == COLUMNS["Комментарий"], order
        keys = [row.order.idempotency_key for row in read.rows]
        assert [key if not key.startswith("row:") else "" for key in keys] == COLUMNS["Ключ"], order


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        (f"Объект;Ключ;key\n{A};a;b\n", "Объект", "two of its columns may be «ключ» .*: rename one"),
        (f"Объект;Ключ;key\n{A};a;b\n", "1", "two of its columns may be «ключ» .*: rename one"),
        (f"Объект;Объект\n{A};{B}\n", "Объект", "2 of its columns are called «Объект»: say which by its number"),
        (f"Объект;Адрес\n{A};Москва\n{B};Тверь\n", "Москва", "no column «Москва»"),
        (f"Объект\n{A}\n", "0", "nothing in column 0"),
        (f"Объект\n{A}\n", "2", "nothing in column 2"),
        (f"Объект\n{A}\n", "9" * 5000, "nothing in column 9"),
        (f"Отчёт\nОбъект;Адрес\n{A};Москва\n", "9" * 5000, "nothing in column 9"),
    ],
)
def test_a_column_that_isnt_there_or_is_there_twice_is_refused(text: str, column: str, words: str) -> None:
    with pytest.raises(FileUnreadable, match=words):
        read_order_file(text.encode(), "orders.csv", column=column)


@pytest.mark.parametrize("words", [*itertools.permutations(["77:01:0001001", "Срочно", "Ключ"])])
def test_a_row_with_a_wrong_number_is_no_row_of_headings_whatever_else_it_holds(words: tuple[str, ...]) -> None:
    column = words.index("77:01:0001001") + 1
    good = ["Москва"] * 3
    good[column - 1] = A

    read = read_order_file(as_csv([list(words), good]).encode(), "orders.csv", column=str(column))

    assert [row.order.cad_num for row in read.rows] == [A]
    assert len(read.bad_rows) == 1, "it isn't passed over in silence"


def test_every_bad_row_is_told_with_its_place_and_what_was_meant() -> None:
    wrong = [f"к/н 77:01:0001001:{n}" for n in range(1, 301)]
    text = as_csv(
        [["КН", "Срочно"], *([number, ""] for number in wrong), [A, "может быть"], [f"{A}, {B}", "нет"], ["", "да"]]
    )

    read = read_order_file(text.encode(), "orders.csv")

    assert len(read.bad_rows) == 303
    assert read.rows == ()
    assert [bad.suggestion for bad in read.bad_rows[:300]] == [number[4:] for number in wrong]
    assert (read.bad_rows[0].where, read.bad_rows[0].column) == ("orders.csv, line 2", "КН")
    assert (read.bad_rows[300].column, read.bad_rows[300].text) == ("Срочно", "может быть")
    assert read.bad_rows[301].parts == (A, B)
    assert "empty" in read.bad_rows[302].reason


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([A, "", "", "лишнее"], "more cells than the header"),
        ([A, "x" * 501, ""], "up to 500 characters"),
        ([A, "", "x" * 2001], "up to 2000 characters"),
    ],
)
def test_a_cell_that_breaks_a_rule_is_told(cells: list[str], reason: str) -> None:
    [bad] = read_order_file(as_csv([["КН", "Получатель", "Комментарий"], cells]).encode(), "a.csv").bad_rows

    assert reason in bad.reason
    assert len(bad.text) <= 200


@pytest.mark.parametrize("heading", ["Получатель", "Комментарий", "Адрес"])
def test_rows_that_a_quote_makes_part_of_a_cell_are_told_and_not_left_out(heading: str) -> None:
    text = f'КН;{heading}\n{A};"Банк\n{B};Суд\n{C};"\n77:01:0001001:3;"две\nстроки"\n'

    read = read_order_file(text.encode(), "orders.csv")

    [bad] = read.bad_rows
    assert (bad.where, bad.column) == ("orders.csv, line 2", heading)
    assert "takes in rows below it" in bad.reason


def test_a_file_of_any_length_is_refused_by_its_first_bytes() -> None:
    with pytest.raises(FileUnreadable, match="more than 33,554,432 bytes: split it"):
        read_order_file(bytes(MAX_FILE_BYTES + 1), "orders.csv")


def test_what_excel_made_of_a_number_is_refused_and_not_put_right() -> None:
    import datetime as dt

    content = as_xlsx(("Лист1", [["КН"], [dt.date(2005, 1, 1)], ["1:08:0500000:77"], [7701000100115], [A]]))

    read = read_order_file(content, "orders.xlsx")

    assert [row.order.cad_num for row in read.rows] == [A]
    assert [bad.suggestion for bad in read.bad_rows] == ["", "01:08:0500000:77", ""]


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 no archive",
        as_xlsx(("Лист1", [["КН"], [A]]))[:-200],
        b"\xd0\xcf\x11\xe0" + bytes(100),
        bytes(33 << 20),
    ],
)
def test_a_damaged_or_other_file_is_refused_in_one_sentence(content: bytes) -> None:
    with pytest.raises(FileUnreadable) as caught:
        read_order_file(content, "orders.xlsx")

    assert "\n" not in str(caught.value)


def test_a_cell_far_out_is_refused_before_the_sheet_is_laid_out() -> None:
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    sheet = book.add_worksheet("Лист1")
    sheet.write(0, 0, A)
    sheet.write(1_048_575, 16_383, "x")
    book.close()

    with pytest.raises(FileUnreadable, match="as far out as XFD1048576"):
        read_order_file(content.getvalue(), "orders.xlsx")


def test_an_object_that_comes_twice_is_counted_for_the_preview() -> None:
    text = "КН\n50:20:0100711:40\n50:20:100711:40\n77:01:0001001:1\n"

    read = read_order_file(text.encode(), "orders.csv")

    assert (len(read.rows), read.preview.repeated, read.preview.derived_keys) == (3, 1, 3)
