"""The copied sample under a real pytest: the advertised outcomes, and every problem a real one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tdd_monitor.demo import copy_sample

OUTCOMES = {"passed": 46, "failed": 2, "skipped": 1, "xfailed": 1, "error": 1}
POOL_SIZE = 5

HOARDS = "test_hoards_all_connections_but_one"
WAITS = "test_waits_for_a_connection_of_the_exhausted_pool"

Traces = dict[str, dict[str, Any]]


OWN_PLUGINS = ("-p", "asyncio", "-p", "tdd_monitor.testing.pytest_plugin.database")


def run_suite(directory: Path, *args: str) -> tuple[dict[str, int], str]:
    """Run pytest there; return the counts of its summary line, and its output."""
    # Without this pytest's settings and other installed plugins, which double the start-up time.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    environment["PYTHONPATH"] = str(Path(__file__).parent)
    environment["SAMPLE_PROBE_FILE"] = str(directory / "probe.json")
    output = subprocess.run(
        [sys.executable, "-m", "pytest", *OWN_PLUGINS, *args],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    ).stdout
    words = r"(\d+) (passed|failed|error|skipped|deselected|xfailed|xpassed|warning)"
    return {word: int(count) for count, word in re.findall(words, output.splitlines()[-1])}, output


def test_the_advertised_outcomes_and_real_problems(tmp_path: Path) -> None:
    """In one process, then in a worker: the second attempt of the flaky test, which passes."""
    sample = copy_sample(tmp_path)
    counts, output = run_suite(sample, "-p", "sample_probe", "-ra")
    assert counts == OUTCOMES, output
    assert re.search(r"^FAILED \S+::test_flaky_", output, re.M), output
    assert "shipping of an order of 50.00: 4.90" in output  # what the failing test printed
    traces: Traces = json.loads((sample / "probe.json").read_text())
    slow_tests_wait_compute_and_change_the_schema(traces)
    one_slow_fixture_is_paid_by_each_test_the_other_once(traces)
    only_the_leaking_test_keeps_much_memory(traces)
    only_the_forgetting_test_keeps_a_connection(traces)
    only_two_tests_use_up_the_pool_and_one_waits(traces)
    only_the_history_repeats_a_query(traces)
    counts, output = run_suite(sample, "-p", "xdist.plugin", "-n", "1", "-ra")
    assert counts == OUTCOMES | {"passed": OUTCOMES["passed"] + 1, "failed": OUTCOMES["failed"] - 1}, output
    assert "test_flaky_" not in output


def slow_tests_wait_compute_and_change_the_schema(traces: Traces) -> None:
    waiting = traces["test_slow_waiting_on_the_database"]
    assert waiting["seconds"] > 1.0
    assert waiting["cpu_seconds"] < 0.5
    assert traces["test_slow_computing_of_the_best_parcels"]["cpu_seconds"] > 0.1
    assert traces["test_slow_ddl_rebuilds_the_search_index"]["ddl_s"] > 0.01


def one_slow_fixture_is_paid_by_each_test_the_other_once(traces: Traces) -> None:
    setups = [trace["fixtures_s"] for trace in traces.values()]
    each_time = [setup["year_of_sales"] for setup in setups if "year_of_sales" in setup]
    once = [setup["exchange_rates"] for setup in setups if setup.get("exchange_rates", 0) > 0.05]
    assert len(each_time) == 3
    assert min(each_time) > 0.05
    assert len(once) == 1
    assert once[0] > 0.29


def only_the_leaking_test_keeps_much_memory(traces: Traces) -> None:
    grown = {name: trace["grown_mb"] for name, trace in traces.items()}
    assert 12 < grown.pop("test_leaks_memory_by_keeping_every_export") < 30
    assert max(grown.values()) < 10, grown


def only_the_forgetting_test_keeps_a_connection(traces: Traces) -> None:
    kept = {name: trace["pool_kept"] for name, trace in traces.items() if trace["pool_kept"] > 0}
    assert kept == {"test_forgets_to_give_a_connection_back": 1}


def only_two_tests_use_up_the_pool_and_one_waits(traces: Traces) -> None:
    assert {name for name, trace in traces.items() if trace["pool_peak"] == POOL_SIZE} == {HOARDS, WAITS}
    assert traces[WAITS]["pool_wait_s"] > 0.35


def only_the_history_repeats_a_query(traces: Traces) -> None:
    repeated = {name: trace["most_repeated"] for name, trace in traces.items() if trace["most_repeated"] > 10}
    assert repeated == {"test_n_plus_one_queries_for_the_history": 30}
