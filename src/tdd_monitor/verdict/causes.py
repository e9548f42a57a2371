"""One alert a cause: what many tests have in common is told once, with the tests that it concerns."""

from collections.abc import Iterable
from dataclasses import replace

from tdd_monitor import figures

from . import wording
from .alerts import Alert


def one_a_cause(found: Iterable[Alert]) -> list[Alert]:
    """The alerts of single tests and processes, those of one metric and cause merged."""
    alone: list[Alert] = []
    groups: dict[tuple[str, str], list[Alert]] = {}
    for alert in found:
        if alert.cause:
            groups.setdefault((alert.metric, alert.cause), []).append(alert)
        else:
            alone.append(alert)
    return _with_their_waits(alone + [_together(group) for group in groups.values()])


def _together(group: list[Alert]) -> Alert:
    """One for all: the worst value (of leaks the sum), every test, the worst one first."""
    group = sorted(group, key=lambda alert: -alert.value)
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


def _with_their_waits(found: list[Alert]) -> list[Alert]:
    """Tests that waited because a pool was used up belong to that pool's own alert."""
    used_up = {alert.pool for alert in found if alert.metric == "pool_waiting"}
    waits = {alert.pool: alert for alert in found if alert.waited and alert.pool in used_up}
    told: list[Alert] = []
    for alert in found:
        wait = waits.get(alert.pool)
        if wait is None or alert.metric not in ("pool_waiting", wait.metric):
            told.append(alert)
        elif alert.metric == "pool_waiting":
            waited = figures.plural(len(wait.tests), "test")
            detail = f"{alert.detail}; {waited} waited, {wording.value(wait.metric, wait.value)} at most"
            told.append(replace(alert, detail=detail, tests=wait.tests))
        elif alert is not wait:
            told.append(alert)
    return told
