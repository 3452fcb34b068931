"""The screen of `rosq top`: head, list, foot, and what the keys do."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App
from textual.binding import Binding
from textual.coordinate import Coordinate
from textual.message import Message
from textual.widgets import DataTable, Input, Static

from rosq import errors
from rosq.inspect.sources import LISTED
from rosq.inspect.words import duration, stamp
from rosq.top.glance import Glance, Page, Row, Wanted
from rosq.top.poller import Poller
from rosq.top.screens import HelpScreen, JobScreen

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import RenderableType
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from rosq.inspect.inspector import Inspector

#: Seconds between two looks that `+` and `-` go through.
_PACES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
#: Problems that the head names.
_MAX_PROBLEMS = 3


class Told(Message):
    """What the poller found."""

    def __init__(self, wanted: Wanted, found: Glance | errors.RosqError) -> None:
        super().__init__()
        self.wanted = wanted
        self.found = found


class Table(DataTable["str | Text"]):
    """The list: rows, and a cursor that stays on its row while others come and go."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g", "scroll_top", show=False),
        Binding("G", "scroll_bottom", show=False),
        # They belong to the states, not to the columns.
        Binding("left,h", "app.turn(-1)", show=False),
        Binding("right,l", "app.turn(1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(cursor_type="row", zebra_stripes=False)
        self._shown: list[Row] = []
        self._columns: tuple[str, ...] = ()

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self._shown[self.cursor_row] if 0 <= self.cursor_row < len(self._shown) else None

    def show(self, columns: tuple[str, ...], rows: list[Row]) -> None:
        """Put other rows in the place of those that are shown."""
        current, scroll_y = self.current, self.scroll_y
        is_same = columns == self._columns
        self.clear(columns=not is_same)
        if not is_same:
            self._columns = columns
            self.add_columns(*columns)
        for row in rows:
            # An id is data: nothing in it is markup.
            self.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row.cells))
        self._shown = rows
        place = next((number for number, row in enumerate(rows) if current and row.key == current.key), 0)
        self.cursor_coordinate = Coordinate(place, 0)
        if is_same:
            self.scroll_to(y=scroll_y, animate=False)


