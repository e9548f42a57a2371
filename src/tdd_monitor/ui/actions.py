"""The table of actions: the single source of bindings, footer, help, palette and the README's key table.

An action is unavailable, with a reason, while one of its needs is not among the current facts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """A command bound to one or more keys."""

    id: str
    keys: str  # Textual's key names, comma-separated; the first one is shown
    method: str  # the Textual action: action_<method> of the classes named in `where`
    label: str  # short name for the footer
    help: str
    where: tuple[str, ...]  # app, main, detail, pages, fixture, rows
    needs: tuple[str, ...] = ()
    footer: int = 0  # priority in the footer, 1 being the highest; 0: not in the footer
    focuses: bool = False  # moves the focus, so that it must be carried out before the next key is read

    @property
    def group(self) -> str:
        """Its heading in the help."""
        return GROUPS[self.id.partition(".")[0]]

    def key_names(self) -> list[str]:
        """Its keys under their usual names."""
        return [KEY_NAMES.get(key, key) for key in self.keys.split(",")]


GROUPS = {
    "move": "Move",
    "panel": "Panels and tabs",
    "find": "Find",
    "run": "Run",
    "test": "This test",
    "monitor": "Monitor",
}

KEY_NAMES = {
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "slash": "/",
    "plus": "+",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}

NEEDS = {
    "can_run": "This is a recording: tests cannot be run.",
    "active": "No run in progress.",
    "tests": "No tests yet.",
    "test": "No test selected.",
    "failed": "No failures.",
    "over": "No test is over a threshold.",
    "problem": "No problems: no failures, and no test over a threshold.",
    "page": "Nothing to go back to.",
    "row": "This row has nothing to open.",
    "elsewhere": "Already open.",
}

ACTIONS: tuple[Action, ...] = (
    Action("move.down", "j,down", "cursor_down", "down", "Next row", ("rows",)),
    Action("move.up", "k,up", "cursor_up", "up", "Previous row", ("rows",)),
    Action("move.top", "g,home", "cursor_top", "top", "First row", ("rows",)),
    Action("move.bottom", "G,end", "cursor_bottom", "bottom", "Last row", ("rows",)),
    Action("move.page_down", "pagedown,ctrl+f", "page_down", "page", "Page down", ("rows",)),
    Action("move.page_up", "pageup,ctrl+b", "page_up", "page", "Page up", ("rows",)),
    Action("move.left", "h,left", "scroll_left", "left", "Scroll left", ("rows",)),
    Action("move.right", "l,right", "scroll_right", "right", "Scroll right", ("rows",)),
    Action(
        "move.in",
        "enter",
        "open",
        "open",
        "Open the test, fixture or source line",
        ("rows",),
        ("row",),
        footer=1,
    ),
    Action(
        "move.back",
        "escape",
        "back",
        "back",
        "Go back: close, unzoom, clear the filter or marks; never quits",
        ("main", "detail", "pages", "fixture"),
        ("page",),
        footer=2,
    ),
    Action("panel.tests", "1", "panel(1)", "tests", "Tests", ("main",)),
    Action("panel.durations", "2", "panel(2)", "durations", "Durations", ("main",)),
    Action("panel.alerts", "3", "panel(3)", "alerts", "Threshold alerts", ("main",)),
    Action("panel.memory", "4", "panel(4)", "memory", "Memory of the test processes", ("main",)),
    Action("panel.pools", "5", "panel(5)", "pools", "Connection pools", ("main",)),
    Action("panel.workers", "6", "panel(6)", "workers", "Worker processes", ("main",)),
    Action("panel.next", "tab", "panel_step(1)", "panels", "Next panel", ("main",), footer=13),
    Action("panel.previous", "shift+tab", "panel_step(-1)", "panels", "Previous panel", ("main",)),
    Action("panel.zoom", "plus", "zoom", "zoom", "Zoom the panel in or out", ("main",)),
    Action(
        "panel.next_tab",
        "right_square_bracket",
        "tab_step(1)",
        "next tab",
        "Next tab",
        ("detail", "pages"),
        footer=4,
    ),
    Action(
        "panel.previous_tab",
        "left_square_bracket",
        "tab_step(-1)",
        "previous tab",
        "Previous tab",
        ("detail", "pages"),
    ),
    Action(
        "find.filter",
        "slash",
        "filter",
        "filter",
        "Filter by words in the node id; !word excludes; enter keeps, esc clears",
        ("main",),
        ("tests",),
        footer=5,
        focuses=True,
    ),
    Action(
        "find.view",
        "v",
        "cycle_view",
        "view",
        "Switch the view: all, failed, over threshold, running, slowest",
        ("main",),
        ("tests",),
        footer=9,
    ),
    Action("find.sort", "s", "sort", "sort", "Sort by a column", ("main",), ("tests",), footer=10),
    Action("find.reverse", "S", "reverse", "reverse", "Reverse the sort order", ("main",), ("tests",)),
    Action(
        "find.next",
        "n",
        "problem(1)",
        "problem",
        "Next failure or test over a threshold",
        ("main", "detail"),
        ("tests", "problem"),
        footer=11,
    ),
    Action(
        "find.previous",
        "N",
        "problem(-1)",
        "problem",
        "Previous failure or test over a threshold",
        ("main", "detail"),
        ("tests", "problem"),
    ),
    Action("find.follow", "F", "follow", "follow", "Follow the running test", ("main",), ("tests",)),
    Action("run.all", "a", "run_all", "all", "Run all tests", ("app",), ("can_run",), footer=6),
    Action(
        "run.failed",
        "f",
        "run_failed",
        "failed",
        "Run failed, errored and lost tests",
        ("app",),
        ("can_run", "failed"),
        footer=7,
    ),
    Action(
        "run.over",
        "t",
        "run_over",
        "over",
        "Run tests over a threshold",
        ("app",),
        ("can_run", "over"),
        footer=8,
    ),
    Action(
        "run.these",
        "r",
        "run_these",
        "run",
        "Run the marked tests or the current one",
        ("app",),
        ("can_run", "test"),
        footer=6,
    ),
    Action(
        "run.cancel",
        "x",
        "cancel",
        "cancel",
        "Cancel the run; press again to kill it",
        ("app",),
        ("can_run", "active"),
        footer=3,
    ),
    Action(
        "run.watching",
        "w",
        "watching",
        "watch",
        "Toggle rerunning on save",
        ("app",),
        ("can_run",),
        footer=14,
    ),
    Action(
        "test.mark",
        "space",
        "mark",
        "mark",
        "Mark or unmark the test for r",
        ("main",),
        ("test",),
        footer=15,
    ),
    Action(
        "test.accept",
        "b",
        "accept",
        "accept",
        "Accept the figures of the marked tests or the current one as their baseline",
        ("app",),
        ("can_run", "test"),
    ),
    Action("test.edit", "e", "edit", "edit", "Open the test in $VISUAL or $EDITOR", ("app",), ("test",), 12),
    Action(
        "test.copy_id",
        "y",
        "copy_id",
        "copy id",
        "Copy the node id, quoted for the shell",
        ("app",),
        ("test",),
    ),
    Action(
        "test.copy_command",
        "Y",
        "copy_command",
        "copy command",
        "Copy the pytest command for the marked tests or the current one",
        ("app",),
        ("test",),
    ),
    Action(
        "monitor.pause",
        "p",
        "pause",
        "pause",
        "Pause the display; the run continues",
        ("app",),
        footer=17,
    ),
    Action(
        "monitor.output",
        "o",
        "output",
        "output",
        "pytest's output and summary, collection errors, notices, warnings",
        ("app",),
        ("elsewhere",),
        footer=16,
    ),
    Action("monitor.help", "question_mark", "keys", "help", "All keys", ("app",), footer=1),
    Action("monitor.palette", "ctrl+p", "command_palette", "palette", "Command palette", ("app",)),
    Action(
        "monitor.suspend",
        "ctrl+z",
        "suspend_process",
        "suspend",
        "Suspend the monitor; resume with fg in the shell",
        ("app",),
    ),
    Action(
        "monitor.quit",
        "q,ctrl+q",
        "quit",
        "quit",
        "Quit; asks first if a run is in progress, press again to kill it",
        ("app",),
        footer=2,
    ),
)


def bindings(where: str) -> list[BindingType]:
    """The bindings of the class that implements the actions of `where`."""
    return [
        Binding(
            action.keys,
            action.method,
            action.label,
            show=action.footer > 0,
            key_display=action.key_names()[0],
            tooltip=action.help,
            priority=action.focuses,
            id=action.id,
        )
        for action in ACTIONS
        if where in action.where
    ]


def find(method: str) -> Action | None:
    """The action for a Textual action string, parameters included."""
    return _BY_METHOD.get(method)


_BY_METHOD = {action.method: action for action in ACTIONS}


def is_quiet(action: Action) -> bool:
    """True for movement keys, whose refusal is not worth a message."""
    return action.id.startswith("move.")


def refusal(action: Action, facts: frozenset[str]) -> str:
    """Why `action` is unavailable now, or "" if it is available."""
    return next((NEEDS[need] for need in action.needs if need not in facts), "")


def usable(where: Iterable[str], facts: frozenset[str]) -> list[Action]:
    """The actions available in these places, given these facts."""
    places = frozenset(where)
    return [action for action in ACTIONS if places & set(action.where) and not refusal(action, facts)]


def by_group() -> Iterator[tuple[str, list[Action]]]:
    """Headings with their actions, in table order."""
    for group in GROUPS.values():
        yield group, [action for action in ACTIONS if action.group == group]


def markdown() -> str:
    """The key table for the README."""
    lines = ["| keys | what they do |", "|---|---|"]
    for group, members in by_group():
        lines.append(f"| **{group}** | |")
        for action in members:
            keys = " ".join(f"`{key}`" for key in action.key_names())
            lines.append(f"| {keys} | {action.help} |")
    return "\n".join(lines) + "\n"
