"""The screens over the list: one job with its explanation, and the help."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.text import Text
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from rosq.inspect.draw import views as draw_views
from rosq.inspect.draw.screen import make_table
from rosq.inspect.words import stamp

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from rosq.inspect.job.job_view import JobView

_KEYS = (
    ("1 … 9, Tab", "the pages: queues, jobs, workers, lanes, pending, errors, events, pace, doctor"),
    ("↑ ↓, j k", "up and down; g G first and last, PgUp PgDn a page"),
    (
        "← →, h l",
        "jobs: active, waiting, delayed, failed, completed, cancelled; pace: what finished, by minute, hour, day",
    ),
    ("Enter", "open: a queue's jobs, a lane's jobs, the jobs of an error, one job with its explanation"),
    ("Esc", "back; on a page with a filter: show all again"),
    ("/", "show only rows with this in them (a regular expression, upper and lower case alike)"),
    ("r", "look again now; the doctor examines on entering his page and by this key only"),
    ("+ -", "look more or less often"),
    ("Space", "stand still; again: go on"),
    ("?", "this help"),
    ("q, Ctrl-C", "end"),
)


class _Scrolled(Screen[None]):
    """Text that is scrolled with the same keys as a list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,q", "app.go_back", "back"),
        Binding("j,down", "scroll_down", show=False),
        Binding("k,up", "scroll_up", show=False),
        Binding("g,home", "scroll_home", show=False),
        Binding("G,end", "scroll_end", show=False),
    ]

    def action_scroll_down(self) -> None:
        """A line down."""
        self.query_one(VerticalScroll).scroll_down(animate=False)

    def action_scroll_up(self) -> None:
        """A line up."""
        self.query_one(VerticalScroll).scroll_up(animate=False)

    def action_scroll_home(self) -> None:
        """To the top."""
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_scroll_end(self) -> None:
        """To the end."""
        self.query_one(VerticalScroll).scroll_end(animate=False)


class HelpScreen(_Scrolled):
    """What the keys do."""

    def compose(self) -> ComposeResult:
        """Make it."""
        rows = [(Text(keys, "bold"), what) for keys, what in _KEYS]
        text = Text("\nIt only reads. What changes a queue are commands of their own: rosq --help.", "dim")
        yield VerticalScroll(Static(Group(Text("rosq top\n", "bold"), make_table(["key", "what it does"], rows), text)))


class JobScreen(_Scrolled):
    """One job: why it isn't running and when it will, facts, hand-outs, events."""

    def __init__(self, job_id: str) -> None:
        super().__init__()
        self.job_id = job_id
        self._head = Static(f"Job {job_id}", classes="head")
        self._body = Static("Looking …")

    def compose(self) -> ComposeResult:
        """Make it."""
        yield self._head
        yield VerticalScroll(self._body)

    def show(self, job: JobView) -> None:
        """Show what the last look found."""
        self._head.update(Text.assemble((f"Job {job.job_id}", "bold"), f"  queue {job.queue}  {stamp(job.seen_at)}"))
        self._body.update(draw_views.draw_job(job))

    def show_trouble(self, sentence: str) -> None:
        """Say that the last look failed; what was found before stays."""
        self._head.update(Text(sentence, "bold red"))
