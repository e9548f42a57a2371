"""The baseline that a team commits: the counts of each test, which are the same on every machine.

Durations are not: those accepted are in the history, for each environment. The file is the one that the
toolkit's RegressionDetector uses; its own entries stay.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from tdd_monitor.testing.measuring import baseline_file
from tdd_monitor.testing.measuring.baseline_file import BASELINE_FILE, BaselineError
from tdd_monitor.testing.measuring.file_lock import locked

from .database import HistoryError
from .rows import Figures

COUNTS = ("queries", "ddl", "pool_peak", "leaked")


class CommittedBaseline:
    """`tdd_performance_baseline.json` of the project at `root`. All methods raise HistoryError."""

    def __init__(self, root: Path) -> None:
        self.path = root / BASELINE_FILE

    def counts(self) -> dict[str, dict[str, int]]:
        """The counts of each test, by node id and field of Figures; those that are not in the file are 0."""
        found: dict[str, dict[str, int]] = {}
        for key, value in self._read().items():
            nodeid, field = _parts(key)
            if field:
                found.setdefault(nodeid, dict.fromkeys(COUNTS, 0))[field] = int(value)
        return found

    def added_to(self, accepted: Mapping[str, Figures]) -> dict[str, Figures]:
        """The accepted figures, with these counts instead of their own; without figures, no durations."""
        found = dict(accepted)
        for nodeid, counts in self.counts().items():
            found[nodeid] = found.get(nodeid, Figures(0, 0, 0))._replace(**counts)
        return found

    def accept(self, figures: Collection[tuple[str, Figures]], all_tests: bool) -> None:
        """Write the counts of these tests; with `all_tests`, drop tests that no longer exist."""
        try:
            with locked(self.path.with_name(self.path.name + ".lock")):
                gone = set() if not all_tests else self.counts().keys()
                gone = gone | {nodeid for nodeid, _ in figures}
                entries = {key: v for key, v in self._read().items() if _parts(key)[0] not in gone}
                for nodeid, each in figures:
                    entries |= {
                        f"{nodeid} [{field}]": count
                        for field in COUNTS
                        if (count := getattr(each, field)) or (field == "queries" and count is not None)
                    }
                baseline_file.write(self.path, entries)
        except (OSError, TimeoutError) as error:
            raise HistoryError(f"Cannot write {self.path}: {error}.") from error

    def _read(self) -> dict[str, float]:
        try:
            return baseline_file.read(self.path)
        except (BaselineError, OSError) as error:
            raise HistoryError(f"The baseline is not used: {error}") from error


def _parts(key: str) -> tuple[str, str]:
    """Node id and field; no field for the entries of others."""
    nodeid, _, rest = key.rpartition(" [")
    field = rest.removesuffix("]")
    return (nodeid, field) if field in COUNTS else (key, "")
