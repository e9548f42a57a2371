"""The top of the screen: what is watched, the run's state, its progress and its results."""

from rich.cells import cell_len

from tdd_monitor import figures
from tdd_monitor.session import completeness
from tdd_monitor.session.model import OUTCOMES, Run, RunState
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text import charts, format, words
from tdd_monitor.ui.text.parts import Part, Parts, spread, width_of

NAME = "tdd-monitor"


def lines(view: View, width: int, height: int) -> list[Parts]:
    """The header: two lines, or three if `height` allows, with the counts on a line of their own."""
    run = view.board.session.run
    first = _title_line(view, run, width)
    if run is None:
        return [first, (("  ", "text"), ("Starting pytest …", "dim"))]
    if height > 2:
        return [first, _pad(progress(view, run, width - 2)), _pad(counts(view, run, width - 2))]
    found = counts(view, run, width - 44)
    room = width - 5 - width_of(found)
    return [first, _pad(spread(progress(view, run, room), found, width - 2))]


def _pad(parts: Parts) -> Parts:
    return ((" ", "text"), *parts)


def _title_line(view: View, run: Run | None, width: int) -> Parts:
    right = _right(view, run)
    left: list[Part] = [(f" {NAME} ", "head"), (" ", "text")]
    room = width - width_of(left) - width_of(right) - 2
    text = format.visible(view.title)
    about = f" · run {run.number}" + (f" {format.visible(run.reason)}" if run.reason else "") if run else ""
    shown = format.cut_left(text, max(8, room - cell_len(about))) if room > 12 else ""
    left.append((shown, "strong"))
    if run is not None and width_of(left) + cell_len(about) + width_of(right) < width:
        left.append((about, "dim"))
    return spread(tuple(left), (*right, (" ", "text")), width)


def _right(view: View, run: Run | None) -> Parts:
    parts: list[Part] = []
    if view.paused:
        parts += [("‖ PAUSED", "warning"), ("  ", "text")]
    if not view.can_run:
        parts += [("recording", "dim"), ("  ", "text")]
    elif view.watching:
        parts += [("◉ watching", "dim"), ("  ", "text")]
    if run is not None:
        word = words.of_run(run)
        parts.append((f"{word.glyph} {word.word}", word.role))
        if run.state is not RunState.STARTING and run.requested_ns:
            parts.append((f" {_seconds(view.elapsed_ns / 1e9)}", "dim"))
    return tuple(parts)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else figures.clock(seconds)


def progress(view: View, run: Run, width: int) -> Parts:
    """The progress of the run: a bar, or text until the number of tests is known."""
    if run.state is RunState.STARTING:
        return (("starting pytest …", "dim"),)
    if run.state is RunState.COLLECTING:
        return ((f"collecting … {figures.plural(run.collected, 'test')} so far", "dim"),)
    if not run.expected:
        return (("no tests", "dim"),)
    share = run.done / run.expected
    text = f" {run.done:,}/{run.expected:,}  {int(share * 100)}%"
    if run.active and view.overview.eta_s is not None and view.overview.eta_s >= 0.5:
        text += f"  ETA {figures.clock(view.overview.eta_s)}"
    if run.state is RunState.CANCELLING:
        text += "  x again to kill"
    bad = any(run.counts[outcome] for outcome in ("failed", "error", "lost")) or completeness.problems(run)
    role = "failed" if bad else "passed" if not run.active else "accent"
    return (*charts.bar(share, max(4, min(60, width - len(text))), role), (text, "text"))


def counts(view: View, run: Run, width: int) -> Parts:
    """This run's outcomes as pytest counts them, and the running, rerun and deselected tests."""
    running = sum(1 for worker in view.board.session.workers.values() if worker.running)
    found: list[Part] = []
    for outcome in OUTCOMES:
        count = run.counts[outcome]
        if count:
            word = words.OUTCOMES[outcome]
            found.append((f"{word.glyph} {count:,} {word.word}", word.role))
    if running and run.active:
        found.append((f"● {running:,} running", "running"))
    if run.counts["rerun"]:
        found.append((f"↻ {run.counts['rerun']:,} rerun", "flaky"))
    if run.deselected:
        found.append((f"{run.deselected:,} deselected", "dim"))
    parts: list[Part] = []
    for part in found:
        more = [*parts, *([("  ", "text")] if parts else []), part]
        if width_of(more) > width:
            break
        parts = more
    return tuple(parts)
