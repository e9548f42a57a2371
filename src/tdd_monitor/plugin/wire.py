"""Hand-written encoding of the two lines of a passing test.

Most tests pass without output. For them, records, dictionaries and a JSON encoder take 45 us per test,
this module 12. All other tests go through the codec; the output of both is the same (a test compares
them).
"""

from typing import Any, Dict, Sequence

import pytest

from tdd_monitor.plugin.attempt import Attempt
from tdd_monitor.protocol.codec import quoted

_PHASE = '{"when":"%s","outcome":"passed","wall_ns":%%d,"cpu_ns":%%d,"rss_bytes":%%d,"rss_delta_bytes":%%d}'
_STARTED = ',"nodeid":%s,"attempt":%d'
_PASSED = (
    ',"nodeid":%s,"outcome":"passed","attempt":%d,"started_ns":%d,"phases":['
    + ",".join([_PHASE % "setup", _PHASE % "call", _PHASE % "teardown"])
    + '],"fixtures":[%s],"drift_bytes":%d,"peak_rss_bytes":%d'
)
_FIXTURE = (
    '{"name":%s,"scope":%s,"setup_ns":%d,"self_ns":%d,"teardown_ns":%d,"start_ns":%d,'
    '"teardown_start_ns":%d,"cached":%s,"first_user":%s,"baseid":%s}'
)
_WHEN = ("setup", "call", "teardown")
_LONG_NODEID = 10_000  # longer ones go to the codec, which handles lines that are too long

_known: Dict[str, str] = {}


def started(attempt: Attempt) -> str:
    """Body of a `test_start` line."""
    # For any length: node ids are never cut.
    return _STARTED % (quoted(attempt.nodeid), attempt.number)


def is_plain(attempt: Attempt) -> bool:
    """True for three measured phases that passed without output."""
    reports, readings = attempt.reports, attempt.readings
    if len(reports) != 3 or len(readings) != 3 or attempt.metrics or len(attempt.nodeid) > _LONG_NODEID:
        return False
    for when, report, reading in zip(_WHEN, reports, readings):
        if (
            report.when != when
            or reading[0] != when
            or report.outcome != "passed"
            or type(report) is not pytest.TestReport
            or report.sections
            or "wasxfail" in report.__dict__
        ):
            return False
    return True


def passed(
    attempt: Attempt,
    fixtures: Sequence[Any],
    drift_bytes: int,
    peak_rss_bytes: int,
    unwatched: Sequence[str] = (),
) -> str:
    """Body of the `test` line of a plain attempt."""
    setup, call, teardown = attempt.readings
    body = _PASSED % (
        quoted(attempt.nodeid),
        attempt.number,
        attempt.started_ns,
        *setup[2:6],
        *call[2:6],
        *teardown[2:6],
        ",".join([_fixture(use) for use in fixtures]) if fixtures else "",
        drift_bytes,
        peak_rss_bytes,
    )
    return body if not unwatched else '%s,"unwatched":["%s"]' % (body, '","'.join(unwatched))


def _fixture(use: Any) -> str:
    return _FIXTURE % (
        _quoted_cached(use.name),
        _quoted_cached(use.scope),
        use.setup_ns,
        use.self_ns,
        use.teardown_ns,
        use.start_ns,
        use.teardown_start_ns,
        "true" if use.cached else "false",
        quoted(use.first_user),
        _quoted_cached(use.baseid),
    )


def _quoted_cached(text: str) -> str:
    """Quote with a cache, for texts of few distinct values per run."""
    known = _known.get(text)
    if known is None:
        known = _known[text] = quoted(text)
    return known
