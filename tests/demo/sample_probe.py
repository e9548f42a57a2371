"""A plugin for the pytest that runs the sample: writes what each test did, without our own plugin."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest


@dataclass
class Trace:
    """What one test did."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    grown_mb: float = 0.0
    pool_peak: int = 0
    pool_wait_s: float = 0.0
    pool_kept: int = 0
    most_repeated: int = 0
    ddl_s: float = 0.0
    fixtures_s: dict[str, float] = field(default_factory=dict)


TRACES: dict[str, Trace] = {}
POOLS: set[Any] = set()
STATEMENTS: Counter[str] = Counter()
PROCESS = psutil.Process()

now = Trace()


def in_use(pool: Any) -> int:
    return int(pool.get_size() - pool.get_idle_size())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    global now  # noqa: PLW0603 - the hooks below have no other access to the running test
    now = TRACES[item.nodeid.partition("::")[2]] = Trace()
    STATEMENTS.clear()
    held, rss = sum(map(in_use, POOLS)), PROCESS.memory_info().rss
    wall, cpu = time.perf_counter(), time.process_time()
    result = yield
    now.seconds, now.cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    now.grown_mb = (PROCESS.memory_info().rss - rss) / 1024**2
    now.pool_kept = sum(map(in_use, POOLS)) - held
    now.most_repeated = max(STATEMENTS.values(), default=0)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        now.fixtures_s[fixturedef.argname] = time.perf_counter() - start


def pytest_sessionfinish() -> None:
    report = {name: asdict(trace) for name, trace in TRACES.items()}
    Path(os.environ["SAMPLE_PROBE_FILE"]).write_text(json.dumps(report))


def watch_queries(method: str) -> None:
    original: Callable[..., Any] = getattr(asyncpg.Connection, method)

    async def watched(self: object, query: str, *args: object, **options: object) -> object:
        start = time.perf_counter()
        try:
            return await original(self, query, *args, **options)
        finally:
            STATEMENTS[query] += 1
            if query.startswith(("CREATE ", "DROP ", "ALTER ")):
                now.ddl_s = max(now.ddl_s, time.perf_counter() - start)

    setattr(asyncpg.Connection, method, watched)


def watch_acquires() -> None:
    original: Callable[..., Any] = asyncpg.Pool._acquire

    async def watched(self: Any, *args: object) -> object:
        POOLS.add(self)
        start = time.perf_counter()
        connection = await original(self, *args)
        now.pool_wait_s = max(now.pool_wait_s, time.perf_counter() - start)
        now.pool_peak = max(now.pool_peak, in_use(self))
        return connection

    asyncpg.Pool._acquire = watched


for name in ("execute", "fetch", "fetchrow", "fetchval"):
    watch_queries(name)
watch_acquires()
