"""A workbook is bounded before it is laid out, whatever its parts say of themselves."""

from __future__ import annotations

import io
import zipfile

import pytest

from orders_service.orders.order_file import FileUnreadable, read_order_file
from tests.unit.orders_service.orders.order_file.test_reading import A, as_xlsx


def sheet_of(content: str | bytes, place: str = "xl/worksheets/sheet1.xml") -> bytes:
    """A workbook whose one sheet is this XML, whatever it is called."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(as_xlsx(("Лист1", [["КН"], [A]])))) as old, zipfile.ZipFile(made, "w", 8) as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == "xl/worksheets/sheet1.xml":
                new.writestr(place, content)
                continue
            if place != "xl/worksheets/sheet1.xml":
                data = data.replace(b"worksheets/sheet1.xml", place.removeprefix("xl/").encode())
            new.writestr(entry.filename, data)
        if place != "xl/worksheets/sheet1.xml":
            new.writestr("xl/worksheets/other.xml", "<worksheet/>")
    return made.getvalue()


MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
CELL = '<c t="str"><v>77:01:0001001:1</v></c>'
FAR = {
    "a cell far down": f'<row r="900000"><c r="A900000">{CELL[10:]}</row>',
    "the same in small letters": '<row r="900000"><c r="a900000"><v>1</v></c></row>',
    "the same in the other quotes": "<row r='900000'><c r='A900000'><v>1</v></c></row>",
    "the same by a reference": '<row r="900000"><c r="&#65;900000"><v>1</v></c></row>',
    "the same with a prefix": '<x:row xmlns:x="x" r="900000"><x:c r="A900000"><x:v>1</x:v></x:c></x:row>',
    "rows that don't say their place": "<row/>" * 300_000 + f"<row>{CELL}</row>",
    "cells that don't say theirs": f"<row>{CELL * 600}</row>",
    "a long row and a long column": f"<row>{CELL * 400}</row>" + "<row/>" * 9_000 + f"<row>{CELL}</row>",
    "one cell again and again": '<row r="1">' + '<c r="A1"><v>1</v></c>' * 2_100_000 + "</row>",
}


@pytest.mark.parametrize("where", ["xl/worksheets/sheet1.xml", "xl/elsewhere/table.xml"])
@pytest.mark.parametrize("rows", FAR.values(), ids=FAR.keys())
def test_a_sheet_that_would_be_laid_out_too_large_is_refused_before_it_is(
    rows: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import python_calamine

    monkeypatch.setattr(python_calamine.CalamineWorkbook, "from_filelike", None)

    with pytest.raises(FileUnreadable, match=r"as far out as|cells large"):
        read_order_file(sheet_of(f"<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>", where), "orders.xlsx")


def test_what_is_no_xml_or_declares_a_type_of_its_own_is_refused() -> None:
    for text in ("<worksheet><sheetData></row>", '<!DOCTYPE a [<!ENTITY b "c">]><worksheet>&b;</worksheet>'):
        with pytest.raises(FileUnreadable, match=r"damaged|document type"):
            read_order_file(sheet_of(text), "orders.xlsx")


def test_a_sheet_of_as_many_orders_as_may_be_with_formats_below_it_is_read() -> None:
    rows = "".join(f'<row r="{n}"><c r="C{n}" t="str"><v>77:01:0001001:{n}</v></c></row>' for n in range(1, 10_001))
    content = sheet_of(f'<worksheet {MAIN}><sheetData>{rows}<row r="1048576" s="1"/></sheetData></worksheet>'.encode())

    assert len(read_order_file(content, "orders.xlsx").rows) == 10_000
