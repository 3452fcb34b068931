"""Where the time goes, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from benchmarks.report import make_console

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.profile import Profile, Share

_LEAST_US = 0.05


def show_profiles(profiles: dict[str, list[Profile]], *, is_markdown: bool) -> None:
    """Print the profiles of some contenders."""
    console = make_console(is_markdown=is_markdown)
    style = box.MARKDOWN if is_markdown else box.SIMPLE_HEAD
    for step in ("enqueue", "drain"):
        chosen = {name: each for name, steps in profiles.items() for each in steps if each.step == step}
        table = Table(box=style)
        table.add_column(f"{step}: µs a job")
        for name in chosen:
            table.add_column(name, justify="right")
        for title, read in _LINES:
            table.add_row(title, *(f"{read(each):,.1f}" for each in chosen.values()))
        console.print(table)
        for name, each in chosen.items():
            console.print(_shares(f"{name}, {step}: the server's commands", each.commands, style))
    for name, steps in profiles.items():
        for each in steps:
            if each.functions:
                console.print(
                    _shares(f"{name}, {each.step}: the client by module, under cProfile", each.modules, style)
                )
                console.print(_shares(f"{name}, {each.step}: by function, under cProfile", each.functions, style))


_LINES: tuple[tuple[str, Callable[[Profile], float]], ...] = (
    ("the whole job, by the clock", lambda each: each.wall_us),
    ("CPU of the server's process", lambda each: each.server_us),
    ("… in scripts, by INFO commandstats", lambda each: each.script_us),
    ("…… in the commands that they call", lambda each: each.called_us),
    ("…… the scripts around them", lambda each: each.script_us - each.called_us),
    (
        "… outside of commands: sockets, parsing, the event loop",
        lambda each: each.server_us - (each.script_us or sum(share.us for share in each.commands)),
    ),
    ("CPU of the client's process", lambda each: each.client_us),
    ("neither: the kernel waking one for the other", lambda each: each.wall_us - each.server_us - each.client_us),
)


def _shares(title: str, shares: list[Share], style: box.Box) -> Table:
    table = Table(box=style)
    table.add_column(title)
    for column in ("µs", "calls a job"):
        table.add_column(column, justify="right")
    for share in shares:
        if share.us >= _LEAST_US:
            table.add_row(share.what, f"{share.us:,.1f}", "" if share.calls is None else f"{share.calls:,.2f}")
    return table
