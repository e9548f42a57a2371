"""Streams of protocol lines that look like real runs, for tests and for looking at the screen.

`shop()` is a suite of an order service with one of every trouble, `xdist()` the same on three
workers, `lost()` dies in a test, `collection_errors()` never starts one, `large()` has as many
tests as asked for.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectError,
    CollectFinish,
    Event,
    FinishedTest,
    FixtureLate,
    FixtureUse,
    Hello,
    Line,
    PoolSample,
    RunCancel,
    RunFinish,
    RunLost,
    RunRequest,
    Sample,
    ServerSample,
    StartedTest,
    Subtest,
    WarningRaised,
    WorkerDown,
    WorkerUp,
)
from tdd_monitor.session import metrics

from .scripts import FIRST, MB, MS, Script

__all__ = ["FIRST", "MB", "MS", "Script"]  # given on: tests take all they need from here

START_NS = 1_000_000 * MS

TRACEBACK = """\
shop_client = <Client base_url='http://shop'>, connection = <asyncpg.Connection 0x7f21>

    async def test_discount_is_rounded_to_cents(shop_client, connection):
        order = await shop_client.create_order(items=[("tea", 3), ("cup", 1)])
        await connection.execute("UPDATE orders SET discount = 0.333 WHERE id = $1", order.id)
>       assert await shop_client.total(order.id) == Decimal("17.33")
E       AssertionError: assert Decimal('17.3366') == Decimal('17.33')
E         +  where Decimal('17.3366') = total(42)

