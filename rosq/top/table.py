"""The list of `rosq top`: it fits its columns to the screen, and its cursor stays on its row."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from rosq.top.glance import Listing, Row

if TYPE_CHECKING:
    from textual.binding import BindingType

#: A folded column isn't narrower than this, even if the right of it is off the screen.
_MIN_FOLDED = 20
_SCROLLBAR = 2
NOTHING = Listing(columns=(), rows=(), note="")


class Table(DataTable["str | Text"]):
    """The list: rows, and a cursor that stays on its row while others come and go."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g", "scroll_top", show=False),
        Binding("G", "scroll_bottom", show=False),
        # They belong to the states, and to the steps of the throughput, not to the columns.
        Binding("left,h", "app.turn(-1)", show=False),
        Binding("right,l", "app.turn(1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(cursor_type="row", zebra_stripes=False)
        self._listing = NOTHING
        self._columns: list[tuple[str, int | None]] = []

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        rows = self._listing.rows
        return rows[self.cursor_row] if 0 <= self.cursor_row < len(rows) else None

    def show(self, listing: Listing) -> None:
        """Put other rows in the place of those that are shown."""
        current, scroll_y, rows = self.current, self.scroll_y, listing.rows
        columns = self._measure(listing)
        is_same = columns == self._columns
        self.clear(columns=not is_same)
        if not is_same:
            self._columns = columns
            for name, width in columns:
                self.add_column(name, width=width)
        for row in rows:
            # An id is data: nothing in it is markup.
            cells = (cell if isinstance(cell, Text) else Text(cell) for cell in row.cells)
            self.add_row(*cells, height=None if listing.is_folded else 1)
        self._listing = listing
        place = next((number for number, row in enumerate(rows) if current and row.key == current.key), 0)
        self.cursor_coordinate = Coordinate(place, 0)
        if is_same:
            self.scroll_to(y=scroll_y, animate=False)

    def on_resize(self) -> None:
        """Fold to the new width."""
        if self._listing.is_folded:
            self.show(self._listing)

    def _measure(self, listing: Listing) -> list[tuple[str, int | None]]:
        """The columns with their widths; None is as wide as what is in it."""
        columns: list[tuple[str, int | None]] = [(name, None) for name in listing.columns]
        if listing.is_folded:
            wide = [
                max(cell_len(text) for text in (name, *(str(row.cells[number]) for row in listing.rows)))
                for number, (name, _) in enumerate(columns[:-1])
            ]
            taken = sum(wide) + 2 * self.cell_padding * len(columns) + _SCROLLBAR
            columns[-1] = (columns[-1][0], max(self.size.width - taken, _MIN_FOLDED))
        return columns
