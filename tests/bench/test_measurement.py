import io
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tdd_monitor.bench.measurement import Report, compare
from tdd_monitor.reports.bench import BARS, histogram, legend, table, verdict
from tdd_monitor.testing import TDDPerformanceBenchmark

samples = st.lists(st.floats(0.001, 1000), min_size=1, max_size=50).map(tuple)


def report_of(
    floor_ms: tuple[float, ...] = (1.0,), left_out: str = "", **times_ms: tuple[float, ...]
) -> Report:
    """As the command makes it, from the toolkit's own report."""
    benchmark = TDDPerformanceBenchmark()
    for operation, measured in times_ms.items():
        for each_ms in measured:
            benchmark.record_measurement(operation, each_ms)
    report = benchmark.generate_performance_report()
    return compare(report, times_ms, dict.fromkeys(times_ms, floor_ms), {"parallel_execution": 2.5}, left_out)


@given(samples, samples)
def test_the_raw_driver_is_compared_by_medians(ours: tuple[float, ...], floor: tuple[float, ...]) -> None:
    values = report_of(floor, individual_test=ours).measurements[0].as_dict()
    assert values["count"] == len(ours)
    assert values["min"] <= values["median"] <= values["p95"] <= values["max"]
    assert values["floor_ratio"] == pytest.approx(statistics.median(ours) / statistics.median(floor))
    assert values["published"] == 65.2
    assert values["ahead"] == pytest.approx(65.2 / statistics.fmean(ours))


def test_the_document_has_targets_measurements_and_summary() -> None:
    document = report_of(fixture_setup=(1.0, 8.0), parallel_execution=(900.0,)).as_dict()
    assert document["targets"]["fixture_setup"] == 5.0
    assert document["measurements"]["fixture_setup"]["success_rate"] == 50.0
    assert "parallel_efficiency" not in document["measurements"]["fixture_setup"]
    assert document["measurements"]["parallel_execution"]["parallel_efficiency"] == 2.5
    assert (document["summary"]["operations_tested"], document["summary"]["targets_met"]) == (2, 1)


@pytest.mark.parametrize(("mean_ms", "missed"), [(5.0, False), (5.1, True)])
def test_a_missed_target_is_noticed(mean_ms: float, missed: bool) -> None:
    assert report_of(fixture_setup=(mean_ms,), test_cleanup=(1.0,)).has_missed == missed


@given(samples)
def test_every_sample_is_in_the_histogram(ours: tuple[float, ...]) -> None:
    bars = histogram(ours)
    assert len(bars) == 16 and set(bars) <= {" ", *BARS}
    assert BARS[-1] in bars


SLOW = report_of(
    (100.0,),
    individual_test=(123.456, 1234.567),
    test_cleanup=(123.456, 1234.567),
    parallel_execution_cached=(123.456, 1234.567),
)


@pytest.mark.parametrize("width", [80, 104, 132, 200])
def test_the_table_fits_and_explains_what_is_compared(width: int) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table(SLOW, width), legend(SLOW, width), verdict(SLOW))
    shown = console.export_text()
    assert "…" not in shown and "parallel_execution_cached" in shown and "1234.6" in shown
    assert "_cached: the tables come from a declared schema" in shown
    assert ("published" in shown) == (width >= 104)
    assert ("std_dev" in shown) == (width >= 132)


def test_a_cached_operation_is_compared_with_what_is_published_of_its_sibling() -> None:
    cached, cleanup = report_of(schema_operation_cached=(0.5, 0.96), test_cleanup=(1.0,)).measurements
    assert cached.published_ms == 7.3
    assert cached.ahead == pytest.approx(10.0)
    assert (cleanup.published_ms, cleanup.ahead) == (None, None)


def test_the_legend_names_what_could_not_be_measured() -> None:
    report = report_of(left_out="permission denied", individual_test=(1.0,))
    assert "Not measured with a declared schema" in legend(report, 80)
