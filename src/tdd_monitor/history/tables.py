"""The tables of the history, the same on SQLite and PostgreSQL.

A migration turns the schema of version n into that of version n + 1. One that was released never changes.
"""

from typing import get_args, get_type_hints

from .rows import Figures

# Times in ns unless the name says otherwise, sizes in bytes.
_FIRST = """
CREATE TABLE environments (
    id INTEGER PRIMARY KEY {identity},
    cpu TEXT NOT NULL,
    python TEXT NOT NULL,
    plugins TEXT NOT NULL,
    workers INTEGER NOT NULL,
    warm BOOLEAN NOT NULL,
    instruments TEXT NOT NULL,
    UNIQUE (cpu, python, plugins, workers, warm, instruments)
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY {identity},
    uuid TEXT NOT NULL UNIQUE,
    environment INTEGER NOT NULL REFERENCES environments (id),
    started_s DOUBLE PRECISION NOT NULL,
    duration_ns BIGINT NOT NULL,
    scope TEXT NOT NULL,
    exitstatus INTEGER,
    commit_hash TEXT NOT NULL,
    branch TEXT NOT NULL,
    dirty BOOLEAN NOT NULL,
    tests INTEGER NOT NULL,
    failed INTEGER NOT NULL
);
CREATE INDEX runs_of_environment ON runs (environment, scope, id);
CREATE TABLE tests (
    id INTEGER PRIMARY KEY {identity},
    nodeid TEXT NOT NULL UNIQUE
);
CREATE TABLE results (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    test INTEGER NOT NULL REFERENCES tests (id),
    outcome TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    {figures},
    PRIMARY KEY (test, run)
);
CREATE INDEX results_of_run ON results (run);
CREATE TABLE anchors (
    environment INTEGER NOT NULL REFERENCES environments (id),
    test INTEGER NOT NULL REFERENCES tests (id),
    accepted_s DOUBLE PRECISION NOT NULL,
    commit_hash TEXT NOT NULL,
    {figures},
    PRIMARY KEY (environment, test)
);
CREATE TABLE outbox (
    run INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE
);
"""

_MIGRATIONS = (_FIRST,)
VERSION = len(_MIGRATIONS)


def statements(since: int, identity: str = "") -> list[str]:
    """The statements that turn the schema of version `since` into the current one.

    `identity` is the clause that makes an integer key auto-increment, where one is needed.
    """
    types = get_type_hints(Figures)
    required = {name for name, kind in types.items() if type(None) not in get_args(kind)}
    columns = [f"{name} BIGINT{' NOT NULL' if name in required else ''}" for name in Figures._fields]
    scripts = [
        script.format(identity=identity, figures=",\n    ".join(columns)) for script in _MIGRATIONS[since:]
    ]
    return [each.strip() for script in scripts for each in script.split(";") if each.strip()]
