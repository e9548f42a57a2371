"""Whether a run is fast enough to be merged: limits of the whole run, thresholds, leaks, regressions."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tdd_monitor import figures
from tdd_monitor.config.gate import FAIL, GATE_FAILED, NOT_MEASURED, OFF, PASSED, GateSettings

_LEAKS = frozenset({"leaked_connections", "memory_growth_mb"})
_RAN = frozenset({"passed", "failed", "error", "xfailed", "xpassed"})


class Status(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate. Its level is "fail", or "warn" if it cannot fail the gate."""

    name: str
    level: str
    status: Status
    detail: str  # the value and its limit, or why there is no value


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """The checks of one run, in the order of the settings."""

    checks: tuple[Check, ...]

    @property
    def exitcode(self) -> int:
        """PASSED, GATE_FAILED or NOT_MEASURED; a measured failure says more than a missing value."""
        statuses = {check.status for check in self.checks if check.level == FAIL}
        if Status.FAILED in statuses:
            return GATE_FAILED
        return NOT_MEASURED if Status.NOT_MEASURED in statuses or not self.checks else PASSED


def evaluate(report: Mapping[str, Any], settings: GateSettings) -> GateVerdict:
    """Judge a run by its JSON report. Raises KeyError, TypeError or AttributeError for any other document."""
    problem = _problem(report)
    checks = [*_requirements(report, settings, problem)]
    checks += _alerts(report, "thresholds", settings.thresholds, problem)
    checks += _alerts(report, "leaks", settings.leaks, problem)
    checks += _regressions(report, settings.regressions, problem)
    return GateVerdict(tuple(checks))


def _problem(report: Mapping[str, Any]) -> str:
    """Why the report is no measurement of the whole run, or ""."""
    if report["incomplete"] is not None:
        return "results are missing from the report"
    if report["state"] != "finished":
        return f"the run is {report['state']}"
    if not any(test["outcome"] in _RAN for test in report["tests"]):
        return "no test ran"
    return ""


def measurements(report: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of `GateSettings.limits`, of the tests that ran."""
    tests = [test for test in report["tests"] if test["outcome"] in _RAN]
    durations = [float(test["test_duration_ms"]) for test in tests]
    setups = [float(test.get("fixture_setup_ms") or 0.0) for test in tests]
    setups += [each["setup_ms"] / each["tests"] for each in report["shared_fixtures"] if each["tests"]]
    return {
        "average_test_time_ms": math.fsum(durations) / len(durations),
        "max_test_time_ms": max(durations),
        "fixture_setup_time_ms": max(setups),
        "test_suite_time_seconds": float(report["duration_s"]),
    }


def _requirements(report: Mapping[str, Any], settings: GateSettings, problem: str) -> Iterator[Check]:
    if settings.requirements == OFF:
        return
    values = {} if problem else measurements(report)
    for name, limit in settings.limits().items():
        value = values.get(name, math.nan)
        if not limit:
            continue
        if math.isnan(value):
            yield Check(name, settings.requirements, Status.NOT_MEASURED, problem or "no value in the report")
        else:
            status = Status.PASSED if value <= limit else Status.FAILED
            sign = "<=" if status is Status.PASSED else ">"
            yield Check(name, settings.requirements, status, f"{value:,.1f} {sign} {limit:g}")


def _alerts(report: Mapping[str, Any], name: str, level: str, problem: str) -> list[Check]:
    if level == OFF:
        return []
    if problem:
        return [Check(name, level, Status.NOT_MEASURED, problem)]
    leaks = name == "leaks"
    found = [alert for alert in report["alerts"] if (alert["metric"] in _LEAKS) is leaks]
    worst = f", such as {found[0]['metric']} of {found[0]['subject']}" if found else ""
    status = Status.FAILED if found else Status.PASSED
    return [Check(name, level, status, figures.plural(len(found), "alert") + worst)]


def _regressions(report: Mapping[str, Any], level: str, problem: str) -> list[Check]:
    if level == OFF:
        return []
    found = report["regressions"]
    compared = sum(count for state, count in found["counts"].items() if state != "learning") if found else 0
    if problem or not compared:
        if level != FAIL:  # the first runs of every project; a warning about that would be noise
            return []
        detail = problem or "no test has enough earlier runs in this environment"
        return [Check("regressions", level, Status.NOT_MEASURED, detail)]
    worse = [verdict for verdict in found["verdicts"] if verdict["state"] == "regressed"]
    if not worse:
        detail = f"no evidence in {figures.plural(compared, 'test')}"
        return [Check("regressions", level, Status.PASSED, detail)]
    first = worse[0]
    change = f"{first['metric']} {first['before']:g} -> {first['after']:g}"
    detail = f"{len(worse)}, such as {change} of {first['nodeid']}"
    return [Check("regressions", level, Status.FAILED, detail)]
