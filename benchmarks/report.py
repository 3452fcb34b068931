"""Tables for people, and how the targets stand."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.contender import CONTENDERS, FLOOR, ROSQ
from benchmarks.distance import name_distance
from benchmarks.targets import list_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from benchmarks.result import Result, Spread
    from benchmarks.targets import Target

_WIDTH = 190
_NOTHING = "–"


def show(result: Result, *, is_markdown: bool) -> None:
    """Print a result."""
    console = make_console(is_markdown=is_markdown)
    style = box.MARKDOWN if is_markdown else box.SIMPLE_HEAD
    about = result.about
    console.print(
        f"{about['server']}{' and AOF' if about['is_logging'] else ''}, Python {about['python']}, {about['cpus']} "
        f"CPUs, load {about['load_before']:.1f} before and {about.get('load_after', 0.0):.1f} after; {about['rounds']} "
        f"rounds of {about['jobs']:,} jobs (fewer for the slow ones), one worker, 100 bytes. "
        "A rate is the median, then "
        "the best; × is the ratio to the floor: the median of those within each round (least to most). "
        f"Server CPU without the {about['idle_cpu_share'] * 1000:.1f} ms a second that it takes to do nothing."
        f"{' Cut short by --minutes.' if about.get('is_cut_short') else ''}",
        soft_wrap=True,
    )
    console.print()
    tables: list[Callable[[Result, box.Box], Table]] = [
        *(_rates, _costs, _latencies),
        *(functools.partial(_distance, round_trip_ms) for round_trip_ms in about["round_trips_ms"]),
        *(_depths, _lanes, _crowds),
    ]
    for table in tables:
        made = table(result, style)
        if made.row_count:
            console.print(made)
    console.print(table_of_targets(list_targets(result), style))
    for name, reason in result.skipped.items():
        console.print(f"Left out: {name}. {reason}", soft_wrap=True)


def make_console(*, is_markdown: bool) -> Console:
    """Standard output, wide enough."""
    return Console(width=_WIDTH) if not is_markdown else Console(width=400, color_system=None)


def _rates(result: Result, style: box.Box) -> Table:
    columns = {
        "enqueue/s": lambda name: _rate(result, name, "enqueue_per_s"),
        "many/s": lambda name: _rate(result, name, "bulk_per_s"),
        "drain/s": lambda name: _rate(result, name, "drain_per_s"),
    }
    return _table(result, style, "rates: median, best, × the floor", columns)


def _costs(result: Result, style: box.Box) -> Table:
    def pair(first: str, second: str, sign: str, form: str = "{:,.0f}") -> Callable[[str], str]:
        return lambda name: _pair(result, name, first, second, sign, form)

    columns = {
        "server µs": pair("enqueue_server_us", "drain_server_us", " + "),
        "× the floor": lambda name: _ratio(result, name, "life_server_us") if name != FLOOR else "",
        "client µs": pair("enqueue_client_us", "drain_client_us", " + "),
        "round trips": pair("enqueue_round_trips", "drain_round_trips", " + ", "{:.1f}"),
        "commands": pair("enqueue_commands", "drain_commands", " + "),
        "bytes on the wire": pair("enqueue_bytes", "drain_bytes", " + "),
        "memory: 100 bytes / pointer": pair("memory_payload", "memory_pointer", " / "),
    }
    return _table(result, style, "costs of a job: enqueue + run", columns)


def _latencies(result: Result, style: box.Box) -> Table:
    def recovery(name: str) -> str:
        spread, waited_s = result.find_spread(name, "recovery_s"), result.find_median(name, "recovery_waited_s")
        if spread is None and waited_s is None:
            return _NOTHING
        setting = next(each.recovery for each in CONTENDERS if each.name == name)
        waited = [f"not within {waited_s:.0f} s"] if waited_s is not None else []
        return "; ".join([*([_span(spread, "{:.1f}")] if spread is not None else []), *waited]) + f"  {setting}"

    def lateness(name: str) -> str:
        others = result.find_median(name, "delay_others")
        if others is None:
            return _NOTHING
        return f"{_pair(result, name, 'delay_p50_ms', 'delay_p99_ms', ' / ', '{:,.1f}')}  of {others:,.0f}"

    columns = {
        "pickup p50 / p99 ms": lambda name: _pair(result, name, "pickup_p50_ms", "pickup_p99_ms", " / ", "{:.2f}"),
        "× the floor's p50": lambda name: _ratio(result, name, "pickup_p50_ms"),
        "× its p99": lambda name: _ratio(result, name, "pickup_p99_ms"),
        "delayed: late by p50 / p99 ms": lateness,
        "restarted after SIGKILL, s": recovery,
    }
    return _table(result, style, "latencies", columns)


def _distance(round_trip_ms: float, result: Result, style: box.Box) -> Table:
    name = name_distance(round_trip_ms)

    def rate(step: str) -> Callable[[str], str]:
        figure = f"{step}_{name}_per_s"

        def make(contender: str) -> str:
            median = result.find_median(contender, figure)
            if median is None:
                return _NOTHING
            return f"{median:,.0f}" + (f"  {_ratio(result, contender, figure)}" if contender != FLOOR else "")

        return make

    def of_wire(contender: str) -> str:
        spread = result.find_spread(contender, f"drain_{name}_of_wire")
        return _span(spread, "{:.2f}") if spread is not None else _NOTHING

    def of_rosq(contender: str) -> str:
        ratio = result.find_ratio(ROSQ, f"drain_{name}_per_s", contender)
        return _times(ratio) if ratio is not None and contender != ROSQ else ""

    def ping(contender: str) -> str:
        return _pair(result, contender, f"ping_{name}_ms", f"ping_{name}_p99_ms", " / ", "{:.2f}")

    columns = {
        "enqueue/s, × the floor": rate("enqueue"),
        "drain/s, × the floor": rate("drain"),
        "drain, of one a round trip": of_wire,
        "rosq drains, × this one": of_rosq,
        "client µs": lambda contender: _pair(
            result, contender, f"enqueue_{name}_client_us", f"drain_{name}_client_us", " + ", "{:,.0f}"
        ),
        "PING p50 / p99 ms": ping,
    }
    return _table(result, style, f"{round_trip_ms:g} ms in between", columns)


def _depths(result: Result, style: box.Box) -> Table:
    columns = {f"{depth:,}": _steps(result, f"at_{depth}") for depth in result.about["depths"]}
    return _table(result, style, "with so many waiting: enqueue/s, drain/s (server µs)", columns)


def _lanes(result: Result, style: box.Box) -> Table:
    few, *more = result.about["lanes"]

    def ratio(lanes: int, step: str) -> Callable[[str], str]:
        def make(name: str) -> str:
            figures = f"{step}_on_{lanes}_lanes_server_us", f"{step}_on_{few}_lanes_server_us"
            found = result.find_ratio(name, figures[0], name, figures[1])
            return _times(found) if found is not None else _NOTHING

        return make

    def blocks(name: str) -> str:
        spreads = [result.find_spread(name, f"blocks_on_{lanes}_lanes_ms") for lanes in (few, *more)]
        return ", ".join(_span(spread, "{:.1f}") for spread in spreads if spread is not None) or _NOTHING

    columns = {f"{lanes:,}": _steps(result, f"on_{lanes}_lanes") for lanes in (few, *more)}
    for lanes in more:
        columns |= {f"server µs, {lanes:,} × {few}: enqueue": ratio(lanes, "enqueue"), "drain": ratio(lanes, "drain")}
    columns["longest command, ms"] = blocks
    return _table(result, style, "with so many lanes: enqueue/s, drain/s (server µs)", columns)


def _steps(result: Result, where: str) -> Callable[[str], str]:
    """Rates and costs of both steps in one cell, of the figures that are named after what they were measured at."""

    def make(name: str) -> str:
        figures = [f"{step}_{where}_{unit}" for unit in ("per_s", "server_us") for step in ("enqueue", "drain")]
        rates = _pair(result, name, figures[0], figures[1], "  ", "{:,.0f}")
        costs = _pair(result, name, figures[2], figures[3], " + ", "{:,.0f}")
        return rates if rates == _NOTHING else f"{rates}  ({costs})"

    return make


def _crowds(result: Result, style: box.Box) -> Table:
    def cell(workers: int) -> Callable[[str], str]:
        def make(name: str) -> str:
            spread = result.find_spread(name, f"drain_by_{workers}_server_us")
            if spread is None:
                return _NOTHING
            ratio = result.find_ratio(name, f"drain_by_{workers}_server_us", name, "drain_by_1_server_us")
            return f"{spread.median:,.0f}" + (f"  {_times(ratio)}" if ratio is not None and workers > 1 else "")

        return make

    columns = {f"{workers}": cell(workers) for workers in result.about["crowds"]}
    return _table(result, style, "server µs of a drained job by so many workers, × by one", columns)


def table_of_targets(targets: Iterable[Target], style: box.Box) -> Table:
    """How each stands."""
    table = Table(box=style)
    table.add_column("target")
    for column in ("limit", "seen", "least to most", ""):
        table.add_column(column, justify="right")
    table.add_column("beside")
    for target in targets:
        sign = "≤" if target.is_ceiling else "≥"
        seen, spread = _NOTHING, ""
        if target.seen is not None:
            seen = f"{target.seen.median:.3g}{target.unit}"
            spread = f"{target.seen.least:.3g} to {target.seen.most:.3g}"
        limit = f"{sign} {target.limit:g}{target.unit}" if target.limit is not None else _NOTHING
        table.add_row(target.sentence, limit, seen, spread, target.verdict, target.note)
    return table


def table_of_figures(figures: Mapping[str, Spread | None], style: box.Box) -> Table:
    """A line for each that was measured."""
    table = Table(box=style)
    table.add_column("figure")
    table.add_column("median (least to most)", justify="right")
    for name, spread in figures.items():
        table.add_row(name, _span(spread, "{:,.4g}") if spread is not None else _NOTHING)
    return table


def _table(result: Result, style: box.Box, title: str, columns: Mapping[str, Callable[[str], str]]) -> Table:
    """One line for each contender that has something to say."""
    table = Table(box=style)
    table.add_column(title)
    for column in columns:
        table.add_column(column, justify="right")
    for contender in CONTENDERS:
        if contender.name not in result.values:
            continue
        cells = [make(contender.name) for make in columns.values()]
        if any(cell not in (_NOTHING, "") for cell in cells):
            table.add_row(contender.name, *cells)
    return table


def _rate(result: Result, name: str, figure: str) -> str:
    spread = result.find_spread(name, figure)
    if spread is None:
        return _NOTHING
    ratio = _ratio(result, name, figure) if name != FLOOR else ""
    best = result.find_ratio_of_best(name, figure)
    of_best = f", best {best:.2f}×" if best is not None and name != FLOOR else ""
    return f"{spread.median:,.0f}, {spread.most:,.0f}  {ratio}{of_best}".rstrip()


def _ratio(result: Result, name: str, figure: str) -> str:
    ratio = result.find_ratio(name, figure)
    return _times(ratio) if ratio is not None else _NOTHING


def _times(ratio: Spread) -> str:
    return _span(ratio, "{:.2f}", "×")


def _span(spread: Spread, form: str, unit: str = "") -> str:
    median = form.format(spread.median) + unit
    if spread.least == spread.most:
        return median
    return f"{median} ({form.format(spread.least)}–{form.format(spread.most)})"


def _pair(result: Result, name: str, first: str, second: str, sign: str, form: str) -> str:
    values = [result.find_median(name, figure) for figure in (first, second)]
    if values == [None, None]:
        return _NOTHING
    return sign.join(_NOTHING if value is None else form.format(value) for value in values)
