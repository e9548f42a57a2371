"""A trace for ui.perfetto.dev or chrome://tracing, in the JSON of the Trace Event Format.

A process for each worker; in it the tests with their phases and fixtures, the time that they spent on
queries, and the memory of the process. Single queries have no times: their sums start with their test.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tdd_monitor import figures
from tdd_monitor.terminal import plain_lines, visible

from . import results
from .results import Document, Entry

TESTS, QUERIES = 1, 2  # threads of each process
NS_PER_US = 1_000
Trace = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Attempt:
    worker: str
    start_ns: int
    test: Entry
    entry: Entry  # of this attempt; a test is the entry of its own last one


def render(document: Document) -> str:
    """The events in order of time; of those that start together, the enclosing one first."""
    attempts = sorted(_attempts(document), key=lambda each: (each.worker, each.start_ns))
    workers = {worker: pid for pid, worker in enumerate(dict.fromkeys(each.worker for each in attempts), 1)}
    found: list[Trace] = []
    for one, following in zip(attempts, [*attempts[1:], None], strict=False):
        limit_ns = following.start_ns if following and following.worker == one.worker else math.inf
        found += _attempt(workers[one.worker], one, limit_ns)
    found.sort(key=lambda event: (event["ts"], -event.get("dur", 0)))
    trace = {
        "displayTimeUnit": "ms",
        "otherData": {
            "generator": document["generator"],
            "outcome": results.outcome_line(document),
            "started_at": document["started_at"] or "",
            "tests without a time": str(
                len(results.ran(document)) - len({each.test["nodeid"] for each in attempts})
            ),
        },
        "traceEvents": [*_names(workers), *found],
    }
    return json.dumps(trace, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def _attempts(document: Document) -> Iterator[_Attempt]:
    for test in results.ran(document):
        for attempt in (*test["earlier_attempts"], test):
            if attempt["start_ms"] is not None:
                yield _Attempt(test["worker"], round(attempt["start_ms"] * figures.NS_PER_MS), test, attempt)


def _names(workers: Mapping[str, int]) -> Iterator[Trace]:
    for worker, pid in workers.items():
        name = f"worker {visible(worker)}" if worker else "pytest"
        yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}
        for tid, title in ((TESTS, "tests"), (QUERIES, "time spent on queries, summed per test")):
            yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": title}}


def _attempt(pid: int, one: _Attempt, limit_ns: float) -> Iterator[Trace]:
    """All of one attempt, cut at `limit_ns`: pytest times phases with another clock than their start."""
    start_ns, attempt = one.start_ns, one.entry
    phases = {when: _span(start_ns, phase, limit_ns) for when, phase in attempt["phases"].items()}
    end_ns = max((end for _, end in phases.values()), default=start_ns)
    name, span_ns = one.test["nodeid"], (start_ns, end_ns)
    yield _slice(pid, TESTS, name, span_ns, _arguments(one), attempt["outcome"])
    for when, phase in attempt["phases"].items():
        arguments = {"outcome": visible(phase["outcome"]), "cpu_ms": phase["cpu_ms"]}
        yield _slice(pid, TESTS, when, phases[when], arguments, "phase")
        if phase["rss_mb"]:
            memory = {"ph": "C", "name": "memory", "pid": pid, "ts": phases[when][1] / NS_PER_US}
            yield memory | {"args": {"rss_mb": phase["rss_mb"]}}
    for fixture in attempt["fixtures"]:
        yield from _fixture(pid, fixture, start_ns, list(phases.values()))
    yield from _queries(pid, attempt.get("db", ()), start_ns, end_ns)
    if attempt["failures"]:
        failed = {"ph": "i", "s": "t", "name": visible(attempt["outcome"].upper()), "pid": pid, "tid": TESTS}
        message = "\n".join(plain_lines(attempt["failures"][0]["message"]))
        yield failed | {"ts": end_ns / NS_PER_US, "args": {"message": message}}


def _span(start_ns: int, phase: Entry, limit_ns: float) -> tuple[int, int]:
    begin_ns = start_ns + round(phase["offset_ms"] * figures.NS_PER_MS)
    took_ns = round((phase["wall_ms"] + phase["shared_fixtures_ms"]) * figures.NS_PER_MS)
    return int(min(begin_ns, limit_ns)), int(min(begin_ns + took_ns, limit_ns))


def _fixture(pid: int, fixture: Entry, start_ns: int, phases: list[tuple[int, int]]) -> Iterator[Trace]:
    """Setup and teardown, within the phases in which they began: slices of one thread must nest."""
    spans = (
        ("", fixture["start_ns"], 0 if fixture["cached"] else fixture["setup_ns"]),
        (" teardown", fixture["teardown_start_ns"], fixture["teardown_ns"]),
    )
    for word, offset_ns, took_ns in spans:
        begin_ns = start_ns + offset_ns
        phase_end_ns = max((end for begin, end in phases if begin <= begin_ns), default=0)
        end_ns = min(begin_ns + took_ns, phase_end_ns)
        if took_ns and begin_ns < end_ns:
            arguments = {"scope": visible(fixture["scope"]), "defined in": visible(fixture["baseid"])}
            yield _slice(pid, TESTS, fixture["name"] + word, (begin_ns, end_ns), arguments, "fixture")


def _queries(pid: int, uses: list[Entry], start_ns: int, end_ns: int) -> Iterator[Trace]:
    """The sum of the queries as one slice that starts with the test, the slowest statements in it."""
    count = sum(use["queries"] for use in uses)
    sum_end_ns = min(end_ns, start_ns + sum(use["query_ns"] for use in uses))
    if not count or sum_end_ns <= start_ns:
        return
    yield _slice(
        pid, QUERIES, figures.plural(count, "query", "queries"), (start_ns, sum_end_ns), {}, "queries"
    )
    begin_ns = start_ns
    for statement in (each for use in uses for each in use["slowest"]):
        stop_ns = min(sum_end_ns, begin_ns + statement["total_ns"])
        if begin_ns < stop_ns:
            arguments = {"count": statement["count"]}
            yield _slice(pid, QUERIES, statement["sql"], (begin_ns, stop_ns), arguments, "statement")
        begin_ns = stop_ns


def _arguments(one: _Attempt) -> dict[str, Any]:
    test = one.test
    arguments: dict[str, Any] = {"outcome": visible(one.entry["outcome"]), "file": results.place(test)}
    if one.entry is test:
        arguments |= {visible(name): value for name, value in results.metrics(test).items()}
    if test["over_threshold"]:
        arguments["over threshold"] = visible(", ".join(test["over_threshold"]))
    return arguments


def _slice(
    pid: int, tid: int, name: str, span_ns: tuple[int, int], arguments: dict[str, Any], category: str
) -> Trace:
    begin_ns, end_ns = span_ns
    event = {"ph": "X", "name": visible(name), "cat": visible(category), "pid": pid, "tid": tid}
    return event | {"ts": begin_ns / NS_PER_US, "dur": (end_ns - begin_ns) / NS_PER_US, "args": arguments}
