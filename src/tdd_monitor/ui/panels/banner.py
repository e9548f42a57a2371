"""A few lines below the header for what needs attention: lost runs, errors, notices, no tests."""

from tdd_monitor import figures
from tdd_monitor.session import completeness, queries
from tdd_monitor.session.model import Run, RunState
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text import format, words
from tdd_monitor.ui.text.parts import Part, Parts
from tdd_monitor.verdict import wording
from tdd_monitor.verdict.regressions import State

LINES = 3


def lines(view: View, width: int) -> list[Parts]:
    """The lines of the banner; usually none."""
    run = view.board.session.run
    found: list[list[Part]] = []
    if run is not None:
        found += _incomplete(run)
        found += _of_run(view, run)
        found += _regressed(view)
    found += [[("! ", "warning"), (text, "text")] for text in _notices(view)]
    wrapped: list[Parts] = []
    for parts in found:
        (glyph, role), *rest = parts
        text = "".join(text for text, _role in rest)[: LINES * width]  # no more is visible
        text_lines = format.wrap(format.visible(text), width - 4)
        for number, line in enumerate(text_lines[:LINES]):
            wrapped.append(((f" {glyph if not number else '  '}", role), (line, rest[0][1])))
    return wrapped[:LINES]


def _notices(view: View) -> list[str]:
    return [format.visible(" ".join(text.split())) for text in view.notices[-1:]]


def _incomplete(run: Run) -> list[list[Part]]:
    problems = completeness.problems(run)
    return [[("! ", "error"), (" ".join([*problems, completeness.ADVICE]), "text")]] if problems else []


def _of_run(view: View, run: Run) -> list[list[Part]]:
    if run.state is RunState.LOST and run.lost is not None:
        return [_lost(view, run)]
    if run.collect_errors:
        count = figures.plural(len(run.collect_errors), "file")
        first = format.visible(run.collect_errors[0].nodeid)
        return [
            [("! ", "error"), (f"{count} could not be collected ({first}). Press o for the errors.", "text")]
        ]
    if run.state is RunState.FINISHED and run.exitstatus in words.EXIT_ADVICE:
        return [[("! ", "warning"), (words.EXIT_ADVICE[run.exitstatus], "text")]]
    if run.state is RunState.FINISHED and run.exitstatus == 2 and run.cancel_reason:
        left = run.expected - run.done
        more = f", {figures.plural(left, 'test')} not run" if left > 0 else ""
        return [[("■ ", "warning"), (f"{words.of_cancel(run).capitalize()}{more}.", "text")]]
    if queries.unexplained_exit(run):
        text = (
            f"pytest ended with exit code {run.exitstatus}, although no test failed. Press o for its output."
        )
        return [[("! ", "error"), (text, "text")]]
    return []


def _regressed(view: View) -> list[list[Part]]:
    """Only what is certain: durations that merely stand out would take a line in many runs."""
    judgement = view.board.judgement
    found = judgement.of(State.REGRESSED) if judgement is not None else []
    if not found:
        return []
    first = found[0]
    tests = figures.plural(len({verdict.nodeid for verdict in found}), "test")
    values = wording.change(first.metric, first.before, first.after)
    change = f"{format.short(first.nodeid)}: {wording.word(first.metric)} {values}"
    return [[("▲ ", "error"), (f"{tests} worse than the baseline, such as {change}.", "text")]]


def _lost(view: View, run: Run) -> list[Part]:
    assert run.lost is not None
    if run.hello is None and not run.lost.signal:
        text = f"pytest could not start (exit code {run.lost.exitcode}). Press o for its output."
        return [("! ", "error"), (text, "text")]
    signal, exitcode = run.lost.signal, run.lost.exitcode
    how = f"was killed by {signal}" if signal else f"exited with code {exitcode}"
    where = ", ".join(format.short(nodeid) for nodeid in run.lost_nodeids[:3])
    during = f" while running {where}" if where else " before the first test" if not run.done else ""
    keys = [*(["r this test", "f failed and lost"] if where else []), "a all"]
    again = f"Run again: {', '.join(keys)}. " if view.can_run else ""
    return [("† ", "lost"), (f"pytest {how}{during}. {again}Press o for its last output.", "text")]
