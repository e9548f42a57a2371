"""A scrolling view of rows with a cursor and the movement keys.

It draws only the visible lines, so its cost does not depend on the number of rows.
"""

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tdd_monitor.ui import actions
from tdd_monitor.ui.text.parts import Target
from tdd_monitor.ui.textual_internals import show_border_subtitle

from .painted import Painted


class RowsView(Painted, ScrollView, can_focus=True, inherit_bindings=False):
    """Base of the test table and of every list and text; subclasses provide the rows."""

    BINDINGS = actions.bindings("rows")
    HEAD = 0  # fixed lines at the top

    @dataclass
    class Opened(Message):
        """The user pressed enter on, or double-clicked, a row with a target."""

        target: Target

    class Moved(Message):
        """The user moved the cursor to another row."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.cursor = 0
        self._titles = ("", "")

    # To be implemented by subclasses

    def row_count(self) -> int:
        """The number of rows."""
        raise NotImplementedError

    def row_strip(self, index: int, width: int) -> Strip:
        """One row, painted."""
        raise NotImplementedError

    def head_strip(self, y: int, width: int) -> Strip:
        """One of the `HEAD` lines at the top."""
        raise NotImplementedError

    def target_at(self, index: int) -> Target | None:
        """The target that enter opens on a row."""
        raise NotImplementedError

    @property
    def cursor_role(self) -> str:
        """The role of the row under the cursor: brighter if the view has the focus."""
        return "cursor" if self.has_focus else "cursor-away"

    def next_stop(self, index: int, step: int) -> int:
        """The row where the cursor stops when moving from `index` in the direction of `step`."""
        return min(max(0, self.row_count() - 1), max(0, index))

    # Drawing

    @property
    def page(self) -> int:
        """The number of rows that fit."""
        return max(1, self.scrollable_content_region.height - self.HEAD)

    @property
    def inner_width(self) -> int:
        """The width of a line, in cells."""
        return max(0, self.scrollable_content_region.width)

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        width = self.inner_width
        if y < self.HEAD:
            return self.head_strip(y, width)
        index = y - self.HEAD + self.scroll_offset.y
        if index >= self.row_count():
            return self.paint((), width)
        return self.row_strip(index, width)

    def show_titles(self, title: str, subtitle: str = "") -> None:
        """Show these titles on the border."""
        before, self._titles = self._titles, (title, subtitle)
        # Setting one repaints the whole view, even if it is the same.
        if title != before[0]:
            self.border_title = title
        if subtitle != before[1]:
            show_border_subtitle(self, subtitle)

    def refresh_row(self, index: int) -> None:
        """Repaint one row if it is visible."""
        if 0 <= index - self.scroll_offset.y < self.page:
            self.refresh_line(index + self.HEAD)

    # Moving

    def move_to(self, index: int, step: int = 1) -> None:
        """Move the cursor to a row on behalf of the user."""
        before = self.cursor
        self.place(self.next_stop(index, step))
        if before != self.cursor:
            self.cursor_moved()

    def place(self, index: int) -> None:
        """Put the cursor on a row and scroll it into view."""
        before, self.cursor = self.cursor, index
        self.refresh_row(before)
        self.refresh_row(index)
        self.reveal(index)

    def cursor_moved(self) -> None:
        """Report that the user moved the cursor to another row."""
        self.post_message(self.Moved())

    def reveal(self, index: int) -> None:
        """Scroll a row into view, no further than necessary."""
        top = self.scroll_offset.y
        if index < top:
            self.scroll_to(y=index, animate=False, force=True)
        elif index >= top + self.page:
            self.scroll_to(y=index - self.page + 1, animate=False, force=True)

    def action_cursor_down(self) -> None:
        """Go to the next row."""
        self.move_to(self.cursor + 1)

    def action_cursor_up(self) -> None:
        """Go to the previous row."""
        self.move_to(self.cursor - 1, -1)

    def action_cursor_top(self) -> None:
        """Go to the first row."""
        self.move_to(0)
        self.scroll_to(y=0, animate=False, force=True)

    def action_cursor_bottom(self) -> None:
        """Go to the last row."""
        self.move_to(self.row_count() - 1, -1)
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def action_page_down(self) -> None:
        """Go a page down."""
        self.move_to(self.cursor + self.page)

    def action_page_up(self) -> None:
        """Go a page up."""
        self.move_to(self.cursor - self.page, -1)

    def action_scroll_left(self) -> None:
        """Scroll long lines to the left."""
        self.scroll_to(x=max(0, self.scroll_offset.x - 8), animate=False, force=True)

    def action_scroll_right(self) -> None:
        """Scroll long lines to the right."""
        self.scroll_to(x=self.scroll_offset.x + 8, animate=False, force=True)

    def action_open(self) -> None:
        """Open the target of the row."""
        target = self.target_at(self.cursor) if self.cursor < self.row_count() else None
        if target is not None:
            self.post_message(self.Opened(target))

    def on_click(self, event: events.Click) -> None:
        """Go to a row on a click, open it on a double click."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < self.HEAD:
            return
        index = offset.y - self.HEAD + self.scroll_offset.y
        if index < self.row_count():
            self.move_to(index)
            if event.chain == 2 and index == self.cursor:
                self.action_open()
