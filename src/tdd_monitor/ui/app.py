"""The Textual application: starts and stops the control, drives the frames, handles the run keys."""

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import suppress

from textual.actions import ActionParseResult
from textual.app import App, SuspendNotSupported
from textual.command import Provider
from textual.dom import DOMNode

from tdd_monitor.config import Settings
from tdd_monitor.runner.control import Control
from tdd_monitor.session import queries
from tdd_monitor.session.model import RunState
from tdd_monitor.terminal import shell_word

from . import actions
from .frames.feed import Feed
from .frames.pace import FRAMES_PER_SECOND, Collector
from .screens.choice import EndingScreen, QuitScreen
from .screens.live import LiveScreen
from .screens.main import MainScreen
from .styles import css_paths
from .textual_internals import can_suspend, discard_output
from .widgets import RowsView

# Imports that the first frame does not need are deferred to first use.


def _palette() -> type[Provider]:
    from .screens.palette import ActionProvider

    return ActionProvider


class MonitorApp(App[None]):
    """The application. It reads the control's board and keeps no state about tests."""

    TITLE = "tdd-monitor"
    BINDINGS = actions.bindings("app")
    COMMANDS = {_palette}  # noqa: RUF012
    # Textual's declaration of these rules out a ClassVar.
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny-wide"), (60, "-narrow"), (100, "-normal"), (160, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-tiny-high"), (15, "-short"), (20, "-low"), (32, "-medium"), (46, "-tall")]  # noqa: RUF012

    def __init__(self, control: Control, settings: Settings) -> None:
        super().__init__(css_path=[str(path) for path in css_paths()])
        self.animation_level = "none"
        self.control = control
        self.settings = settings
        self.feed = Feed(control)
        self._collector = Collector()
        self._stopped = False
        self._leaving: asyncio.Task[None] | None = None

    # Lifecycle and frames

    def get_default_screen(self) -> MainScreen:
        """Start on the main screen, so that no other screen flashes first."""
        return MainScreen(self.feed.view())

    def on_mount(self) -> None:
        """Show the first frame; start the control afterwards."""
        if self.settings.theme in self.available_themes:
            self.theme = self.settings.theme
        else:
            known = ", ".join(sorted(self.available_themes))
            self.notify(f"Unknown theme '{self.settings.theme}'. Available: {known}", severity="warning")
        self.set_interval(1 / FRAMES_PER_SECOND, self._frame)
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        """Start what the first frame does not need."""
        self._collector.start()  # the command line disables collections for a faster start
        await self.control.start()

    def _frame(self) -> None:
        if not self.is_running:
            return  # shutting down: the screens are being removed
        run = self.control.board.session.run
        self._collector.tick(run is not None and run.active, time.perf_counter())
        frame = self.feed.tick()
        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen) and screen.is_mounted:
                if frame is not None:
                    screen.show(*frame)
                screen.settle()

    def repaint(self) -> None:
        """Compute and show everything now."""
        frame = self.feed.tick(whole=True)
        assert frame is not None
        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen):
                screen.show(*frame)
        self._main.show_whole()

    async def on_unmount(self) -> None:
        """Stop pytest, however the app ended."""
        self._collector.stop()
        await self._stop()

    async def _stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            await self.control.stop()

    async def action_quit(self) -> None:
        """Quit; ask first if a run is in progress and the dialog fits. Called again, kill pytest."""
        run = self.control.board.session.run
        tiny = self.screen.has_class("-tiny-wide") or self.screen.has_class("-tiny-high")
        ending = self._leaving is not None or (run is not None and run.state is RunState.CANCELLING)
        if self._run_in_progress() and not tiny and not ending:
            self.push_screen(QuitScreen(self._run_in_progress), self._leave_if)
        else:
            self.leave()

    def leave(self) -> None:
        """Quit without asking, as on a signal; called again, kill pytest."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave())
        else:
            self.control.kill()

    def hang_up(self) -> None:
        """Quit after the terminal has closed."""
        if discard_output(self) or self._leaving is not None:
            self.leave()
        else:
            self._leaving = asyncio.create_task(self._leave_at_once())

    def _run_in_progress(self) -> bool:
        run = self.control.board.session.run
        return self.control.can_run and run is not None and run.active

    def _leave_if(self, yes: bool | None) -> None:
        if yes:
            self.leave()

    async def _leave_at_once(self) -> None:
        """Bypass Textual, which would block on the closed terminal; there is nothing left to restore."""
        with self.batch_update():
            await self._stop()
        os._exit(0)

    async def _leave(self) -> None:
        if self._run_in_progress() and self.is_running:
            self.push_screen(EndingScreen())
        await self._stop()
        self.exit()

    def action_suspend_process(self) -> None:
        """Suspend on ctrl+z if there is a shell that can resume the process."""
        if can_suspend(self):
            super().action_suspend_process()
        else:
            self.notify("Cannot suspend: no shell to return to.", timeout=3)

    def action_help_quit(self) -> None:
        """Quit on ctrl+c too."""
        self.call_later(self.action_quit)

    # Actions

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action or notify why it is unavailable. All keys, clicks and commands pass through here."""
        self._collector.pressed(time.perf_counter())
        known = actions.find(action) if isinstance(action, str) else None
        screen = self.screen
        if known is not None and isinstance(screen, LiveScreen):
            refusal = actions.refusal(known, screen.facts())
            if refusal and not actions.is_quiet(known):
                self.notify(refusal, timeout=3)
                return True
        return await super().run_action(action, default_namespace, namespaces)

    def _chosen(self) -> list[str]:
        screen = self.screen
        return screen.chosen() if isinstance(screen, LiveScreen) else []

    def action_run_all(self) -> None:
        """Run all tests."""
        self.control.rerun(None, "all")

    def action_run_failed(self) -> None:
        """Run the failed tests."""
        self.control.rerun(queries.failed(self.control.board.session), "failed")

    def action_run_over(self) -> None:
        """Run tests over a threshold."""
        self.control.rerun(self.control.board.over_threshold(), "over threshold")

    def action_run_these(self) -> None:
        """Run the marked tests, or the current one."""
        chosen = queries.known(self.control.board.session, self._chosen())
        reason = "marked" if len(chosen) > 1 else "this test"
        if chosen:
            self.control.rerun(chosen, reason)

    def action_cancel(self) -> None:
        """Interrupt the run; the control kills it on the second call."""
        self.control.cancel()

    def action_watching(self) -> None:
        """Toggle rerunning on save."""
        self.control.toggle_watching()
        self.notify(
            "Rerunning on save is on." if self.control.watching else "Rerunning on save is off.", timeout=3
        )
        self.repaint()

    def action_accept(self) -> None:
        """Make the figures of the marked tests, or of the current one, their baseline."""
        self.control.accept(self._chosen())

    def action_pause(self) -> None:
        """Pause or resume the display."""
        self.feed.toggle_pause()
        self.repaint()

    def action_copy_id(self) -> None:
        """Copy the node ids, quoted for the shell."""
        self._copy(" ".join(map(shell_word, self._chosen())), "node id")

    def action_copy_command(self) -> None:
        """Copy the command that runs these tests."""
        self._copy(self.control.command(self._chosen()), "command")

    def action_command_palette(self) -> None:
        """Open the command palette."""
        from .screens.palette import ActionPalette

        if not isinstance(self.screen, ActionPalette):
            self.push_screen(ActionPalette(id="--command-palette"))

    def action_output(self) -> None:
        """Open the pages: output, summary, collection errors, notices, warnings."""
        from .tabs.run import first_page

        self._open_page(first_page(self.feed.view()))

    def action_keys(self) -> None:
        """Open the help."""
        from .screens.help import HelpScreen

        screen = self.screen
        self.push_screen(HelpScreen(screen.facts() if isinstance(screen, LiveScreen) else frozenset()))

    async def action_edit(self) -> None:
        """Open the current test in the editor."""
        screen = self.screen
        nodeid = screen.current() if isinstance(screen, LiveScreen) else None
        item = self.control.board.session.items.get(nodeid or "")
        if item is not None:
            await self._edit(f"{item.file or item.nodeid.partition('::')[0]}:{item.line}")

    # Opening rows

    async def on_rows_view_opened(self, event: RowsView.Opened) -> None:
        """Open the target of a row."""
        from .screens.detail import DetailScreen, cause_screen, fixture_screen

        kind, value = event.target.kind, event.target.value
        if kind == "test":
            self.push_screen(DetailScreen(self.feed.view(), value, self._to_problem))
        elif kind == "fixture":
            self.push_screen(fixture_screen(self.feed.view(), value))
        elif kind == "tests":
            found = cause_screen(self.feed.view(), value)
            if found is not None:
                self.push_screen(found)
        elif kind == "page":
            self._open_page(value)
        elif kind == "place":
            await self._edit(value)
        elif kind == "panel":
            self._main.action_panel(int(value))

    def _open_page(self, page: str) -> None:
        from .screens.pages import PagesScreen

        self.push_screen(PagesScreen(self.feed.view(), page))

    def _to_problem(self, step: int) -> str | None:
        table = self._main.table
        return table.current if table.problem(step) else None

    @property
    def _main(self) -> MainScreen:
        main = self.screen_stack[0]
        assert isinstance(main, MainScreen)
        return main

    async def _edit(self, place: str) -> None:
        from . import editor

        rootdir = queries.rootdir(self.control.board.session)
        file, line = editor.locate(place, rootdir, self.settings.root)
        if not file.is_file():
            self.notify(f"{file} does not exist.", severity="warning")
            return
        command = editor.command(editor.chosen(os.environ), file, line)
        try:
            # The run and the file watcher continue; only painting stops.
            with self.suspend(), self.batch_update():
                await editor.run(command)
        except SuspendNotSupported:
            self.notify("Cannot open an editor in this terminal.", severity="warning")
        except OSError as error:
            text = f"{command[0]} cannot be started ({error.strerror}). Set $VISUAL or $EDITOR."
            self.notify(text, severity="error")

    def _copy(self, text: str, what: str) -> None:
        with suppress(OSError):
            self.copy_to_clipboard(text)
        self.notify(f"Copied the {what}.", timeout=3)
