"""Declared schemas: understood, hashed, built once, standing for every test."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table

from tdd_monitor.testing import (
    Schema,
    SchemaError,
    declare_schema,
    get_database_manager,
    schema_hash,
    tdd_test_context,
)
from tdd_monitor.testing.schema.declare import count_statements

from .conftest import Look, Run

PG_DUMP = "\\restrict abc\nSET search_path = '';\nCREATE TABLE public.dumped (i int);\n\\unrestrict abc\n"


def unique(ddl: str = "CREATE TABLE things (id serial PRIMARY KEY, name text)") -> Schema:
    """A schema that no run has ever built."""
    return declare_schema(f"{ddl}; COMMENT ON SCHEMA public IS '{uuid.uuid4()}'")


@pytest.mark.parametrize(
    ("ddl", "count"),
    [
        ("", 0),
        (" ; ;\n-- nothing; at all\n/* ; */", 0),
        ("CREATE TABLE a (); CREATE TABLE b ();", 2),
        ("INSERT INTO a VALUES ('x;y', ';'';')", 1),
        ('CREATE FUNCTION f() RETURNS int AS $b$ SELECT 1; $b$ LANGUAGE sql; CREATE TABLE "a;b" ()', 2),
    ],
)
def test_statements_are_counted(ddl: str, count: int) -> None:
    assert count_statements(ddl) == count


def test_the_same_ddl_has_the_same_hash(tmp_path: Path) -> None:
    file = tmp_path / "schema.sql"
    file.write_text("CREATE TABLE a ()")
    assert declare_schema(file) == declare_schema("CREATE TABLE a ()") == declare_schema([file])
    assert schema_hash("CREATE TABLE a ()") != schema_hash("CREATE TABLE b ()")
    assert declare_schema("X").hash != declare_schema("X", settings={"search_path": "y"}).hash


def test_a_function_has_the_hash_of_what_it_depends_on(tmp_path: Path) -> None:
    def upgrade(url: str) -> None: ...

    (tmp_path / "001.py").write_text("first")
    before = declare_schema(upgrade, watch=[tmp_path])
    assert before == declare_schema(upgrade, watch=[tmp_path])
    (tmp_path / "002.py").write_text("second")
    assert before != declare_schema(upgrade, watch=[tmp_path])
    assert before.lasting
    assert not declare_schema(upgrade).lasting


@pytest.mark.parametrize("source", [17, "schema.sql", Path("nowhere.sql"), {"a": 1}])
def test_an_invalid_schema_is_rejected(source: object) -> None:
    with pytest.raises(SchemaError):
        declare_schema(source)


async def test_every_test_finds_the_tables_empty_and_ids_are_its_own(look: Look) -> None:
    schema = unique()
    for _ in range(3):
        async with tdd_test_context(schema=schema) as context:
            assert await context.connection.fetchval("SELECT count(*) FROM things") == 0
            await context.connection.execute("INSERT INTO things (name) VALUES ('x')")
    assert await look("SELECT to_regclass('things')") is None  # not in the database without a schema


async def test_the_server_executes_the_ddl_once() -> None:
    cache = get_database_manager().schema_cache
    saved, schema = cache.cache_stats["ddl_operations_saved"], unique()
    paths, oids = [], set()
    for _ in range(3):
        async with tdd_test_context(schema=schema) as context:
            paths.append(context.path)
            oids.add(await context.connection.fetchval("SELECT 'things'::regclass::oid"))
    assert paths == ["transaction, schema built", *["transaction, schema reused"] * 2]
    assert len(oids) == 1
    assert cache.cache_stats["ddl_operations_saved"] == saved + 2 * 2
    assert cache.get_cached_ddl(schema.hash) == schema.text


async def test_another_process_and_a_later_run_copy_what_was_built(run_pytest: Run) -> None:
    ddl = unique().ddl[0]
    module = f"""
import pytest
@pytest.fixture(scope="session")
def tdd_schema(): return {ddl!r}
@pytest.mark.asyncio
async def test_it(tdd_test_context):
    print("path=" + tdd_test_context.path + ".")
    assert await tdd_test_context.connection.fetchval("SELECT count(*) FROM things") == 0
"""
    assert "path=transaction, schema built." in run_pytest("-s", test_it=module).stdout
    assert "path=transaction, schema copied." in run_pytest("-s", test_it=module).stdout


async def test_a_commit_recreates_the_database_with_its_schema() -> None:
    schema = unique()
    with pytest.warns(UserWarning, match="ended the transaction"):
        async with tdd_test_context(schema=schema) as context:
            await context.connection.execute("INSERT INTO things (name) VALUES ('x'); COMMIT")
    async with tdd_test_context(schema=schema) as context:
        assert await context.connection.fetchval("SELECT count(*) FROM things") == 0


async def test_a_dump_with_commands_of_psql(tmp_path: Path) -> None:
    file = tmp_path / "dump.sql"
    file.write_text(PG_DUMP)
    async with tdd_test_context(schema=file) as context:
        assert await context.connection.fetchval("SELECT count(*) FROM dumped") == 0


async def test_metadata_and_its_create_all() -> None:
    metadata = MetaData()
    Table(
        f"t_{uuid.uuid4().hex}",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("n", String(7), index=True),
    )
    schema = declare_schema(metadata.create_all)
    assert schema == declare_schema(metadata)
    assert schema.operations == 2
    async with tdd_test_context(schema=schema) as context:
        assert await context.connection.fetchval(f"SELECT count(*) FROM {next(iter(metadata.tables))}") == 0


async def test_functions_build_on_a_connection_or_a_url() -> None:
    async def on_connection(connection: Any) -> None:
        await connection.execute("CREATE TABLE built (by text)")

    def on_url(url: str) -> None:
        import asyncio

        import asyncpg

        async def build() -> None:
            connection = await asyncpg.connect(url)
            await on_connection(connection)
            await connection.close()

        asyncio.run(build())  # as Alembic's env.py does

    for source in (on_connection, on_url):
        async with tdd_test_context(schema=declare_schema(source)) as context:
            assert await context.connection.fetchval("SELECT count(*) FROM built") == 0
            assert context.path == "transaction, schema built"


async def test_settings_hold_for_every_connection() -> None:
    ddl = "CREATE SCHEMA shop; CREATE TABLE shop.wares (i int)"
    async with tdd_test_context(
        schema=declare_schema(ddl, settings={"search_path": "shop, public"})
    ) as context:
        assert await context.connection.fetchval("SELECT count(*) FROM wares") == 0


async def test_refused_ddl_says_so_and_is_not_kept() -> None:
    for _ in range(2):
        with pytest.raises(SchemaError, match='rejected the declared schema: type "nonsense" does not exist'):
            async with tdd_test_context(schema="CREATE TABLE a (i nonsense)"):
                pass


def test_the_text_of_a_schema_runs_as_one_script() -> None:
    parts = ["CREATE TABLE a () -- the first", "CREATE TABLE b ();\n"]
    assert declare_schema(parts).text == "CREATE TABLE a () -- the first\n;\nCREATE TABLE b ();\n"
    assert declare_schema(parts[1]).text == parts[1]
