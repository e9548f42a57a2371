"""Schema declarations; equal declarations have equal hashes.

A declaration says how to fill an empty database, not when or where that is done.
"""

import hashlib
import inspect
import re
import uuid
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_QUOTED = re.compile(
    r"'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/",
    re.DOTALL,
)
# psql meta-commands that pg_dump has written since its releases of August 2025.
_PSQL_COMMANDS = re.compile(r"^\\(?:un)?restrict\b.*$", re.MULTILINE)


class SchemaError(ValueError):
    """A declaration that is invalid, or that the server rejected."""


@dataclass(frozen=True)
class Schema:
    """A declared schema.

    `ddl` is what is executed, statement by statement or file by file; for a callable it is empty and
    `build` is called instead. `operations` is the number of statements, 0 if not known in advance.
    `lasting`: the hash covers everything, so a database built from it can be reused by later runs.
    """

    hash: str
    ddl: tuple[str, ...] = ()
    build: Callable[..., Any] | None = None
    settings: tuple[tuple[str, str], ...] = ()
    lasting: bool = True
    operations: int = field(default=0, compare=False)

    @property
    def text(self) -> str:
        """All of `ddl` as one script; "" for a callable."""
        return "\n;\n".join(self.ddl)  # on a line of its own: a part may end with a comment


def declare_schema(
    source: Any,
    *,
    watch: Iterable[str | Path] = (),
    settings: Mapping[str, str] | None = None,
) -> Schema:
    """Declare a schema.

    `source` is DDL, the Path of an .sql file, a sequence of these, SQLAlchemy's MetaData (or its
    `create_all`), an async function that takes an asyncpg connection, or a synchronous function that
    takes the URL of an empty database, such as an Alembic upgrade. List the files and directories that a
    function depends on in `watch`, otherwise it is called once in every worker of every run.
    `settings` apply to each connection to the database, e.g. {"search_path": "shop"}. Raises SchemaError.
    """
    if isinstance(source, Schema):
        return source
    own = tuple(sorted((settings or {}).items()))
    metadata = _metadata_of(source)
    if metadata is None and callable(source):
        watched = _contents(watch)
        known = repr((_name_of(source), watched, own)) if watched else _number_of(source)
        return Schema(_digest(known), build=source, settings=own, lasting=bool(watched))
    ddl = _ddl_of_metadata(metadata) if metadata is not None else tuple(_texts(source))
    return Schema(
        _digest(repr((ddl, own))), ddl, settings=own, operations=sum(count_statements(text) for text in ddl)
    )


def schema_of(source: Any) -> Schema | None:
    """Like `declare_schema`, for a fixture's value: examined once for all tests. None stays None."""
    global _last  # noqa: PLW0603 - one declaration serves nearly all tests
    if source is None or isinstance(source, Schema):
        return source
    if _last is None or _last[0] is not source:
        _last = (source, declare_schema(source))
    return _last[1]


_last: tuple[Any, Schema] | None = None


def schema_hash(ddl: str | Sequence[str]) -> str:
    """Return the hash of DDL, the key of `SchemaCache`."""
    return declare_schema(ddl).hash


def count_statements(ddl: str) -> int:
    """Return the number of statements in an SQL script."""
    return sum(
        1 for statement in _QUOTED.sub("x", ddl).split(";") if statement.strip(" \t\r\n").strip("x \n")
    )


def is_async(build: Callable[..., Any]) -> bool:
    """Return whether a callable source takes an asyncpg connection rather than a URL."""
    return inspect.iscoroutinefunction(build) or inspect.iscoroutinefunction(getattr(build, "__call__", None))  # noqa: B004


def _texts(source: Any) -> Iterable[str]:
    if isinstance(source, Path):
        try:
            text = source.read_text(encoding="utf-8")
        except OSError as error:
            raise SchemaError(f"Cannot read the schema {source}: {error.strerror}") from error
        yield _PSQL_COMMANDS.sub("", text)
    elif isinstance(source, str):
        if re.fullmatch(r"[^;\s]+\.sql", source):
            raise SchemaError(
                f"{source!r} is interpreted as DDL. To use the file, pass pathlib.Path({source!r})."
            )
        yield source
    elif isinstance(source, Sequence):
        for part in source:
            yield from _texts(part)
    else:
        raise SchemaError(
            "A schema is DDL, a Path, a list of these, a MetaData or a function,"
            f" not {type(source).__name__}."
        )


def _metadata_of(source: Any) -> Any:
    """SQLAlchemy's MetaData behind `source`, found without importing SQLAlchemy."""
    owner = getattr(source, "__self__", source)
    return owner if hasattr(owner, "create_all") and hasattr(owner, "sorted_tables") else None


def _ddl_of_metadata(metadata: Any) -> tuple[str, ...]:
    from sqlalchemy import create_mock_engine

    statements: list[str] = []

    def note(statement: Any, *_: Any, **__: Any) -> None:
        statements.append(str(statement.compile(dialect=engine.dialect)).strip())

    # asyncpg's dialect, because others double the percent signs.
    engine = create_mock_engine("postgresql+asyncpg://", note)
    metadata.create_all(engine, checkfirst=False)
    return tuple(statements)


def _contents(watch: Iterable[str | Path]) -> list[tuple[str, str]]:
    found = []
    for name in watch:
        path = Path(name)
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                found.append((file.name, hashlib.sha256(file.read_bytes()).hexdigest()))
            elif not file.exists():
                raise SchemaError(f"The schema depends on {file}, which does not exist.")
    return found


def _number_of(function: Callable[..., Any]) -> str:
    """A key unique to this function during its lifetime."""
    try:
        return _numbers.setdefault(function, uuid.uuid4().hex)
    except TypeError:
        return uuid.uuid4().hex  # no weak references possible: a new key each time


_numbers: "weakref.WeakKeyDictionary[Callable[..., Any], str]" = weakref.WeakKeyDictionary()


def _name_of(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(type(function)))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
