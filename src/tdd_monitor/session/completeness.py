"""Checks that all results have arrived: compares pytest's own counts with the stream."""

from typing import NamedTuple

from tdd_monitor.figures import plural

from .model import OUTCOMES, Run, RunState

# Words of pytest's summary that count test results in the stream.
_WORDS = (*(word for word in OUTCOMES if word != "lost"), "rerun")
# Other words, which do not count test results.
_APART = frozenset({"deselected", "warnings"})

ADVICE = (
    "Results are missing, so do not trust these counts. Run again; if this persists, run pytest directly."
)


class Difference(NamedTuple):
    """The count of an outcome according to pytest, and the count that arrived."""

    outcome: str
    pytest: int
    arrived: int


def differences(run: Run) -> list[Difference]:
    """Return outcomes of a finished run that pytest counted differently; empty without its counts.

    Plugins use their own words for some tests: as many may have arrived under another word. In a run that
    was stopped, workers may report more results than pytest waited for.
    """
    reported = run.reported_counts
    if run.state is not RunState.FINISHED or not reported:
        return []
    found = [Difference(word, reported.get(word, 0), run.counts[word]) for word in _WORDS]
    found = [each for each in found if each.pytest != each.arrived]
    if any(each.arrived < each.pytest for each in found):
        return found
    otherwise = sum(number for word, number in reported.items() if word not in _WORDS and word not in _APART)
    more = sum(each.arrived - each.pytest for each in found)
    return found if more > otherwise and not run.cancel_reason else []


def problems(run: Run) -> list[str]:
    """Return a sentence for each kind of loss; empty when everything arrived."""
    found = []
    if run.missing_lines:
        found.append(f"{plural(run.missing_lines, 'line')} from pytest never arrived.")
    if run.malformed_lines:
        found.append(f"{plural(run.malformed_lines, 'line')} from pytest could not be read.")
    wrong = differences(run)
    if wrong:
        theirs = ", ".join(f"{each.pytest:,} {each.outcome}" for each in wrong)
        ours = ", ".join(f"{each.arrived:,}" for each in wrong)
        found.append(f"pytest counted {theirs}; the monitor received {ours}.")
    return found
