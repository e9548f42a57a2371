"""Which server the tests connect to: told once, before anything is asked, by whoever may be believed."""

import inspect
import ssl as ssl_module
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from asyncpg.connect_utils import _parse_connect_arguments
from support.roles import Role, new_role

from plugin.conftest import Suite
from plugin.harness import Run, run_pytest
from tdd_monitor.plugin.observe import asyncpg as observer
from tdd_monitor.plugin.observe.servers import MAX_ENDPOINTS, Servers, server_url
from tdd_monitor.protocol.events import ServerSeen, StartedTest

WAYS = """
    import asyncio
    import os
    import threading

    import asyncpg
    import psycopg
    import psycopg_pool
    import pytest
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import create_async_engine

    *URLS, SHARED = os.environ["TEST_DATABASES"].splitlines()
    URL = ""


    def on(driver): return URL.replace("postgresql:", f"postgresql+{driver}:")
    def sync_engine(driver):
        engine = sa.create_engine(on(driver))
        for _ in range(2):
            with engine.connect() as connection: connection.execute(sa.text("SELECT 1"))
            engine.dispose()
    async def async_engine(driver):
        engine = create_async_engine(on(driver))
        async with engine.connect() as connection: await connection.execute(sa.text("SELECT 1"))
        await engine.dispose()
    async def asyncpg_pool():
        async with asyncpg.create_pool(URL, min_size=2, max_size=2) as pool: await pool.fetchval("SELECT 1")
    async def asyncpg_connection():
        for _ in range(2): await (await asyncpg.connect(URL)).close()
    async def psycopg_async(): await (await psycopg.AsyncConnection.connect(URL)).close()
    def psycopg_pooled():
        with psycopg_pool.ConnectionPool(URL, min_size=2, open=True) as pool:
            with pool.connection() as connection: connection.execute("SELECT 1")
    WAYS = {
        "asyncpg": lambda: asyncio.run(asyncpg_connection()),
        "asyncpg pool": lambda: asyncio.run(asyncpg_pool()),
        "psycopg": lambda: psycopg.connect(URL).close(),
        "psycopg async": lambda: asyncio.run(psycopg_async()),
        "psycopg pool": psycopg_pooled,
        "engine on asyncpg": lambda: asyncio.run(async_engine("asyncpg")),
        "engine on psycopg": lambda: sync_engine("psycopg"),
        "async engine on psycopg": lambda: asyncio.run(async_engine("psycopg")),
        "engine on psycopg2": lambda: sync_engine("psycopg2"),
    }
    def connect(way, url):
        global URL
        URL = url
        WAYS[way]()
    @pytest.mark.parametrize(("way", "url"), zip(WAYS, URLS))
    def test_way(way, url): connect(way, url)
    def test_all():
        for way in WAYS: connect(way, SHARED)
"""
TWICE = """
    import asyncio, os, asyncpg, pytest
    URLS = os.environ["TEST_DATABASE"], os.environ["OTHER_USER"]
    async def connect():
        for url in URLS: await (await asyncpg.connect(url)).close()
    @pytest.mark.parametrize("n", range(6))
    def test_it(n): asyncio.run(connect())
"""
NO_SERVER = """
    import asyncio, pytest, asyncpg, sqlalchemy
    def test_refused():
        with pytest.raises(OSError): asyncio.run(asyncpg.connect("postgresql://u:s3cret@127.0.0.1:1/x"))
    def test_sqlite():
        with sqlalchemy.create_engine("sqlite://").connect() as c: c.exec_driver_sql("SELECT 1")
"""
EARLY = """
    import asyncio, os, asyncpg
    asyncio.run(asyncpg.connect(os.environ["TEST_DATABASE"]))
"""


@pytest.fixture(scope="module")
def role() -> Iterator[Role]:
    with new_role() as role:
        yield role


def urls(run: Run) -> list[str]:
    return [seen.url for seen in run.events(ServerSeen)]


@pytest.fixture
def nine_users(role: Role) -> Iterator[list[Role]]:
    """The role under other names."""
    users = [replace(role, user=f"{role.user} {number}") for number in range(9)]
    role.execute(*(f"CREATE ROLE \"{user.user}\" LOGIN PASSWORD '{user.password}'" for user in users))
    yield users
    role.execute(*(f'DROP ROLE "{user.user}"' for user in users))


def test_every_way_to_connect_reports_the_server(
    suite: Suite, role: Role, nine_users: list[Role], newest: str
) -> None:
    wanted = [user.url() for user in (*nine_users, role)]  # the last for all ways: told once
    run = run_pytest(suite(test_ways=WAYS), python=newest, env={"TEST_DATABASES": "\n".join(wanted)})
    assert run.exitcode == 0, run.output
    assert len(run.records) == 10
    assert urls(run) == wanted


