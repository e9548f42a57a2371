"""An Alembic upgrade as the declared schema."""

from pathlib import Path

import pytest

from tdd_monitor.testing import declare_schema, tdd_test_context

command = pytest.importorskip("alembic.command")
alembic_config = pytest.importorskip("alembic.config")

ENV = """
import asyncio
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine

def migrate(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    url = context.config.get_main_option("sqlalchemy.url").replace("postgresql:", "postgresql+asyncpg:")
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()
    await engine.dispose()

asyncio.run(main())
"""
VERSION = """
from alembic import op
revision, down_revision = "1", None
def upgrade(): op.execute("CREATE TABLE migrated (i int)")
"""


async def test_migrations_run_once_and_their_tables_exist(tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(ENV)
    (tmp_path / "versions" / "one.py").write_text(VERSION + f"# {tmp_path}")  # built here, never before

    def upgrade(url: str) -> None:
        config = alembic_config.Config()
        config.set_main_option("script_location", str(tmp_path))
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        command.upgrade(config, "head")

    paths = []
    for _ in range(2):
        async with tdd_test_context(schema=declare_schema(upgrade, watch=[tmp_path])) as context:
            paths.append(context.path)
            assert await context.connection.fetchval("SELECT count(*) FROM migrated") == 0
    assert paths == ["transaction, schema built", "transaction, schema reused"]
