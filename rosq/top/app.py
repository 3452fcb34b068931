"""The screen of `rosq top`: head, list, foot, and what the keys do."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input, Static

from rosq import errors
from rosq.inspect.jobs.sources import LISTED
from rosq.inspect.throughput import STEPS_S
from rosq.inspect.words import duration, stamp
from rosq.top.glance import Glance, Page, Wanted
from rosq.top.poller import Poller
from rosq.top.screens import HelpScreen, JobScreen
from rosq.top.table import NOTHING, Table

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
_STEPS = list(STEPS_S)


class Looked(Message):
    """What the poller found."""

    def __init__(self, wanted: Wanted, found: Glance | errors.RosqError) -> None:
        super().__init__()
        self.wanted = wanted
        self.found = found


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
    #pages { height: auto; }
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
        #: How many the doctor was asked for.
        self._examinations = 0
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
        self.post_message(Looked(wanted, found))

    def on_looked(self, looked: Looked) -> None:
        """Show what was found, unless something else is wanted by now."""
        if looked.wanted != self._wanted:
            return
        if isinstance(looked.found, errors.RosqError):
            self._trouble = _say_trouble(looked.found)
        else:
            self._trouble, self._last = None, looked.found
            if looked.found.wanted != self._wanted:
                # Of several queues none is chosen; of one it is that one.
                self._wanted = looked.found.wanted
                self._poller.look_at(self._wanted)
            self._table.show(looked.found.listing)
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
        if self._last.error is not None:
            verdict, sentence = "DAMAGED", "A key of it is of another type than rosq's: page 9, doctor, says which."
            if isinstance(self._last.error, errors.QueueNewer):
                verdict, sentence = "NEWER", str(self._last.error)
            text = Text.assemble((verdict, "bold red"), "  queue ", (self._last.wanted.queue or "", "bold"))
            text.append(f"  {self._address}", "dim")
            return text.append(f"\n  {sentence}", "red")
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
            text.append(" " if number > 1 else "")
            text.append(f"{number} {page}", "reverse" if page is self._wanted.page else "dim")
        choices, chosen = {
            Page.JOBS: (LISTED, self._wanted.state),
            Page.PACE: (_STEPS, self._wanted.step),
        }.get(self._wanted.page, ((), None))
        text.append("\n" if choices else "")
        for each in choices:
            text.append(f" {each} ", "reverse" if each == chosen else "dim")
        return text

    def _draw_foot(self) -> Text:
        is_shown = self._last is not None and _subject_of(self._last.wanted) == _subject_of(self._wanted)
        parts = [self._last.listing.note] if self._last is not None and is_shown else []
        if self._wanted.filter:
            parts.append(f"filter: {self._wanted.filter}")
        parts.append("standing still" if self._is_still else f"every {self._refresh_s:g} s")
        parts.append("? help  q end")
        return Text("  ·  ".join(parts), no_wrap=True, overflow="ellipsis")

    # -- what the keys do ----------------------------------------------------------------------------------------------

    def _go(self, wanted: Wanted, *, is_back: bool = False) -> None:
        if wanted.page is Page.DOCTOR:
            # He examines on entering only.
            if (self._wanted.page, self._wanted.queue) != (Page.DOCTOR, wanted.queue):
                self._examinations += 1
            wanted = dataclasses.replace(wanted, examination=self._examinations)
        if wanted == self._wanted:
            return
        if not is_back:
            self._past.append(self._wanted)
        if _subject_of(wanted) != _subject_of(self._wanted):
            # Rows of another page mustn't stand under this one's name, however long the look takes.
            self._table.show(NOTHING)
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
        """Of the jobs: go to the state beside this one. Of the throughput: count by the step beside this one."""
        if self._wanted.page is Page.JOBS:
            number = (LISTED.index(self._wanted.state) + step) % len(LISTED)
            self._go(dataclasses.replace(self._wanted, state=LISTED[number]), is_back=True)
        elif self._wanted.page is Page.PACE:
            number = (_STEPS.index(self._wanted.step) + step) % len(_STEPS)
            self._go(dataclasses.replace(self._wanted, step=_STEPS[number]), is_back=True)

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
        """Look again now; on the doctor's page, let him examine anew."""
        if self._wanted.page is Page.DOCTOR:
            self._examinations += 1
            self._wanted = dataclasses.replace(self._wanted, examination=self._examinations)
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


def _say_trouble(error: errors.RosqError) -> str:
    if isinstance(error, errors.QueueDamaged):
        return f"DAMAGED  {error} Here it is page 9."
    if isinstance(error, errors.QueueNewer):
        return f"NEWER  {error}"
    kind = "UNREACHABLE" if isinstance(error, errors.ServerUnreachable) else "FAILED"
    return f"{kind}  {error} Trying again."


def _subject_of(wanted: Wanted) -> tuple[object, ...]:
    return wanted.page, wanted.queue, wanted.state, wanted.step
