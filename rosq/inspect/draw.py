"""How values look on a screen: durations, times, counts, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

STATE_STYLES = {
    "waiting": "",
    "active": "green",
    "delayed": "yellow",
    "completed": "dim",
    "failed": "red",
    "cancelled": "dim",
}


def duration(seconds: float | None) -> str:
    """Say a duration in at most two units: `3 d 4 h`, `5 min 2 s`, `1.2 s`; a dash for none."""
    if seconds is None:
        return "–"
    sign = "-" if seconds < 0 else ""
    seconds = abs(seconds)
    if seconds < 10:
        return f"{sign}{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, below, small in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{sign}{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{sign}{whole} s"


def moment(when: datetime | None) -> str:
    """Say a time in UTC to the second; a dash for none."""
    return "–" if when is None else f"{when:%Y-%m-%d %H:%M:%S}"


def shown(shown: int, count: int) -> str:
    """Say how much of a list is there: `5`, or `5 of 12 shown`."""
    return str(count) if shown >= count else f"{shown} of {count:,} shown"


def make_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, right: Iterable[str] = ()) -> Table:
    """Make a plain table; ids and sentences are folded rather than cut, so that they can be copied.

    Args:
        right: Names of the columns that are numbers.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    numbers = set(right)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", header_style="dim", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def state_text(state: str) -> Text:
    """A state in its colour."""
    return Text(state, STATE_STYLES.get(state, ""))


def heading(*parts: str) -> Text:
    """The first line of a view: its subject in bold, then what it is about."""
    first, *rest = parts
    text = Text(first, "bold")
    for part in rest:
        text.append(f"  {part}", "dim not bold")
    return text
