"""A view of rows composed elsewhere: a panel's figures, a traceback, the help."""

from collections.abc import Sequence

from textual.geometry import Size
from textual.strip import Strip

from tdd_monitor.ui.text.parts import Row, Target, width_of

from .rows import RowsView


class LinesView(RowsView):
    """A list of rows. The cursor stops at rows with a target or, with `every_row`, at every one."""

    def __init__(self, every_row: bool = False, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: Sequence[Row] = ()
        self.every_row = every_row

    def show(self, rows: Sequence[Row], reset: bool = False) -> None:
        """Show these rows; the cursor stays on its target, unless `reset`."""
        if rows == self.rows and not reset:
            return
        held = None if reset else self.target_at(self.cursor)
        self.rows = rows
        if held is not None and self.target_at(self.cursor) != held:
            places = (index for index, row in enumerate(rows) if row.target == held)
            self.cursor = next(places, self.cursor)
        self.cursor = self.next_stop(0 if reset else self.cursor, 1)
        widest = max((width_of(row.parts) for row in rows), default=0) if self.every_row else 0
        self.virtual_size = Size(widest if widest > self.inner_width else 0, len(rows))
        if reset:
            self.scroll_to(0, 0, animate=False, force=True)
        self.refresh()

    def row_count(self) -> int:
        """The number of rows."""
        return len(self.rows)

    def target_at(self, index: int) -> Target | None:
        """The target that enter opens on a row."""
        return self.rows[index].target if 0 <= index < len(self.rows) else None

    def next_stop(self, index: int, step: int) -> int:
        """The nearest row in that direction where the cursor stops, else the row where it is."""
        index = super().next_stop(index, step)
        if self.every_row or not self.rows:
            return index
        towards = range(index, len(self.rows)) if step > 0 else range(index, -1, -1)
        back = range(index, -1, -1) if step > 0 else range(index, len(self.rows))
        return next((i for way in (towards, back) for i in way if self.rows[i].target), index)

    @property
    def has_stops(self) -> bool:
        """True if any row has a target."""
        return any(row.target for row in self.rows)

    def action_cursor_down(self) -> None:
        """Go to the next row; scroll if no row has a target."""
        if self.every_row or self.has_stops:
            super().action_cursor_down()
        else:
            self.scroll_to(y=self.scroll_offset.y + 1, animate=False, force=True)

    def action_cursor_up(self) -> None:
        """Go to the previous row; scroll if no row has a target."""
        if self.every_row or self.has_stops:
            super().action_cursor_up()
        else:
            self.scroll_to(y=self.scroll_offset.y - 1, animate=False, force=True)

    def row_strip(self, index: int, width: int) -> Strip:
        """One row, painted."""
        row = self.rows[index]
        on_cursor = index == self.cursor and self.has_focus and (self.every_row or row.target is not None)
        left = self.scroll_offset.x
        strip = self.paint(
            row.parts, max(width, self.virtual_size.width), *(("cursor",) if on_cursor else ())
        )
        return strip.crop(left, left + width)

    def text(self) -> str:
        """The plain text of the rows."""
        return "\n".join("".join(text for text, _role in row.parts).rstrip() for row in self.rows)
