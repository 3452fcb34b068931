"""How values look on a screen: states, tables, headings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from rosq.inspect.words import in_zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rosq.inspect.parts import WorkerView

STATE_STYLES = {
    "waiting": "",
    "active": "green",
    "delayed": "yellow",
    "completed": "dim",
    "failed": "red",
    "cancelled": "dim",
    "forgotten": "dim",
}
WORKER_STYLES = {"busy": "green", "idle": "dim", "lost": "red"}
#: Of pending entries.
VERDICT_STYLES = {
    "healthy": "green",
    "expired": "yellow",
    "lost": "yellow",
    "vanished": "yellow",
    "overlong": "yellow",
    "orphan": "red",
}
LEVEL_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "bold red"}
#: Of queues that can't be looked at, in the list of all, by their verdict.
UNREADABLE = {
    "DAMAGED": Text("DAMAGED: run rosq doctor", "bold red"),
    "NEWER": Text("NEWER: upgrade rosq here", "bold red"),
}


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


def worker_state(worker: WorkerView) -> Text:
    """What a worker does, in its colour; of one whose handler rests, until when."""
    rests = "" if worker.resting_until is None else f", rests until {in_zone(worker.resting_until):%H:%M:%S}"
    return Text(worker.state + rests, WORKER_STYLES.get(worker.state, ""))


def heading(*parts: str) -> Text:
    """The first line of a view: its subject in bold, then what it is about."""
    first, *rest = parts
    text = Text(first, "bold")
    for part in rest:
        text.append(f"  {part}", "dim not bold")
    return text
