"""Databases that contain only a declared schema: built once, then copied.

On the embedded server a template serves all workers and later runs. On the user's server it belongs
to this process and is dropped at its end.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tdd_monitor.testing.schema.declare import Schema, SchemaError, is_async

from . import names
from .server import DatabaseServer
from .worker import drop

_KEPT = 20
_STATE = """
    SELECT d.datistemplate AS finished, shobj_description(d.oid, 'pg_database') AS note
    FROM pg_database d WHERE d.datname = $1
"""
_OLDEST = f"""
    SELECT datname FROM pg_database WHERE starts_with(datname, '{names.TEMPLATES}') AND datistemplate
    ORDER BY oid DESC OFFSET {_KEPT}
"""
_OBJECTS = (
    "SELECT count(*) FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i')"
)


@dataclass(frozen=True)
class Template:
    """A finished template database. `built_now`: this process built it, which took `built_ms`."""

    name: str
    operations: int
    built_ms: float
    built_now: bool


class TemplateDatabases:
    """Builds templates on one server, each under a lock shared by all processes. Blocks."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server
        self._ready: dict[str, Template] = {}
        self._own: list[str] = []

    def get(self, schema: Schema, name_own: Callable[[], str]) -> Template:
        """Return the template of the schema, built on first use.

        `name_own` names a template that is for this process alone. Raises SchemaError.
        """
        template = self._ready.get(schema.hash)
        if template is None:
            lasting = schema.lasting and self._server.given is None
            name = names.template(schema.hash) if lasting else name_own()
            template = self._ready[schema.hash] = self._find_or_build(name, schema)
            if not lasting:
                self._own.append(name)
        return template

    def has(self, schema: Schema) -> bool:
        """Return whether `get` has it already, with nothing to build or look up."""
        return schema.hash in self._ready

    def drop_own(self) -> None:
        """Drop the templates of this process alone."""
        own, self._own = self._own, []
        self._ready.clear()
        for name in own:
            self._server.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false', drop(name))

    def _find_or_build(self, name: str, schema: Schema) -> Template:
        async def find_or_build(admin: Any) -> Template:
            # Held by the connection, so it is released if the builder dies.
            await admin.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", name)
            found = await admin.fetchrow(_STATE, name)
            if found is not None and found["finished"]:
                noted = json.loads(found["note"])
                return Template(name, noted["operations"], noted["built_ms"], built_now=False)
            return await self._build(admin, name, schema)

        return self._server.administer(find_or_build)

    async def _build(self, admin: Any, name: str, schema: Schema) -> Template:
        await admin.execute(drop(name))
        await admin.execute(f'CREATE DATABASE "{name}"')
        started_s = time.perf_counter()
        try:
            operations = await fill(self._server.url_of(name), schema)
        except BaseException:
            await admin.execute(drop(name))
            raise
        built_ms = (time.perf_counter() - started_s) * 1e3
        note = json.dumps({"operations": operations, "built_ms": round(built_ms, 3)})
        await admin.execute(f"COMMENT ON DATABASE \"{name}\" IS '{note}'")
        # Also marks it as finished: a half-built one is dropped by the next process that needs it.
        await admin.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE true')
        for old in await admin.fetch(_OLDEST):
            await admin.execute(f'ALTER DATABASE "{old["datname"]}" IS_TEMPLATE false')
            await admin.execute(drop(old["datname"]))
        return Template(name, operations, built_ms, built_now=True)


async def fill(url: str, schema: Schema) -> int:
    """Build the schema in an empty database; return its number of operations. Raises SchemaError."""
    import asyncpg

    connection = await asyncpg.connect(url, statement_cache_size=0)
    try:
        for name, value in schema.settings:
            await connection.execute("SELECT set_config($1, $2, false)", name, value)
        for text in schema.ddl:
            if text.strip():
                await connection.execute(text)
        if schema.build is None:
            return schema.operations
        if is_async(schema.build):
            await schema.build(connection)
        else:
            # In a thread without a loop: Alembic's env.py for asynchronous engines calls asyncio.run.
            await asyncio.to_thread(schema.build, url)
        return int(await connection.fetchval(_OBJECTS))
    except asyncpg.PostgresError as error:
        raise SchemaError(f"PostgreSQL rejected the declared schema: {error}") from error
    finally:
        await connection.close()
