"""One severity rule for exceeded thresholds, used by the monitor, the screen and the toolkit."""

import pytest

from tdd_monitor.config import Severity, severity
from tdd_monitor.testing import PerformanceMonitor
from tdd_monitor.ui.text import words


@pytest.mark.parametrize(("threshold", "value"), [(3, 4.5), (0.9, 1.35), (0.1, 0.15), (10, 15)])
def test_exactly_one_and_a_half_times_is_not_critical(threshold: float, value: float) -> None:
    assert severity(value, threshold) is Severity.WARNING


@pytest.mark.parametrize("value", [10, 10.1, 15, 15.1, 1000])
def test_the_screen_and_the_toolkit_use_it(value: float) -> None:
    word = words.of_value(value, 10)
    monitor = PerformanceMonitor()
    monitor.thresholds["speed"] = 10
    monitor.record_metric("speed", value)
    alerts = [alert["severity"] for alert in monitor.alerts]
    if value <= 10:
        assert word is words.WITHIN and not alerts
    else:
        assert word is words.SEVERITIES[severity(value, 10)]
        assert alerts == [word.word] == [severity(value, 10).value]


def test_a_threshold_of_0_is_switched_off() -> None:
    assert words.of_value(1000, 0) is words.WITHIN
