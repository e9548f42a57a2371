"""Compares a suite's outcome per test, counts and exit code with and without the monitor.

    python tests/reliability/same_outcomes.py PROJECT [--python PYTHON] [-- PYTEST ARGS]

Runs the suite in PROJECT with plain pytest, then with `tdd-monitor run`, then with plain pytest once more:
a test whose outcome differs between the two plain runs is itself flaky and reported separately. Exits with 1
if any other test, a count or the exit code differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

LOGGER = """
import collections, json, os
seen = collections.defaultdict(list)
IGNORED = ("", "warnings", "deselected", "subtests passed")

def pytest_runtest_logreport(report):
    outcome = report.outcome
    if hasattr(report, "wasxfail"):
        outcome = {"skipped": "xfailed", "passed": "xpassed"}.get(outcome, outcome)
    nodeid = report.nodeid.rpartition("@")[0] if os.environ.get("GROUPED") else report.nodeid
    seen[nodeid].append((report.when, outcome))

def pytest_terminal_summary(terminalreporter, config):
    if not hasattr(config, "workerinput"):
        stats = terminalreporter.stats
        counts = {word: sum(getattr(r, "count_towards_summary", True) for r in reports)
                  for word, reports in stats.items() if word not in IGNORED}
        with open(os.environ["OUTCOMES_TO"], "w") as file:
            json.dump({"tests": seen, "counts": counts}, file)
"""


@dataclass(frozen=True)
class Ending:
    """How a suite ended."""

    exitcode: int
    counts: dict[str, int]
    outcomes: dict[str, str]


def outcome(reports: list[tuple[str, str]]) -> str:
    """The outcome of the last attempt at a test."""
    last = max((i for i, (when, _) in enumerate(reports) if when in ("setup", "???")), default=0)
    attempt = reports[last:]
    for when, word in attempt:
        if word == "failed" and when in ("call", "???"):
            return "failed"
    for _, word in attempt:
        if word == "failed":
            return "error"
    for when, word in attempt:
        if word not in ("passed",) or when == "call":
            return word
    return "passed"


def plain(python: str, project: Path, arguments: list[str], directory: Path) -> Ending:
    """Run plain pytest with a ten-line plugin that logs outcomes."""
    (directory / "outcome_logger.py").write_text(LOGGER)
    log = directory / "outcomes.json"
    log.unlink(missing_ok=True)
    env = {
        **os.environ,
        "OUTCOMES_TO": str(log),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(directory), os.environ.get("PYTHONPATH")))),
    }
    command = [python, "-m", "pytest", "-p", "outcome_logger", "-q", *arguments]
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)
    if not log.exists():
        sys.exit(f"plain pytest ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    document = json.loads(log.read_text())
    outcomes = {nodeid: outcome(reports) for nodeid, reports in document["tests"].items()}
    return Ending(done.returncode, {k: v for k, v in document["counts"].items() if v}, outcomes)


def monitored(python: str, project: Path, arguments: list[str], directory: Path) -> Ending:
    """Run the suite under `tdd-monitor run`."""
    report = directory / "report.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tdd_monitor", "run", "--python", python, "--json", str(report)]
    command += ["--", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if not report.exists():
        sys.exit(f"the monitor ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr}")
    document = json.loads(report.read_text())
    outcomes = {t["nodeid"]: t["outcome"] for t in document["tests"] if t["outcome"] != "not run"}
    counts = {word: count for word, count in document["counts"].items() if count and word != "deselected"}
    return Ending(done.returncode, counts, outcomes)


def compare(before: Ending, watched: Ending, after: Ending) -> bool:
    """Print the differences; True if all of them are flaky tests."""
    flaky = {n for n in before.outcomes if before.outcomes[n] != after.outcomes.get(n)}
    if any(nodeid not in after.outcomes for nodeid in flaky):
        flaky |= watched.outcomes.keys() - before.outcomes.keys()  # names with a date or a random number
    different = {
        nodeid
        for nodeid in before.outcomes.keys() | watched.outcomes.keys()
        if before.outcomes.get(nodeid) != watched.outcomes.get(nodeid)
    }
    for nodeid in sorted(different):
        verdict = "flaky without us" if nodeid in flaky else "DIFFERENT"
        print(f"  {verdict}: {nodeid}: {before.outcomes.get(nodeid)} -> {watched.outcomes.get(nodeid)}")
    print(f"  plain:     exit {before.exitcode}, {dict(sorted(before.counts.items()))}")
    print(f"  monitored: exit {watched.exitcode}, {dict(sorted(watched.counts.items()))}")
    if different <= flaky and flaky:
        return True
    same = (Counter(before.counts), before.exitcode) == (Counter(watched.counts), watched.exitcode)
    return same and not different


def main() -> None:
    """Compare one suite."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--python", default=sys.executable, help="interpreter of the suite")
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    given, arguments = parser.parse_args(words[:end]), words[end + 1 :]
    with tempfile.TemporaryDirectory() as name:
        runs = [run(given.python, given.project, arguments, Path(name)) for run in (plain, monitored, plain)]
    same = compare(*runs)
    print("same" if same else "DIFFERENT")
    sys.exit(not same)


if __name__ == "__main__":
    main()
