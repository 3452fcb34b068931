"""Orders from a spreadsheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orders_service.commands.context import Failure
from orders_service.commands.order_file import read_orders

if TYPE_CHECKING:
    from pathlib import Path

A, B = "77:01:0001001:1", "77:01:0001001:2"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orders.csv"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_may_come_in_any_order_with_any_usual_separator(file: Path, separator: str) -> None:
    rows = [["Recipient", "cad_num", "is_urgent"], ["Банк", A, "да"], ["", B, ""]]
    file.write_text("\ufeff" + "".join(separator.join(row) + "\r\n" for row in rows), encoding="utf-8")

    lines = read_orders(file)

    assert [(one.order.cad_num, one.order.recipient, one.order.is_urgent) for one in lines] == [
        (A, "Банк", True),
        (B, "", False),
    ]
    assert [one.where for one in lines] == ["orders.csv, line 2", "orders.csv, line 3"]


def test_numbers_alone_need_no_header(file: Path) -> None:
    file.write_text(f"{A}\n\n{B}")

    assert [(one.order.cad_num, one.where) for one in read_orders(file)] == [
        (A, "orders.csv, line 1"),
        (B, "orders.csv, line 3"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no order"),
        ("cad_num\n", "no order below its header"),
        (f"cad_num,price\n{A},5\n", "has a column 'price'"),
        (f"cad_num,cad_num\n{A},{B}\n", "a column twice"),
        (f"{A},Bank\n", "several columns and no header"),
        (f"cad_num\n{A},x\n", "more cells than the header"),
        (f"cad_num,is_urgent\n{A},maybe\n", "is_urgent must be yes or no"),
        (f'cad_num\n"{A}\n', "line"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_guessed(file: Path, text: str, words: str) -> None:
    file.write_text(text)

    with pytest.raises(Failure, match=words):
        read_orders(file)


def test_another_encoding_is_named_as_the_fault(file: Path) -> None:
    file.write_bytes("cad_num;recipient\n77:01:0001001:1;Банк\n".encode("cp1251"))

    with pytest.raises(Failure, match="isn't UTF-8"):
        read_orders(file)
