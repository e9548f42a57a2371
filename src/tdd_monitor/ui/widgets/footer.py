"""The footer: the keys that are available now, each shown whole or not at all."""

from collections.abc import Sequence

from textual import events

from tdd_monitor.ui.actions import Action
from tdd_monitor.ui.text.parts import Parts, width_of

from .painted import PaintedLines


class KeyLine(PaintedLines):
    """Shows keys with their labels; a click acts like the key."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.actions: list[Action] = []

    def show_actions(self, actions: Sequence[Action], width: int) -> None:
        """Show as many of `actions` as fit, by priority."""
        self.actions = chosen(actions, width)
        self.show([line(self.actions)])

    async def on_click(self, event: events.Click) -> None:
        """Press the key under the pointer."""
        right = 0
        for action in self.actions:
            right += width_of(_label(action))
            if event.x < right:
                self.app.simulate_key(action.keys.partition(",")[0])
                return


def chosen(actions: Sequence[Action], width: int) -> list[Action]:
    """Those of `actions` that fit into `width` cells, in table order."""
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
    """The keys in one line."""
    return tuple(part for action in actions for part in _label(action))