tests/test_orders.py:61: AssertionError"""


@dataclass
class Stream:
    """Lines under construction; `now_ns` moves on with what happens."""

    now_ns: int = START_NS
    lines: list[Line] = field(default_factory=list)
    rss_bytes: int = 61 * MB

    def emit(self, event: Event, worker: str = "", after_ms: float = 0.0) -> None:
        """Append one event, `after_ms` later than the one before."""
        self.now_ns += int(after_ms * MS)
        self.lines.append(Line(len(self.lines) + 1, self.now_ns, worker, event))

    def open(self, run: str, scope: str, reason: str, tests: int = 0, role: str = "single") -> None:
        """A run is asked for and pytest says hello."""
        self.emit(RunRequest(run, scope, reason, tests), after_ms=1)
        self.emit(Hello(1, "", run, 4242, role, "3.12.4", "9.2.0", "/shop"), after_ms=310)

    def collect(self, tests: list[CollectedTest], deselected: int = 0) -> None:
        """All of `tests` in chunks, and the end of collection."""
        for start in range(0, len(tests), 500):
            self.emit(Collect(tuple(tests[start : start + 500])), after_ms=20)
        self.emit(CollectFinish(len(tests), deselected), after_ms=5)

    def sample(self, in_use: int, size: int, waiting: int = 0, worker: str = "") -> None:
        """One look at the process, its pool and its server."""
        pools = (PoolSample("shop", "asyncpg", in_use, size - in_use, size, 10, waiting),)
        self.emit(Sample(self.rss_bytes, self.now_ns // 3, pools), worker)
        self.emit(ServerSample("localhost:5432", size + 3, 100))

    def finish(self, exitstatus: int, after_ms: float = 9) -> None:
        """pytest's end, with its own counts of all that the lines tell."""
        events = [line.event for line in self.lines]
        counts = Counter(
            word for event in events if isinstance(event, FinishedTest) for word in metrics.categories(event)
        )
        counts["error"] += sum(isinstance(event, CollectError) for event in events)
        self.emit(RunFinish(exitstatus, dict(+counts)), after_ms=after_ms)

    def test(self, script: "Script", worker: str = "") -> None:
        """Every attempt of one test, with the samples that go along."""
        attempts = script.attempts()
        for attempt, outcome in enumerate(attempts, 1):
            self.emit(StartedTest(script.nodeid, attempt), worker, after_ms=0.3)
            started_ns = self.now_ns
            for _ in range(max(1, int(script.total_ms // 100))):
                self.sample(script.peak, max(2, script.peak), script.waiting, worker)
                self.now_ns += int(min(100.0, script.total_ms) * MS)
            self.rss_bytes += int(script.memory_mb * MB)
            self.emit(script.record(outcome, attempt, started_ns, self.rss_bytes), worker)


DISCOUNT = "tests/test_orders.py::test_discount_is_rounded_to_cents"
SLOW_REPORT = "tests/test_reports.py::TestMonthly::test_report_over_ten_thousand_orders"
LEAKY = "tests/test_export.py::test_export_keeps_every_row_in_memory"
HUNGRY = "tests/test_checkout.py::test_concurrent_checkouts_share_the_pool"
N_PLUS_ONE = "tests/test_orders.py::test_order_list_shows_items"
FLAKY = "tests/test_payments.py::test_payment_callback_arrives"

SESSION_POOL = FixtureUse(
    "pool", "session", 48 * MS, 48 * MS, 0, int(0.2 * MS), first_user=FIRST, baseid="tests/conftest.py"
)
SCHEMA = FixtureUse(
    "schema", "function", 86 * MS, 86 * MS, 21 * MS, 1 * MS, 116 * MS, baseid="tests/conftest.py"
)

SHOP: list[Script] = [
    Script(FIRST, setup=51, call=4.1, fixtures=(SESSION_POOL,)),
    Script("tests/test_catalog.py::test_catalog_is_sorted_by_name", call=3.7),
    Script("tests/test_catalog.py::test_search_finds_umlauts[Müsli]", call=5.2),
    Script("tests/test_catalog.py::test_search_finds_umlauts[寿司セット]", call=5.4),
    Script("tests/test_catalog.py::test_search_escapes[red][[bold]x[/]]", call=4.9),
    Script("tests/test_catalog.py::test_price_is_never_negative", call=0.8, queries=0),
    Script("tests/test_customers.py::test_customer_can_register", call=7.7),
    Script("tests/test_customers.py::test_email_is_unique", call=6.1, queries=4),
    Script("tests/test_customers.py::test_customer_is_anonymised", call=9.3, queries=6),
    Script("tests/test_customers.py::test_login_is_rate_limited", call=12.2, queries=11),
    Script("tests/test_customers.py::test_password_reset_expires", "xfailed", longrepr="clock is not frozen"),
    Script("tests/test_orders.py::test_order_needs_items", call=3.3, queries=1),
    Script("tests/test_orders.py::test_order_total_adds_up", call=8.4, queries=5),
    Script(N_PLUS_ONE, call=46.0, queries=61, repeated=60),
    Script(DISCOUNT, "failed", call=14.2, queries=5, longrepr=TRACEBACK, stdout="total(42) -> 17.3366\n" * 3),
    Script("tests/test_orders.py::test_order_can_be_cancelled", call=7.9, queries=4),
    Script("tests/test_orders.py::test_cancelled_order_frees_stock", call=9.9, queries=7),
    Script(
        "tests/test_orders.py::test_order_states",
        "failed",
        call=21.4,
        queries=12,
        longrepr="contains 1 failed subtest",
        subtests=(
            Subtest("passed", "[status=new]", 4 * MS),
            Subtest("failed", "[status=paid]", 9 * MS, "AssertionError: 'open' != 'paid'"),
            Subtest("passed", "[status=sent]", 5 * MS),
        ),
    ),
    Script("tests/test_checkout.py::test_checkout_reserves_stock", call=18.4, queries=9),
    Script(HUNGRY, call=164.0, queries=40, peak=10, waiting=6),
    Script("tests/test_checkout.py::test_checkout_rolls_back", call=13.1, queries=8),
    Script("tests/test_checkout.py::test_empty_basket_is_refused", call=2.1, queries=1),
    Script(FLAKY, call=32.0, queries=4, reruns=1, longrepr="TimeoutError: no callback within 30 ms"),
    Script("tests/test_payments.py::test_payment_is_idempotent", call=11.0, queries=6),
    Script("tests/test_payments.py::test_refund_is_partial", call=9.0, queries=5),
    Script(
        "tests/test_payments.py::test_sandbox_gateway",
        "skipped",
        longrepr="Skipped: SHOP_GATEWAY_URL is not set",
        queries=0,
    ),
    Script("tests/test_stock.py::test_stock_counts_down", call=6.6, queries=4),
    Script("tests/test_stock.py::test_stock_is_never_negative", call=6.9, queries=4),
    Script("tests/test_stock.py::test_reorder_level", setup=88, call=28, teardown=22, fixtures=(SCHEMA,)),
    Script(
        "tests/test_stock.py::test_supplier_feed",
        "error",
        setup=31.0,
        queries=0,
        longrepr="fixture 'supplier' failed\nE   ConnectionRefusedError: [Errno 111] port 8089",
    ),
    Script("tests/test_export.py::test_export_has_header", call=4.4),
    Script(LEAKY, call=58.0, queries=4, memory_mb=14.6),
    Script("tests/test_export.py::test_export_closes_its_connection", call=22.0, leaked=1, queries=2),
    Script("tests/test_export.py::test_export_is_utf8", call=5.1, memory_mb=0.4),
    Script("tests/test_reports.py::TestMonthly::test_report_is_empty_at_first", call=7.2, queries=3),
    Script(SLOW_REPORT, call=1240.0, queries=18, memory_mb=6.1),
    Script("tests/test_reports.py::TestMonthly::test_report_sums_by_country", call=74.0, queries=6),
    Script("tests/test_reports.py::TestYearly::test_schema_is_migrated", call=31.0, ddl_ms=19.0),
    Script("tests/test_reports.py::TestYearly::test_report_is_cached", "xpassed", call=6.0),
    Script("tests/test_reports.py::TestYearly::test_report_by_quarter", call=91.0, queries=14),
]


def collected(scripts: list[Script]) -> list[CollectedTest]:
    """The items of `scripts`, ten lines apart."""
    lines: dict[str, int] = {}
    tests = []
    for script in scripts:
        file = script.nodeid.partition("::")[0]
        lines[file] = lines.get(file, 2) + 10
        tests.append(CollectedTest(script.nodeid, file, lines[file]))
    return tests


def shop(stop_after: int | None = None, finish: bool = True) -> list[Line]:
    """The shop suite in one process; with `stop_after`, the next test has started and runs."""
    stream = Stream()
    stream.open("run-1", "all", "start")
    stream.collect(collected(SHOP))
    for script in SHOP[:stop_after]:
        stream.test(script)
    if stop_after is not None and stop_after < len(SHOP):
        stream.emit(StartedTest(SHOP[stop_after].nodeid, 1), after_ms=0.2)
        stream.sample(1, 2)
        stream.now_ns += 40 * MS
        stream.sample(2, 2)
    elif finish:
        stream.emit(WarningRaised("pool.acquire() without timeout", "UserWarning", FIRST, "shop/db.py", 12))
        stream.emit(FixtureLate("pool", "session", 3 * MS, FIRST, "tests/conftest.py"), after_ms=2)
        stream.finish(1)
    return stream.lines


def rerun_failed() -> list[Line]:
    """A whole run, and a second one of what failed, which is going: most rows are of run 1."""
    stream = Stream(lines=shop())
    stream.now_ns = stream.lines[-1].t_ns
    again = [script for script in SHOP if script.outcome in ("failed", "error")]
    stream.open("run-2", "some", "failed", len(again))
    stream.collect(collected(again))
    stream.test(Script(DISCOUNT, call=9.8, queries=5))
    stream.emit(StartedTest(again[1].nodeid, 1), after_ms=0.2)
    stream.now_ns += 30 * MS
    stream.sample(1, 2)
    return stream.lines


def xdist(finish: bool = False) -> list[Line]:
    """The shop suite on three workers, interleaved; one worker crashed and was replaced."""
    stream = Stream()
    stream.open("run-1", "all", "start", role="controller")
    workers = ("gw0", "gw1", "gw2")
    for number, worker in enumerate(workers):
        stream.emit(WorkerUp(worker), after_ms=30)
        stream.emit(Hello(1, "", "run-1", 4300 + number, "worker"), worker)
    stream.collect(collected(SHOP))
    count = len(SHOP) if finish else 30
    for number, script in enumerate(SHOP[:count]):
        stream.test(script, workers[number % 3])
    stream.emit(WorkerDown("gw1", True, "crashed"), after_ms=1)
    stream.emit(WorkerUp("gw3"), after_ms=200)
    if finish:
        stream.finish(1)
        return stream.lines
    for number, worker in enumerate(("gw0", "gw2", "gw3")):
        stream.emit(StartedTest(SHOP[count + number].nodeid, 1), worker, after_ms=40)
        stream.sample(number + 1, 4, 0, worker)
    stream.now_ns += 130 * MS
    stream.sample(3, 4, 1, "gw0")
    return stream.lines


def lost() -> list[Line]:
    """pytest is killed in the middle of a test."""
    stream = Stream(lines=shop(stop_after=35))
    stream.now_ns = stream.lines[-1].t_ns
    output = (
        "tests/test_reports.py ..\nFatal Python error: Segmentation fault\n  File 'shop/report.py', line 88"
    )
    stream.emit(RunLost(-9, "SIGKILL", output), after_ms=612)
    return stream.lines


def collection_errors() -> list[Line]:
    """Two files cannot be imported; pytest stops before the first test."""
    stream = Stream()
    stream.open("run-1", "all", "start")
    trace = (
        "ImportError while importing test module '/shop/tests/test_orders.py'.\n"
        "tests/test_orders.py:3: in <module>\n    from shop.orders import Basket\n"
        "E   ImportError: cannot import name 'Basket' from 'shop.orders'"
    )
    stream.emit(CollectError("tests/test_orders.py", trace), after_ms=20)
    trace = (
        "tests/test_stock.py:9\n    def test_stock(:\n                   ^\nE   SyntaxError: invalid syntax"
    )
    stream.emit(CollectError("tests/test_stock.py", trace), after_ms=4)
    stream.collect(collected(SHOP[:6]))
    stream.emit(RunCancel("collection", "2 errors during collection"))
    stream.finish(2, after_ms=8)
    return stream.lines


def ended(exitstatus: int) -> list[Line]:
    """A run that ends at once with this exit status, without any test."""
    stream = Stream()
    stream.open("run-1", "all", "start")
    stream.emit(CollectFinish(0), after_ms=20)
    stream.finish(exitstatus, after_ms=8)
    return stream.lines


def all_passed() -> list[Line]:
    """Six quick tests, all of which pass."""
    stream = Stream()
    stream.open("run-1", "all", "saved shop/catalog.py")
    quick = [Script(script.nodeid, call=2.0, queries=1) for script in SHOP[:6]]
    stream.collect(collected(quick))
    for script in quick:
        stream.test(script)
    stream.finish(0)
    return stream.lines


def large(tests: int) -> Iterator[Line]:
    """A run of that many tests, made as it is read: a start and a record each."""
    stream = Stream()
    stream.open("run-1", "all", "start")
    names = [f"tests/unit/test_module_{n // 100:04d}.py::TestThing::test_case_{n:06d}" for n in range(tests)]
    stream.collect(
        [CollectedTest(name, name.partition("::")[0], 10 + n % 900) for n, name in enumerate(names)]
    )
    yield from stream.lines
    stream.lines.clear()
    for number, name in enumerate(names):
        outcome = "failed" if number % 997 == 13 else "passed"
        call = 0.4 + (number * 7919 % 1000) / 9
        script = Script(name, outcome, call=call, queries=number % 7, longrepr="E   assert 1 == 2")
        stream.emit(StartedTest(name, 1), after_ms=0.1)
        stream.now_ns += int(script.total_ms * MS)
        stream.emit(script.record(outcome, 1, stream.now_ns, stream.rss_bytes))
        if number % 50 == 0:
            stream.rss_bytes += 4096
            stream.sample(1 + number % 3, 4)
        yield from stream.lines
        stream.lines.clear()
    stream.emit(RunFinish(1), after_ms=9)
    yield from stream.lines
