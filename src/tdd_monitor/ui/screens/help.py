"""The help: all keys, from the table of actions, with a reason for each that is unavailable."""

from collections.abc import Iterator
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen

from tdd_monitor.ui import actions
from tdd_monitor.ui.text import format
from tdd_monitor.ui.text.parts import Part, Parts, Row, row, width_of
from tdd_monitor.ui.widgets import LinesView

KEYS_WIDTH = 12
TWO_COLUMNS = 96


class HelpScreen(ModalScreen[None]):
    """The keys by group, in two columns if they fit."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,question_mark", "dismiss(None)", "back")]

    def __init__(self, facts: frozenset[str]) -> None:
        super().__init__()
        self._facts = facts
        self.body = LinesView(id="help")

    def compose(self) -> ComposeResult:
        """One bordered list."""
        yield self.body

    def on_mount(self) -> None:
        """Show on the border how to go back."""
        self.body.border_title = "Keys"
        self.body.border_subtitle = "esc back"
        self.body.focus()

    def on_resize(self, event: events.Resize) -> None:
        """Compose for the new width."""
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        self.body.show(list(rows(self._facts, self.body.inner_width)))


def rows(facts: frozenset[str], width: int) -> Iterator[Row]:
    """The help, laid out for `width` cells."""
    column = (width - 2) // 2 if width >= TWO_COLUMNS else width
    groups = [list(_group(name, members, facts, column)) for name, members in actions.by_group()]
    if column == width:
        yield from (Row(parts) for parts in _joined(groups))
        return
    left, right = _halves(groups)
    for number in range(max(len(left), len(right))):
        one = left[number] if number < len(left) else ()
        other = right[number] if number < len(right) else ()
        yield row(*one, (" " * (column + 2 - width_of(one)), "text"), *other)


def _group(name: str, members: list[actions.Action], facts: frozenset[str], width: int) -> Iterator[Parts]:
    yield ((name, "head"),)
    for action in members:
        keys = format.fit(" ".join(action.key_names()), KEYS_WIDTH)
        refusal = "" if actions.is_quiet(action) else actions.refusal(action, facts)
        text = f"{action.help} (not now: {refusal.rstrip('.')})" if refusal else action.help
        for number, line in enumerate(format.wrap(text, width - KEYS_WIDTH - 3)):
            first: Part = (f"  {keys if not number else ' ' * KEYS_WIDTH}", "key")
            yield (first, (line, "dim" if refusal else "text"))


def _joined(groups: list[list[Parts]]) -> list[Parts]:
    lines: list[Parts] = []
    for group in groups:
        lines += [*([()] if lines else []), *group]
    return lines


def _halves(groups: list[list[Parts]]) -> tuple[list[Parts], list[Parts]]:
    """Split into two columns of about the same height, without breaking a group."""
    total = sum(len(group) for group in groups)
    height = cut = 0
    while cut < len(groups) and height + len(groups[cut]) / 2 < total / 2:
        height += len(groups[cut])
        cut += 1
    return _joined(groups[:cut]), _joined(groups[cut:])
