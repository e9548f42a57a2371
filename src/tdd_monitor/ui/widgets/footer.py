"""The line of keys at the bottom: only those that work here and now, and only whole ones."""

from collections.abc import Sequence

from textual import events

from tdd_monitor.ui.actions import Action
from tdd_monitor.ui.text.parts import Parts, width_of

from .painted import PaintedLines


class KeyLine(PaintedLines):
    """Shows keys with their labels; a click does what the key does."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.actions: list[Action] = []

    def show_actions(self, actions: Sequence[Action], width: int) -> None:
        """Show as many of `actions` as fit, the most wanted first."""
        self.actions = chosen(actions, width)
        self.show([line(self.actions)])

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        right = 0
        for action in self.actions:
            right += width_of(_label(action))
            if event.x < right:
                self.app.simulate_key(action.keys.partition(",")[0])
                return


def chosen(actions: Sequence[Action], width: int) -> list[Action]:
    """Those of `actions` that fit into `width` cells, in the order of the table."""
    kept: list[Action] = []
    left = width
    for action in sorted((action for action in actions if action.footer), key=lambda action: action.footer):
        needed = width_of(_label(action))
        if needed <= left:
            kept.append(action)
            left -= needed
    return sorted(kept, key=actions.index)


def _label(action: Action) -> Parts:
    return ((f" {action.key_names()[0]} ", "key"), (f"{action.label} ", "dim"))


def line(actions: Sequence[Action]) -> Parts:
    """The keys one after the other."""
    return tuple(part for action in actions for part in _label(action))
