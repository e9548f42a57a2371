"""The whole benchmark in one call, for a console or a CI job."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from tdd_monitor.testing.measuring.performance import PerformanceGate

from .benchmark import TDDPerformanceBenchmark
from .report import PerformanceReport

Result = TypeVar("Result")


async def run_comprehensive_benchmark() -> PerformanceReport:
    """Measure every operation, print the progress and a summary, and return the report (milliseconds).

    Raises what the toolkit raises when there is no server.
    """
    benchmark = TDDPerformanceBenchmark()
    steps: tuple[tuple[str, Callable[[], Awaitable[object]]], ...] = (
        ("Whole tests", benchmark.benchmark_individual_test),
        ("Fixture setup", benchmark.benchmark_fixture_setup),
        ("Connections", benchmark.benchmark_connection_acquisition),
        ("Schema operations", benchmark.benchmark_schema_operations),
        ("Test teardown", benchmark.benchmark_test_cleanup),
        ("Concurrent tests", benchmark.benchmark_parallel_execution),
    )
    for name, measure in steps:
        print(f"{name} ...", flush=True)
        await measure()
    report = benchmark.generate_performance_report()
    print(_text(report))
    return report


def validate_performance_gate() -> bool:
    """Measure whole tests and fixture setup, and compare them with `PerformanceGate`; print what fails.

    `test_suite_time_seconds` is the time of all measured tests in a row. Can be called while an event
    loop runs, and blocks it. Raises what the toolkit raises when there is no server.
    """
    tests_ms, setups_ms = _run(_measure_for_gate())
    gate = PerformanceGate()
    gate.record_measurement("average_test_time_ms", sum(tests_ms) / len(tests_ms))
    gate.record_measurement("max_test_time_ms", max(tests_ms))
    gate.record_measurement("fixture_setup_time_ms", sum(setups_ms) / len(setups_ms))
    gate.record_measurement("test_suite_time_seconds", sum(tests_ms) / 1e3)
    result = gate.evaluate_gate()
    print(f"Performance gate: {'passed' if result['passed'] else 'FAILED'}")
    for failure in result["failures"]:
        print(f"  {failure}")
    return result["passed"]


async def _measure_for_gate() -> tuple[list[float], list[float]]:
    benchmark = TDDPerformanceBenchmark()
    return await benchmark.benchmark_individual_test(), await benchmark.benchmark_fixture_setup()


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run it in its own loop, in another thread if this one already runs a loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, work).result()


def _text(report: PerformanceReport) -> str:
    lines = [""]
    for operation, times in report["measurements"].items():
        verdict = "met" if times["target_achieved"] else "MISSED"
        lines.append(
            f"{operation:<20} mean {times['mean']:.2f} ms, target {times['target']:g} ms: {verdict}."
            f" p95 {times['p95']:.2f} ms, range {times['min']:.2f} to {times['max']:.2f} ms,"
            f" {times['success_rate']:.1f}% within the target"
        )
    summary = report["summary"]
    lines += [
        "",
        f"{summary['targets_met']} of {summary['operations_tested']} targets met"
        f" ({summary['overall_success_rate']:.1f}%)",
        summary["recommendation"],
    ]
    return "\n".join(lines)
