"""The benchmark: one operation at a time, as a whole, as a gate; on the real embedded server."""

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest

from tdd_monitor.testing import (
    EXPECTED_PERFORMANCE_RESULTS,
    TDDPerformanceBenchmark,
    TDDTestContext,
    get_database_manager,
    run_comprehensive_benchmark,
    tdd_test_context,
)

TARGETS = {
    "individual_test": 100.0,
    "fixture_setup": 5.0,
    "connection_acquire": 5.0,
    "schema_operation": 10.0,
    "test_cleanup": 5.0,
    "parallel_execution": 100.0,
}
STATISTICS = {
    "count",
    "mean",
    "median",
    "min",
    "max",
    "p95",
    "std_dev",
    "target",
    "target_achieved",
    "success_rate",
}


@pytest.mark.parametrize(
    ("method", "operation"),
    [
        ("benchmark_individual_test", "individual_test"),
        ("benchmark_fixture_setup", "fixture_setup"),
        ("benchmark_connection_acquisition", "connection_acquire"),
        ("benchmark_schema_operations", "schema_operation"),
        ("benchmark_test_cleanup", "test_cleanup"),
    ],
)
async def test_each_operation_is_measured_on_its_own(method: str, operation: str) -> None:
    benchmark = TDDPerformanceBenchmark()
    measure: Callable[[int], Awaitable[list[float]]] = getattr(benchmark, method)
    times_ms = await measure(3)
    assert len(times_ms) == 3 and all(each > 0 for each in times_ms)
    assert benchmark.measurements == {operation: times_ms}
    assert await measure(1) == benchmark.measurements[operation][3:]


async def test_concurrent_tests_overlap_on_separate_connections() -> None:
    benchmark, overlap = TDDPerformanceBenchmark(), asyncio.Barrier(4)
    backends = set()

    async def sample() -> float:
        async with tdd_test_context("at once") as context:
            backends.add(await context.connection.fetchval("SELECT pg_backend_pid()"))
            await overlap.wait()  # passes when all four are open
        return 1.0

    async with tdd_test_context("around"):
        await benchmark.measure_at_once("mine", sample, 4)
    assert len(backends) >= 4
    assert benchmark.measurements["mine"] == [1.0] * 4


async def test_the_result_of_concurrent_tests() -> None:
    benchmark = TDDPerformanceBenchmark()
    result = await benchmark.benchmark_parallel_execution(concurrent_tests=3)
    times_ms = benchmark.measurements["parallel_execution"]
    assert result == {
        "individual_times": times_ms,
        "total_time": result["total_time"],
        "average_time": pytest.approx(statistics.mean(times_ms)),
        "max_time": max(times_ms),
        "parallel_efficiency": pytest.approx(sum(times_ms) / result["total_time"]),
    }
    assert len(times_ms) == 3 and result["max_time"] <= result["total_time"]
    with pytest.raises(ValueError, match="not 0"):
        await benchmark.benchmark_parallel_execution(0)


async def test_the_first_turns_of_an_operation_do_not_count() -> None:
    turns: list[bool] = []

    async def after_turn(operation: str, counted: bool) -> None:
        turns.append(counted)

    benchmark = TDDPerformanceBenchmark(after_turn)
    await benchmark.benchmark_fixture_setup(2)
    await benchmark.benchmark_fixture_setup(1)
    assert turns == [*[False] * 5, True, True, True]
    assert len(benchmark.measurements["fixture_setup"]) == 3


async def test_the_benchmark_leaves_the_database_of_an_open_test_alone(
    tdd_test_context: TDDTestContext,
) -> None:
    await tdd_test_context.connection.execute("CREATE TABLE mine (i int)")
    await TDDPerformanceBenchmark().benchmark_connection_acquisition(1)
    assert await tdd_test_context.connection.fetchval("SELECT count(*) FROM mine") == 0


