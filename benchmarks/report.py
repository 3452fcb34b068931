"""One table for people, and how the targets stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.contender import CONTENDERS
from benchmarks.targets import list_targets

if TYPE_CHECKING:
    from benchmarks.result import Result

_WIDTH = 190
_NOTHING = "–"


def show(result: Result, *, is_markdown: bool) -> None:
    """Print a result."""
    console = Console(width=_WIDTH) if not is_markdown else Console(width=400, color_system=None)
    style = box.MARKDOWN if is_markdown else box.SIMPLE_HEAD
    about = result.about
    console.print(
        f"{about['server']}{' with AOF' if about['is_logging'] else ''}, Python {about['python']}, {about['cpus']} "
        f"CPUs, {about['rounds']} rounds of {about['jobs']:,} jobs (fewer for the slow ones), one worker, 100 bytes. "
        "Medians; × is the median of the ratios to the floor within each round.",
        soft_wrap=True,
    )
    console.print()
    console.print(_figures(result, style))
    console.print(_depths(result, style))
    console.print(_targets(result, style))
    for name, reason in result.skipped.items():
        console.print(f"Left out: {name}. {reason}", soft_wrap=True)


def _figures(result: Result, style: box.Box) -> Table:
    table = Table(box=style, title=None)
    table.add_column("")
    columns = ("enqueue/s", "many/s", "drain/s", "pickup p50 / p99 ms", "server µs", "client µs")
    for column in (*columns, "commands", "bytes on the wire", "memory: 100 bytes / pointer"):
        table.add_column(column, justify="right")
    for contender in CONTENDERS:
        name = contender.name
        if name not in result.values:
            continue
        table.add_row(
            name,
            _rate(result, name, "enqueue_per_s"),
            _rate(result, name, "bulk_per_s"),
            _rate(result, name, "drain_per_s"),
            _pair(result, name, "pickup_p50_ms", "pickup_p99_ms", " / ", "{:.2f}"),
            _pair(result, name, "enqueue_server_us", "drain_server_us", " + ", "{:,.0f}"),
            _pair(result, name, "enqueue_client_us", "drain_client_us", " + ", "{:,.0f}"),
            _pair(result, name, "enqueue_commands", "drain_commands", " + ", "{:.0f}"),
            _pair(result, name, "enqueue_bytes", "drain_bytes", " + ", "{:,.0f}"),
            _pair(result, name, "memory_payload", "memory_pointer", " / ", "{:,.0f}"),
        )
    return table


def _depths(result: Result, style: box.Box) -> Table:
    table = Table(box=style)
    table.add_column("with so many waiting: enqueue/s, drain/s, server µs")
    depths = result.about["depths"]
    for depth in depths:
        table.add_column(f"{depth:,}", justify="right")
    for contender in CONTENDERS:
        name = contender.name
        if result.find_median(name, f"drain_at_{depths[0]}_per_s") is None:
            continue
        cells = []
        for depth in depths:
            rates = _pair(result, name, f"enqueue_at_{depth}_per_s", f"drain_at_{depth}_per_s", "  ", "{:,.0f}")
            costs = _pair(
                result, name, f"enqueue_at_{depth}_server_us", f"drain_at_{depth}_server_us", " + ", "{:,.0f}"
            )
            cells.append(rates if rates == _NOTHING else f"{rates}  ({costs})")
        table.add_row(name, *cells)
    return table


def _targets(result: Result, style: box.Box) -> Table:
    table = Table(box=style)
    table.add_column("target")
    for column in ("limit", "seen", ""):
        table.add_column(column, justify="right")
    for target in list_targets(result):
        sign = "≤" if target.is_ceiling else "≥"
        seen = _NOTHING if target.seen is None else f"{target.seen:.3g}{target.unit}"
        met = {None: "not measured", True: "met", False: "missed"}[target.is_met]
        limit = f"{sign} {target.limit:g}{target.unit}" if target.limit else _NOTHING
        table.add_row(target.sentence, limit, seen, met if target.limit else "")
    return table


def _rate(result: Result, name: str, figure: str) -> str:
    value, ratio = result.find_median(name, figure), result.find_ratio(name, figure)
    if value is None:
        return _NOTHING
    return f"{value:,.0f}" + (f"  {ratio:.2f}×" if ratio is not None else "")


def _pair(result: Result, name: str, first: str, second: str, sign: str, form: str) -> str:
    values = [result.find_median(name, figure) for figure in (first, second)]
    if values == [None, None]:
        return _NOTHING
    return sign.join(_NOTHING if value is None else form.format(value) for value in values)
