"""What the demo shows at its end, on terminals of several widths."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from orders_service.dev import demo_view
from orders_service.v1 import orders_pb2

NUMBER = "OfSite-2026-11-23-716758-77-01"
FILE = f"14-{NUMBER}.zip"
CAD_NUM = "23:43:0101001:87654321"
FAILED = "Ошибка: Кадастровый номер не найден на портале"


def orders() -> list[orders_pb2.Order]:
    return [
        orders_pb2.Order(
            order_id=14,
            cad_num=CAD_NUM,
            state=orders_pb2.ORDER_STATE_COMPLETED,
            status="Выполнен",
            account="rosreestr_user_2",
            order_number=NUMBER,
        ),
        orders_pb2.Order(
            order_id=15, cad_num="77:05:0009999:404", state=orders_pb2.ORDER_STATE_FAILED, status=FAILED, account=""
        ),
    ]


def shown(width: int, *, is_terminal: bool = True) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=is_terminal, color_system=None)
    demo_view.print_result(console, orders(), {14: FILE})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120, 150, 200])
def test_the_result_shows_each_name_and_number_in_one_piece(width: int) -> None:
    text = shown(width)

    for whole in (CAD_NUM, "rosreestr_user_2", NUMBER, FILE):
        assert whole in text
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())


def test_the_result_has_one_line_an_order_where_that_fits() -> None:
    line = next(line for line in shown(170).splitlines() if CAD_NUM in line)

    assert "Выполнен" in line
    assert FILE in line


def test_the_result_in_a_log_has_one_line_an_order() -> None:
    text = shown(80, is_terminal=False)

    assert next(line for line in text.splitlines() if CAD_NUM in line).rstrip().endswith(FILE)
    assert FAILED in text


def test_progress_shows_order_and_number_whole_on_a_narrow_terminal() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    view = demo_view.DemoView(console)
    view.update(orders())
    console.print(view.render())

    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert f"14   {CAD_NUM}" in text
    assert "rosreestr_user_2" in text
    assert "…" not in text
