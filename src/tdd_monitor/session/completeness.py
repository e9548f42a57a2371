"""Whether everything that pytest did has arrived: its own counts against what the stream told."""

from typing import NamedTuple

from tdd_monitor.figures import plural

from .model import OUTCOMES, Run, RunState

# Words of pytest's summary that count what is told test by test.
_WORDS = (*(word for word in OUTCOMES if word != "lost"), "rerun")
# Other words that count no report of a test.
_APART = frozenset({"deselected", "warnings"})

ADVICE = (
    "Results are missing, so do not trust these counts. Run again; if this persists, run pytest directly."
)


class Difference(NamedTuple):
    """How often pytest counted an outcome, and how often it arrived."""

    outcome: str
    pytest: int
    arrived: int


def differences(run: Run) -> list[Difference]:
    """Outcomes of a finished run that pytest counted otherwise; nothing where it does not say.

    Plugins have words of their own for some tests: as many may have arrived under another. Of a run that
    was stopped, workers may tell more than pytest waited for.
    """
    told = run.reported_counts
    if run.state is not RunState.FINISHED or not told:
        return []
    found = [Difference(word, told.get(word, 0), run.counts[word]) for word in _WORDS]
    found = [each for each in found if each.pytest != each.arrived]
    if any(each.arrived < each.pytest for each in found):
        return found
    otherwise = sum(number for word, number in told.items() if word not in _WORDS and word not in _APART)
    more = sum(each.arrived - each.pytest for each in found)
    return found if more > otherwise and not run.cancel_reason else []


def problems(run: Run) -> list[str]:
    """What did not arrive, a sentence each; empty when everything did."""
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
