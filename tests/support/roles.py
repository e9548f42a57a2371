"""A role of its own in the embedded PostgreSQL, which other tests use at the same time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from tdd_monitor.plugin.observe.servers import server_url
from tdd_monitor.testing.databases.server import run_apart
from tdd_monitor.testing.postgres import PostgresUnavailable, ServerAddress, acquire_server


@dataclass(frozen=True)
class Role:
    """Somebody whose name and password need quoting; the server lets everybody in without one."""

    address: ServerAddress
    user: str = f"tdd monitor@{os.getpid()}"
    password: str = "p@ss/w:rd %41?#"

    def url(self, database: str = "postgres") -> str:
        """What the plugin should announce of a connection as this role."""
        place = (self.address.host, self.address.port, self.user)
        return server_url(place, (self.password, database, {}))

    def execute(self, *statements: str) -> list[Any]:
        """Let the superuser do it, each on its own; rows of the last one. Blocks."""

        async def go() -> list[Any]:
            connection = await asyncpg.connect(self.address.url())
            try:
                return [await connection.fetch(statement) for statement in statements][-1]  # type: ignore[no-any-return]
            finally:
                await connection.close()

        return run_apart(go)

    def monitors(self) -> int:
        """How many sessions a monitor has as this role."""
        where = f"usename = '{self.user}' AND application_name = 'tdd-monitor'"
        return int(self.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {where}")[0][0])


@contextmanager
def new_role(options: str = "") -> Iterator[Role]:
    """A role until the block ends; skips where there is no server."""
    try:
        with acquire_server() as lease:
            role = Role(lease.address)
            drop = f'DROP ROLE IF EXISTS "{role.user}"'
            role.execute(drop, f"CREATE ROLE \"{role.user}\" LOGIN PASSWORD '{role.password}' {options}")
            yield role
            role.execute(drop)
    except PostgresUnavailable as error:
        pytest.skip(str(error))
