"""Keys that are pressed on the screen, and where that leads."""

from support import streams
from textual.pilot import Pilot

from tdd_monitor.ui.app import MonitorApp
from tdd_monitor.ui.screens.main import MainScreen

SIZE = (110, 36)
FAILED = [script.nodeid for script in streams.SHOP if script.outcome in ("failed", "error")]


def main(app: MonitorApp) -> MainScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, MainScreen)
    return screen


def cursor(app: MonitorApp) -> int:
    return main(app).table.cursor


def focus(app: MonitorApp) -> str | None:
    focused = app.focused
    return focused.id if focused is not None else None


def view(app: MonitorApp) -> str:
    return main(app).table.listing.view


def last_request(app: MonitorApp) -> object:
    return app.control.requests[-1]  # type: ignore[attr-defined]


def shown(app: MonitorApp) -> str:
    return type(app.screen).__name__


def notes(app: MonitorApp) -> list[str]:
    return [str(note.message) for note in app._notifications]


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys in turn, each after the previous one has been handled, and draw everything."""
    await pilot.press(*keys)
    if isinstance(pilot.app, MonitorApp) and pilot.app.is_running and pilot.app.screen_stack:
        pilot.app.repaint()
        await pilot.pause()
