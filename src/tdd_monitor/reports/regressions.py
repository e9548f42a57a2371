"""How the last run compares with earlier ones, for people and as JSON."""

from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tdd_monitor import figures
from tdd_monitor.terminal import visible
from tdd_monitor.verdict import wording
from tdd_monitor.verdict.regressions import SLOW_RUN, Judgement, State, Verdict

LISTED = 10  # of each state
_STYLES = {State.REGRESSED: "bold red", State.SUSPECTED: "yellow", State.IMPROVED: "green"}
_GLYPHS = {State.REGRESSED: "▲", State.SUSPECTED: "?", State.IMPROVED: "▼"}
_WORTH_SAYING = 1.1  # factor between the speeds of runs


def print_judgement(judgement: Judgement, console: Console) -> None:
    """The changed tests, and one line about the whole run."""
    listed = [verdict for state in _STYLES for verdict in judgement.of(state)[:LISTED]]
    if listed:
        table = Table(title="Compared with earlier runs", title_justify="left", box=None, pad_edge=False)
        for column in ("state", "metric", "before", "after"):
            table.add_column(column, no_wrap=True)
        table.add_column("test", overflow="fold")
        for verdict in listed:
            table.add_row(*_cells(verdict))
        console.print(table)
    console.print(Text(outcome(judgement)), soft_wrap=True)


def outcome(judgement: Judgement) -> str:
    """In one line: "1 regressed, 2 suspected in 40 tests compared; the whole run was 1.4x as slow"."""
    counts = Counter(judgement.states.values())
    compared = judgement.states and len(judgement.states) - counts[State.LEARNING]
    if not compared:
        return "No earlier runs to compare with yet: a test needs five in the same environment."
    changed = [f"{counts[state]} {state}" for state in _STYLES if counts[state]]
    if counts[State.REGRESSED] + counts[State.SUSPECTED] == 0:
        changed.append("no evidence of a regression")
    text = f"Compared with earlier runs: {', '.join(changed)} in {figures.plural(compared, 'test')}"
    if counts[State.LEARNING]:
        text += f", {counts[State.LEARNING]} too new to compare"
    return f"{text}; {_speed(judgement)}" if judgement.shift is not None else f"{text}."


def _speed(judgement: Judgement) -> str:
    assert judgement.shift is not None
    if 1 / _WORTH_SAYING < judgement.shift < _WORTH_SAYING:
        return "the run was as fast as usual."
    if judgement.shift < 1:
        return f"all tests took {figures.factor(judgement.shift)} as long as usual, corrected for."
    busy = ": the machine is busy, or a change slowed everything" if judgement.shift > SLOW_RUN else ""
    return f"all tests took {figures.factor(judgement.shift)} as long as usual, corrected for{busy}."


def _cells(verdict: Verdict) -> tuple[str | Text, ...]:
    before, after = (wording.value(verdict.metric, value) for value in (verdict.before, verdict.after))
    word = Text(f"{_GLYPHS[verdict.state]} {verdict.state}", _STYLES[verdict.state])
    test = Text(visible(verdict.nodeid)).append(f"  {verdict.evidence}", "dim")
    return word, wording.word(verdict.metric), before, after, test


def document(judgement: Judgement | None) -> dict[str, Any] | None:
    """The judgement in the JSON report; null without a history."""
    if judgement is None:
        return None
    return {
        "shift": judgement.shift,
        "whole_run_slow": judgement.whole_run_slow,
        "counts": {state.value: 0 for state in State} | dict(Counter(judgement.states.values())),
        "verdicts": [
            {
                "nodeid": verdict.nodeid,
                "metric": verdict.metric,
                "state": verdict.state.value,
                "before": verdict.before,
                "after": verdict.after,
                "evidence": verdict.evidence,
            }
            for verdict in judgement.verdicts
        ],
    }