async def test_a_reported_url_connects(role: Role) -> None:
    connection = await asyncpg.connect(role.url())
    assert await connection.fetchval("SELECT current_user") == role.user
    await connection.close()


def test_each_process_reports_each_user_once(suite: Suite, role: Role) -> None:
    wanted = [role.address.url(), role.url()]
    env = {"TEST_DATABASE": wanted[0], "OTHER_USER": wanted[1]}
    run = run_pytest(suite(test_twice=TWICE), "-p", "xdist", "-n2", env=env)
    assert run.exitcode == 0, run.output
    assert sorted(urls(run)) == sorted(wanted * 2)


def test_a_worker_on_another_machine_reports_no_server(suite: Suite, role: Role, socket_server: str) -> None:
    """What it calls localhost is not the monitor's."""
    here = TWICE.replace('os.environ["TEST_DATABASE"], os.environ["OTHER_USER"]', f"[{role.address.url()!r}]")
    directory = suite(test_twice=here)
    args = ("-p", "xdist", "--dist=load", f"--tx={socket_server}", f"--rsyncdir={directory}", str(directory))
    run = run_pytest(directory, *args)
    assert run.exitcode == 0, run.output
    assert len(run.records) == 6 and urls(run) == []


def test_a_server_is_reported_after_hello_and_not_for_failed_connections(suite: Suite, role: Role) -> None:
    """The conftest connects before the session."""
    wanted = [role.address.url(), role.url()]
    env = {"TEST_DATABASE": wanted[0], "OTHER_USER": wanted[1]}
    run = run_pytest(suite(conftest=EARLY, test_no_server=NO_SERVER, test_twice=TWICE), env=env)
    assert run.exitcode == 0, run.output
    assert urls(run) == wanted
    run.assert_well_formed()
    first_test = next(line.t_ns for line in run.lines if isinstance(line.event, StartedTest))
    seen = [line.t_ns < first_test for line in run.lines if isinstance(line.event, ServerSeen)]
    assert seen == [True, False]


@pytest.mark.parametrize(
    ("place", "login", "url"),
    [
        (("localhost", 5432, "me"), ("", "shop", {}), "postgresql://me@localhost:5432/shop"),
        (("::1", 5433, "me"), ("a b", "shop/1", {}), "postgresql://me:a%20b@[::1]:5433/shop%2F1"),
        (("db", 5432, "me"), (print, "shop", {}), "postgresql://me@db:5432/shop"),
        (
            ("db", 1, "me"),
            (None, "shop", {"sslmode": "verify-full", "sslrootcert": "/a b.crt"}),
            "postgresql://me@db:1/shop?sslmode=verify-full&sslrootcert=/a%20b.crt",
        ),
        (("/run/pg", 5432, "me"), (None, "shop", {}), "postgresql://me@/shop?host=/run/pg&port=5432"),
    ],
    ids=["plain", "IPv6 and quotes", "a function for a password", "TLS", "socket"],
)
def test_urls_of_servers(place: Any, login: Any, url: str) -> None:
    assert server_url(place, login) == url


@pytest.mark.parametrize(
    ("ssl", "sslmode"),
    [
        ("disable", ""),
        ("prefer", ""),
        ("require", "require"),
        (True, "verify-full"),
        ("own", "verify-ca"),
    ],
)
def test_tls_is_not_weaker_than_the_tests_own(ssl: Any, sslmode: str) -> None:
    """The embedded server has no certificate; what counts is what asyncpg was told."""
    if ssl == "own":
        ssl = ssl_module.create_default_context()
        ssl.check_hostname = False
    arguments: dict[str, Any] = dict.fromkeys(inspect.signature(_parse_connect_arguments).parameters)
    arguments |= {"dsn": "postgresql://u:p@db/x", "ssl": ssl, "statement_cache_size": 1}
    arguments |= {"max_cached_statement_lifetime": 1, "max_cacheable_statement_size": 1}
    _addresses, params, _config = _parse_connect_arguments(**arguments)
    assert observer._tls(params).get("sslmode", "") == sslmode


def test_an_unknown_driver_raises_nothing_and_reports_nothing() -> None:
    told: list[ServerSeen] = []
    servers = Servers()
    servers.report_to(told.append)

    def broken(connection: Any) -> Any:
        return connection.not_there

    servers.connected(SimpleNamespace(), broken, broken, broken)
    servers.connected(SimpleNamespace(), lambda _: ("db", 1, "me"), broken, broken)
    assert told == []


def test_a_role_per_test_does_not_flood_the_stream() -> None:
    told: list[ServerSeen] = []
    servers = Servers()
    servers.report_to(told.append)
    for n in range(3 * MAX_ENDPOINTS):
        servers.connected(n, lambda n: ("db", 1, f"u{n}"), lambda n: ("", "x", {}), bool)
    assert len(told) == MAX_ENDPOINTS
