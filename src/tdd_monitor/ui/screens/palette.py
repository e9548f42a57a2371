"""The command palette: the available actions, searched by name."""

from functools import partial

from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider

from tdd_monitor.ui import actions

from .live import LiveScreen


class ActionPalette(CommandPalette):
    """Textual's palette, which raises KeyError when asked to page a list without height."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable list commands while the list has no height."""
        if action == "command_list" and not self.query_one(CommandList).scrollable_content_region:
            return False
        return super().check_action(action, parameters)


class ActionProvider(Provider):
    """Offers the actions that are available on the current screen."""

    def _usable(self) -> list[actions.Action]:
        screen = self.screen
        if not isinstance(screen, LiveScreen):
            return []
        return [
            action
            for action in actions.usable(screen.PLACES, screen.facts())
            if not action.id.startswith("move.") and action.id != "monitor.palette"
        ]

    async def discover(self) -> Hits:
        """Offer all of them before anything is typed."""
        for action in self._usable():
            yield DiscoveryHit(_title(action), self._press(action), help=action.label)

    async def search(self, query: str) -> Hits:
        """Offer those that match."""
        matcher = self.matcher(query)
        for action in self._usable():
            score = matcher.match(_title(action))
            if score > 0:
                yield Hit(score, matcher.highlight(_title(action)), self._press(action), help=action.label)

    def _press(self, action: actions.Action) -> "partial[None]":
        return partial(self.app.simulate_key, action.keys.partition(",")[0])


def _title(action: actions.Action) -> str:
    return f"{action.help}  ({action.key_names()[0]})"
