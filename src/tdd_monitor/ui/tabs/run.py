"""Pages of text about a run: pytest's output and summary, collection errors, notices, warnings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tdd_monitor.session import queries
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text.format import plain_lines, visible
from tdd_monitor.ui.text.parts import BLANK, Row, Target, row, text_row

from . import traceback

SHOWN = 200  # files that could not be collected, and likewise skipped files
ROWS = 5000  # of tracebacks in total; further files are only named
SKIP_LINES = 5


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its key, its name, its rows, the number of entries."""

    key: str
    name: str
    rows: Callable[[View], Iterator[Row]]
    count: Callable[[View], int]


def _output(view: View) -> Iterator[Row]:
    run = view.board.session.run
    output = view.output
    if not output and run is not None and run.lost is not None:
        output = run.lost.output.splitlines()
    if not output:
        yield text_row("No output yet.", "dim")
    else:
        yield from traceback.printed(output)


def _printed(view: View) -> str:
    run = view.board.session.run
    return run.header + run.summary if run is not None else ""


def _summary(view: View) -> Iterator[Row]:
    text = _printed(view)
    if not text:
        yield text_row("No summary from pytest or its plugins.", "dim")
    else:
        yield from traceback.lines(text)


def _errors(view: View) -> Iterator[Row]:
    run = view.board.session.run
    errors = run.collect_errors if run is not None else []
    skips = run.collect_skips if run is not None else []
    if not errors and not skips:
        yield text_row("No collection errors.", "dim")
    left = ROWS
    for error in errors[:SHOWN]:
        file = error.nodeid.partition("::")[0]
        yield row(("! ", "error"), (visible(error.nodeid), "error"), target=Target("place", f"{file}:1"))
        found = list(traceback.lines(error.longrepr)) if left > 0 else [text_row("  …", "dim")]
        left -= len(found)
        yield from found
        yield BLANK
    if len(errors) > SHOWN:
        yield text_row(f"… and {len(errors) - SHOWN:,} more that could not be collected.", "dim")
    for skip in skips[:SHOWN]:
        yield row(("» ", "skipped"), (visible(skip.nodeid), "skipped"))
        yield from (row((f"  {line}", "dim")) for line in traceback.bounded(skip.longrepr)[:SKIP_LINES])
        yield BLANK
    if len(skips) > SHOWN:
        yield text_row(f"… and {len(skips) - SHOWN:,} more that were skipped.", "dim")


def _notices(view: View) -> Iterator[Row]:
    if not view.notices:
        yield text_row("No notices.", "dim")
    for notice in view.notices:
        for number, line in enumerate(plain_lines(notice)):
            yield row(("! " if not number else "  ", "warning"), (line, "text"))
        yield BLANK


def _warnings(view: View) -> Iterator[Row]:
    warnings = view.board.session.warnings
    if not warnings:
        yield text_row("No warnings.", "dim")
    for warning in warnings:
        place = f"{warning.file}:{warning.line}"
        yield row(
            ("▲ ", "warning"),
            (f"{visible(warning.category)}  ", "warning"),
            (visible(place), "accent"),
            target=Target("place", place),
        )
        for line in plain_lines(warning.message):
            yield row((f"  {line}", "text"))
        if warning.nodeid:
            yield row((f"  {visible(warning.nodeid)}", "dim"), target=Target("test", warning.nodeid))
        yield BLANK


def _error_count(view: View) -> int:
    run = view.board.session.run
    return len(run.collect_errors) + len(run.collect_skips) if run is not None else 0


PAGES = (
    Page("output", "Output", _output, lambda view: len(view.output)),
    Page("summary", "Summary", _summary, lambda view: _printed(view).count("\n")),
    Page("errors", "Not collected", _errors, _error_count),
    Page("notices", "Notices", _notices, lambda view: len(view.notices)),
    Page("warnings", "Warnings", _warnings, lambda view: len(view.board.session.warnings)),
)


def first_page(view: View) -> str:
    """The page that is most likely of interest."""
    run = view.board.session.run
    if run is None:
        return "output"
    if run.collect_errors:
        return "errors"
    # In a replay the summary is the only output.
    wanted = run.summary and (queries.unexplained_exit(run) or not view.output)
    return "summary" if wanted else "output"
