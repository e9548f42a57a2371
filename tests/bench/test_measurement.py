import io
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tdd_monitor.bench.measurement import Measurement, Report
from tdd_monitor.reports.bench import BARS, histogram, legend, table, verdict

samples = st.lists(st.floats(0.001, 1000), min_size=1, max_size=50).map(tuple)


@given(samples, samples)
def test_statistics_agree_with_the_standard_library(
    ours: tuple[float, ...], floor: tuple[float, ...]
) -> None:
    values = Measurement("individual_test", ours, floor).as_dict()
    assert values["count"] == len(ours)
    assert values["mean"] == pytest.approx(statistics.fmean(ours))
    assert values["min"] <= values["median"] <= values["p95"] <= values["max"]
    assert values["floor_ratio"] == pytest.approx(statistics.median(ours) / statistics.median(floor))
    assert values["target_achieved"] == (statistics.fmean(ours) <= 100)


@pytest.mark.parametrize(
    ("within", "grade"), [(20, "excellent"), (19, "excellent"), (16, "good"), (12, "moderate"), (11, "poor")]
)
def test_the_grade_is_the_share_within_the_target(within: int, grade: str) -> None:
    ours = (1.0,) * within + (200.0,) * (20 - within)
    report = Report((Measurement("individual_test", ours, (1.0,)),))
    assert math.isclose(report.success_rate, within * 5)
    assert report.recommendation == grade


def test_the_report_has_targets_measurements_and_summary() -> None:
    report = Report(
        (Measurement("fixture_setup", (1.0, 9.0), (1.0,)), Measurement("test_cleanup", (9.0,), (1.0,)))
    )
    document = report.as_dict()
    assert document["targets"] == {"fixture_setup": 5.0, "test_cleanup": 5.0}
    assert document["measurements"]["fixture_setup"]["success_rate"] == 50.0
    assert document["summary"]["targets_met"] == 1
    assert document["summary"]["operations_tested"] == 2


@given(samples)
def test_every_sample_is_in_the_histogram(ours: tuple[float, ...]) -> None:
    bars = histogram(ours)
    assert len(bars) == 16 and set(bars) <= {" ", *BARS}
    assert BARS[-1] in bars


SLOW = Report(
    tuple(
        Measurement(name, (123.456, 1234.567), (100.0,), efficiency=None)
        for name in ("individual_test", "test_cleanup", "parallel_execution_cached")
    )
)


@pytest.mark.parametrize("width", [80, 104, 132, 200])
def test_the_table_fits_and_says_what_is_compared(width: int) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table(SLOW, width), legend(SLOW, width), verdict(SLOW))
    shown = console.export_text()
    assert "…" not in shown and "parallel_execution_cached" in shown and "1234.6" in shown
    assert "_cached: the tables come from a declared schema" in shown
    assert ("published" in shown) == (width >= 104)
    assert ("std_dev" in shown) == (width >= 132)


def test_a_cached_operation_is_held_against_its_sibling() -> None:
    cached = Measurement("schema_operation_cached", (0.5, 0.96), (1.0,))
    assert (cached.target_ms, cached.published_ms) == (10.0, 7.3)
    assert cached.ahead == pytest.approx(10.0)
    assert Measurement("test_cleanup", (1.0,), (1.0,)).ahead is None


def test_what_could_not_be_measured_is_said() -> None:
    report = Report(SLOW.measurements[:1], "permission denied")
    assert "Not measured with a declared schema" in legend(report, 80)