class TopApp(App[None]):
    """Shows pages of a queue until it is ended. Ends with 0 by `q`, Ctrl-C, SIGINT and SIGTERM.

    Args:
        refresh_s: Seconds between two looks, to begin with.
    """

    TITLE = "rosq top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: ansi_default; }
    .head { height: auto; }
    #pages { height: 1; }
    Table { height: 1fr; background: ansi_default; }
    #filter { height: 1; border: none; padding: 0; }
    #foot { height: 1; text-style: dim; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"page('{page}')", show=False) for number, page in enumerate(Page, start=1)),
        Binding("tab", "next_page(1)", show=False, priority=True),
        Binding("shift+tab", "next_page(-1)", show=False, priority=True),
        Binding("escape,backspace", "go_back", show=False),
        # Before anybody else, so that what is typed right after them goes where it belongs.
        Binding("slash", "filter", show=False, priority=True),
        Binding("enter", "keep_filter", show=False, priority=True),
        Binding("r,ctrl+l", "look", show=False),
        Binding("plus,equals_sign", "pace(-1)", show=False),
        Binding("minus", "pace(1)", show=False),
        Binding("space", "stand_still", show=False),
        Binding("question_mark", "help", show=False),
        Binding("q", "quit", show=False),
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False),
    ]

    def __init__(self, inspector: Inspector, *, address: str, queue: str | None, refresh_s: float) -> None:
        super().__init__(ansi_color=True)
        self._address = address
        self._refresh_s = refresh_s
        self._is_still = False
        page = Page.QUEUES if queue is None else Page.JOBS
        self._wanted = Wanted(page=page, queue=queue)
        self._past: list[Wanted] = []
        self._last: Glance | None = None
        self._trouble: str | None = None
        self._poller = Poller(inspector, self._wanted, self._tell, every_s=refresh_s)
        self._head = Static(f"rosq top  {address}  looking …", classes="head")
        self._pages = Static(id="pages")
        self._table = Table()
        self._filter = Input(id="filter", placeholder="show only rows with …", compact=True)
        self._filter.display = False
        self._foot = Static(id="foot")

    def compose(self) -> ComposeResult:
        """Make the screen."""
        yield self._head
        yield self._pages
        yield self._table
        yield self._filter
        yield self._foot

    def on_mount(self) -> None:
        """Begin to look, and end in order when the process is told to."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit)
        self._table.focus()
        self._draw()
        self._poller.start()

    def on_unmount(self) -> None:
        """Look no more."""
        self._poller.stop()

    # -- what was found ------------------------------------------------------------------------------------------------

    def _tell(self, wanted: Wanted, found: Glance | errors.RosqError) -> None:
        self.post_message(Told(wanted, found))

    def on_told(self, told: Told) -> None:
        """Show what was found, unless something else is wanted by now."""
        if told.wanted != self._wanted:
            return
        if isinstance(told.found, errors.RosqError):
            kind = "UNREACHABLE" if isinstance(told.found, errors.ServerUnreachable) else "FAILED"
            self._trouble = f"{kind}  {told.found} Trying again."
        else:
            self._trouble, self._last = None, told.found
            if told.found.wanted != self._wanted:
                # Of several queues none is chosen; of one it is that one.
                self._wanted = told.found.wanted
                self._poller.look_at(self._wanted)
            listing = told.found.listing
            self._table.show(tuple(listing.columns), list(listing.rows))
        self._draw()

    def _draw(self) -> None:
        self._head.update(self._draw_head())
        self._pages.update(self._draw_pages())
        self._foot.update(self._draw_foot())
        screen = self.screen
        if isinstance(screen, JobScreen):
            if self._trouble is not None:
                screen.show_trouble(self._trouble)
            elif self._last is not None and self._last.job is not None and self._last.job.job_id == screen.job_id:
                screen.show(self._last.job)

    def _draw_head(self) -> RenderableType:
        if self._trouble is not None:
            seen = f"\nWhat is shown was seen {stamp(self._seen_at())}." if self._last and self._seen_at() else ""
            return Text(self._trouble + seen, "bold red")
        if self._last is None:
            return Text(f"rosq top  {self._address}  looking …", "dim")
        overview = self._last.overview
        if overview is None:
            return Text.assemble(("rosq top", "bold"), f"  {self._address}  choose a queue")
        style = "bold green" if overview.verdict == "OK" else "bold red"
        text = Text.assemble((overview.verdict, style), "  queue ", (overview.queue, "bold"))
        text.append(f"  {stamp(overview.seen_at)}  {self._address}", "dim")
        text.append(
            f"\nwaiting {overview.waiting:,} (oldest {duration(overview.oldest_waiting_s)})  active {overview.active:,}"
            f"  delayed {overview.delayed:,}  failed {overview.failed:,}  completed {overview.completed:,}"
        )
        problems = [*overview.inconsistencies, *overview.problems]
        for sentence in problems[:_MAX_PROBLEMS]:
            text.append(f"\n  {sentence}", "red")
        if len(problems) > _MAX_PROBLEMS:
            text.append(f"\n  … and {len(problems) - _MAX_PROBLEMS} more: rosq inspect", "red")
        return text

    def _seen_at(self) -> datetime | None:
        return self._last.overview.seen_at if self._last and self._last.overview else None

    def _draw_pages(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        for number, page in enumerate(Page, start=1):
            text.append(f" {number} {page} ", "reverse" if page is self._wanted.page else "dim")
            text.append(" ")
        if self._wanted.page is Page.JOBS:
            text.append("  ")
            for state in LISTED:
                text.append(f" {state} ", "reverse" if state is self._wanted.state else "dim")
        return text

    def _draw_foot(self) -> Text:
        parts = [self._last.listing.note] if self._last is not None else []
        if self._wanted.filter:
            parts.append(f"filter: {self._wanted.filter}")
        parts.append("standing still" if self._is_still else f"every {self._refresh_s:g} s")
        parts.append("? help  q end")
        return Text("  ·  ".join(parts), no_wrap=True, overflow="ellipsis")

    # -- what the keys do ----------------------------------------------------------------------------------------------

    def _go(self, wanted: Wanted, *, is_back: bool = False) -> None:
        if wanted == self._wanted:
            return
        if not is_back:
            self._past.append(self._wanted)
        if (wanted.page, wanted.queue, wanted.state) != (self._wanted.page, self._wanted.queue, self._wanted.state):
            # Rows of another page mustn't stand under this one's name, however long the look takes.
            self._table.show((), [])
        self._wanted = wanted
        self._poller.look_at(wanted)
        self._draw()

    def on_data_table_row_selected(self) -> None:
        """Open what is under the cursor."""
        row = self._table.current
        if row is None or row.opens is None:
            return
        if row.opens.job_id is not None:
            self.push_screen(JobScreen(row.opens.job_id))
        self._go(row.opens)

    def action_go_back(self) -> None:
        """Close what is open; else show all rows again; else go to where the user came from."""
        if len(self.screen_stack) > 1:
            is_job = isinstance(self.screen, JobScreen)
            self.pop_screen()
            if is_job and self._past:
                self._go(self._past.pop(), is_back=True)
        elif self._filter.display:
            self.action_keep_filter()
            self._go(dataclasses.replace(self._wanted, filter=""), is_back=True)
        elif self._past:
            self._go(self._past.pop(), is_back=True)
        elif self._wanted.filter:
            self._go(dataclasses.replace(self._wanted, filter=""), is_back=True)

    def action_page(self, name: str) -> None:
        """Go to a page."""
        if len(self.screen_stack) == 1:
            self._go(Wanted(page=Page(name), queue=self._wanted.queue))

    def action_next_page(self, step: int) -> None:
        """Go to the page beside this one."""
        pages = list(Page)
        self.action_page(pages[(pages.index(self._wanted.page) + step) % len(pages)])

    def action_turn(self, step: int) -> None:
        """Of the jobs: go to the state beside this one."""
        if self._wanted.page is Page.JOBS:
            number = (LISTED.index(self._wanted.state) + step) % len(LISTED)
            self._go(dataclasses.replace(self._wanted, state=LISTED[number]), is_back=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key means an action now: while a filter is typed, `/` is a letter; else Enter opens a row."""
        is_list = len(self.screen_stack) == 1
        if action == "filter":
            return is_list and not self._filter.display
        if action == "keep_filter":
            return is_list and bool(self._filter.display)
        return True

    def action_filter(self) -> None:
        """Ask what to look for."""
        self._filter.value = self._wanted.filter
        self._filter.display = True
        self.screen.set_focus(self._filter)

    def action_keep_filter(self) -> None:
        """Keep the filter, and give the keys back to the list."""
        self._filter.display = False
        self.screen.set_focus(self._table)

    def on_input_changed(self, changed: Input.Changed) -> None:
        """Filter while it is typed."""
        if self._filter.display:
            self._go(dataclasses.replace(self._wanted, filter=changed.value), is_back=True)

    def action_look(self) -> None:
        """Look again now."""
        self._poller.look_at(self._wanted)
        self.refresh(repaint=True, layout=True)

    def action_pace(self, step: int) -> None:
        """Look more or less often."""
        nearest = min(range(len(_PACES_S)), key=lambda number: abs(_PACES_S[number] - self._refresh_s))
        self._refresh_s = _PACES_S[min(max(nearest + step, 0), len(_PACES_S) - 1)]
        self._poller.set_pace(self._refresh_s, is_idle=self._is_still)
        self._draw()

    def action_stand_still(self) -> None:
        """Look no more until told to; or go on."""
        self._is_still = not self._is_still
        self._poller.set_pace(self._refresh_s, is_idle=self._is_still)
        self._draw()

    def action_help(self) -> None:
        """Say what the keys do."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())