def test_the_report_holds_times_against_targets() -> None:
    benchmark = TDDPerformanceBenchmark()
    assert benchmark.baseline_targets == TARGETS
    for duration_ms in (2.0, 4.0, 9.0):
        benchmark.record_measurement("fixture_setup", duration_ms)
    benchmark.record_measurement("import", 99.0)
    benchmark.measurements["nothing"] = []
    benchmark.baseline_targets["fixture_setup"] = 6.0
    report = benchmark.generate_performance_report()
    assert json.loads(json.dumps(report)) == report
    assert report["targets"] == {**TARGETS, "fixture_setup": 6.0}
    assert list(report["measurements"]) == ["fixture_setup", "import"]
    assert report["measurements"]["fixture_setup"] == {
        "count": 3,
        "mean": 5.0,
        "median": 4.0,
        "min": 2.0,
        "max": 9.0,
        "p95": 9.0,
        "std_dev": pytest.approx(statistics.stdev([2.0, 4.0, 9.0])),
        "target": 6.0,
        "target_achieved": True,
        "success_rate": pytest.approx(200 / 3),
    }
    assert report["measurements"]["import"]["target"] == 100.0
    assert report["measurements"]["import"]["std_dev"] == 0.0


@pytest.mark.parametrize(
    ("met", "grade"), [(20, "Excellent"), (19, "Excellent"), (16, "Good"), (12, "Moderate"), (11, "Poor")]
)
def test_the_recommendation_follows_the_targets_met(met: int, grade: str) -> None:
    benchmark = TDDPerformanceBenchmark()
    for number in range(20):
        benchmark.record_measurement(f"operation {number}", 100.0 if number < met else 100.1)
    summary = benchmark.generate_performance_report()["summary"]
    assert (summary["operations_tested"], summary["targets_met"]) == (20, met)
    assert summary["overall_success_rate"] == pytest.approx(5 * met)
    assert summary["recommendation"].startswith(grade)


def test_a_report_of_nothing() -> None:
    summary = TDDPerformanceBenchmark().generate_performance_report()["summary"]
    assert (summary["operations_tested"], summary["overall_success_rate"]) == (0, 0.0)


async def test_the_whole_benchmark_prints_its_progress_and_returns_the_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = await run_comprehensive_benchmark()
    assert list(report["measurements"]) == list(TARGETS)
    counts = {name: each["count"] for name, each in report["measurements"].items()}
    assert list(counts.values()) == [50, 100, 100, 50, 100, 10]
    assert all(set(each) == STATISTICS for each in report["measurements"].values())
    printed = capsys.readouterr().out
    assert "Concurrent tests ..." in printed
    assert all(f"\n{name} " in printed for name in TARGETS)
    assert report["summary"]["recommendation"] in printed
    assert printed.isascii()  # any console can show it


async def test_it_can_be_started_again_after_the_manager_was_closed() -> None:
    await get_database_manager().close()
    assert len(await TDDPerformanceBenchmark().benchmark_individual_test(1)) == 1


GATE = """
import asyncio
from tdd_monitor.testing import PerformanceGate, validate_performance_gate

async def inside(): return validate_performance_gate()

evaluate, seen = PerformanceGate.evaluate_gate, []
def strict(gate):
    gate.required_metrics = {name: {limit} for name in gate.required_metrics}
    seen.append(sorted(gate.measurements) == sorted(gate.required_metrics))
    return evaluate(gate)
PerformanceGate.evaluate_gate = strict
assert validate_performance_gate() is {passes}
assert asyncio.run(inside()) is {passes}
assert seen == [True, True]
"""


@pytest.mark.parametrize(("limit", "passes"), [("1e9", True), ("0.0", False)])
def test_the_gate_measures_everything_that_it_requires(limit: str, passes: bool) -> None:
    script = GATE.replace("{limit}", limit).replace("{passes}", str(passes))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Missing measurement" not in done.stdout
    assert done.stdout.count("Performance gate: " + ("passed" if passes else "FAILED")) == 2
    assert ("fixture_setup_time_ms: " in done.stdout) != passes
    assert done.stderr == ""


def test_the_published_results() -> None:
    assert set(EXPECTED_PERFORMANCE_RESULTS) == set(TARGETS) - {"test_cleanup"}
    for name, results in EXPECTED_PERFORMANCE_RESULTS.items():
        assert results.get("target", TARGETS[name]) == TARGETS[name]
    assert EXPECTED_PERFORMANCE_RESULTS["individual_test"]["mean"] == 65.2
    assert EXPECTED_PERFORMANCE_RESULTS["parallel_execution"]["speedup"] == 2.5
