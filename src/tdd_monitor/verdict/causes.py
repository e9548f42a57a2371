"""Merges alerts by cause: one alert for all tests with the same problem."""

from collections.abc import Iterable
from dataclasses import replace

from tdd_monitor import figures

from . import wording
from .alerts import Alert


def merge_by_cause(found: Iterable[Alert]) -> list[Alert]:
    """Merge the alerts with the same metric and cause; alerts without a cause stay as they are."""
    single: list[Alert] = []
    groups: dict[tuple[str, str], list[Alert]] = {}
    for alert in found:
        if alert.cause:
            groups.setdefault((alert.metric, alert.cause), []).append(alert)
        else:
            single.append(alert)
    return _merge_waits(single + [_merged(group) for group in groups.values()])


def _merged(group: list[Alert]) -> Alert:
    """One alert for the group: the worst value (for leaks the sum), all tests, the worst one first."""
    group = sorted(group, key=lambda alert: (-alert.factor, -alert.value))  # thresholds may differ
    worst = group[0]
    tests = tuple(dict.fromkeys(nodeid for alert in group for nodeid in alert.tests))
    if len(group) == 1 and not worst.fixture:
        return worst
    if not tests:
        detail = f"worst: {worst.subject}, {worst.detail}"
        return replace(worst, subject=f"{len(group)} {worst.cause}", detail=detail)
    total = sum(alert.value for alert in group)
    detail = worst.summary or (tests[0] if len(tests) == 1 else figures.plural(len(tests), "test"))
    if len(group) > 1 and not worst.summary and worst.metric.endswith("_ms"):
        detail += f", {wording.value(worst.metric, total)} in total"
    value = total if worst.metric == "leaked_connections" else worst.value
    return replace(worst, value=value, subject=worst.cause, detail=detail, tests=tests)


def _merge_waits(found: list[Alert]) -> list[Alert]:
    """Merge alerts of tests that waited for an exhausted pool into that pool's alert."""
    exhausted = {alert.pool for alert in found if alert.metric == "pool_waiting"}
    waits = {alert.pool: alert for alert in found if alert.waited and alert.pool in exhausted}
    merged: list[Alert] = []
    for alert in found:
        wait = waits.get(alert.pool)
        if wait is None or alert.metric not in ("pool_waiting", wait.metric):
            merged.append(alert)
        elif alert.metric == "pool_waiting":
            waited = figures.plural(len(wait.tests), "test")
            detail = f"{alert.detail}; {waited} waited, {wording.value(wait.metric, wait.value)} at most"
            merged.append(replace(alert, detail=detail, tests=wait.tests))
        elif alert is not wait:
            merged.append(alert)
    return merged
