"""Drivers that nobody watches: what tests did with them is unknown, where they could have used them."""

from plugin.conftest import Suite
from plugin.harness import run_pytest
from tdd_monitor.protocol.events import WarningRaised

BEFORE_AND_AFTER = """
    import sqlite3
    import sqlalchemy as sa

    def test_before(): pass
    def test_counted_by_sqlalchemy():
        with sa.create_engine("sqlite://").connect() as connection: connection.exec_driver_sql("SELECT 1")
    def test_sqlite3(): sqlite3.connect(":memory:").execute("SELECT 1")
    def test_after(): pass
"""
WAYS = """
    import asyncio, os, sqlite3, sqlite3.dbapi2
    import aiosqlite, psycopg2, psycopg2.pool

    URL = os.environ["TEST_DATABASE"]

    async def go():
        async with aiosqlite.connect(":memory:") as connection: await connection.execute("SELECT 1")
    def test_aiosqlite(): asyncio.run(go())
    def test_psycopg2(): psycopg2.pool.SimpleConnectionPool(1, 1, URL).closeall()
    def test_dbapi2(): sqlite3.dbapi2.connect(":memory:").close()
"""


def test_unknown_from_the_first_connection_on(suite: Suite, newest: str) -> None:
    run = run_pytest(suite(test_it=BEFORE_AND_AFTER), python=newest)
    assert run.exitcode == 0, run.output
    told = [record.unwatched for record in run.records]
    assert told == [(), (), ("sqlite3",), ("sqlite3",)]
    assert run.pool("::test_counted_by_sqlalchemy", "sqlalchemy").queries == 1
    assert not [warning for warning in run.events(WarningRaised) if "watched" in warning.message]


def test_every_way_to_such_a_connection(suite: Suite, database: str, newest: str) -> None:
    run = run_pytest(suite(test_ways=WAYS), python=newest, env={"TEST_DATABASE": database})
    assert run.exitcode == 0, run.output
    told = [record.unwatched for record in run.records]
    assert told == [("aiosqlite",), ("aiosqlite", "psycopg2"), ("aiosqlite", "psycopg2", "sqlite3")]
