"""The results of earlier runs: which are kept, which are dropped, and which others are compared with.

Every call blocks for milliseconds up to seconds: keep it out of an event loop.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from .commit import Commit
from .database import Database, Row
from .environment import Environment
from .rows import Figures, Result, RunRow

RUNS_KEPT = 100  # full runs of each environment, and as many partial ones
WINDOW = 10  # newest results of a test that others are compared with

_ENVIRONMENT = ", ".join(Environment._fields)
_FIGURES = ", ".join(Figures._fields)
_RUN_COLUMNS = (
    *("uuid", "started_s", "duration_ns", "scope", "exitstatus"),
    *("commit_hash", "branch", "dirty", "tests", "failed"),
)
_RUN = ", ".join(_RUN_COLUMNS)
_RUN_WIDTH = len(_RUN_COLUMNS) + len(Environment._fields)


def _marks(first: int, count: int) -> str:
    return ", ".join(f"${number}" for number in range(first, first + count))


_ADD_ENVIRONMENT = f"INSERT INTO environments ({_ENVIRONMENT}) VALUES ({_marks(1, 6)}) ON CONFLICT DO NOTHING"
_FIND_ENVIRONMENT = "SELECT id FROM environments WHERE " + " AND ".join(
    f"{name} = ${number}" for number, name in enumerate(Environment._fields, 1)
)
_ADD_RUN = f"""
    INSERT INTO runs (environment, {_RUN}) VALUES ({_marks(1, 11)})
    ON CONFLICT DO NOTHING RETURNING id
"""
_ADD_TEST = "INSERT INTO tests (nodeid) VALUES ($1) ON CONFLICT DO NOTHING"
_TEST_ID = "(SELECT id FROM tests WHERE nodeid = $1)"
_ADD_RESULT = f"""
    INSERT INTO results (test, run, outcome, attempts, {_FIGURES})
    VALUES ({_TEST_ID}, {_marks(2, 3 + len(Figures._fields))})
"""
_FORGET = """
    DELETE FROM runs WHERE environment = $1 AND scope = $2 AND id NOT IN (
        SELECT id FROM runs WHERE environment = $1 AND scope = $2 ORDER BY id DESC LIMIT $3
    )
"""
_WINDOW = f"""
    SELECT nodeid, run, {_FIGURES} FROM (
        SELECT test, run, {_FIGURES}, row_number() OVER (PARTITION BY test ORDER BY run DESC) AS age
        FROM results JOIN runs ON runs.id = results.run
        WHERE environment = $1 AND outcome = 'passed' AND attempts = 1 AND (scope = 'all' OR $3 = 'some')
            AND started_s > coalesce((
                SELECT accepted_s FROM anchors
                WHERE anchors.environment = runs.environment AND anchors.test = results.test
            ), 0)
    ) AS newest JOIN tests ON tests.id = newest.test
    WHERE age <= $2 ORDER BY run
"""
_ANCHORS = f"""
    SELECT nodeid, {_FIGURES} FROM anchors JOIN tests ON tests.id = anchors.test WHERE environment = $1
"""
_NEW_FIGURES = ", ".join(f"{name} = excluded.{name}" for name in Figures._fields)
_ACCEPT = f"""
    INSERT INTO anchors (test, environment, accepted_s, commit_hash, {_FIGURES})
    VALUES ({_TEST_ID}, {_marks(2, 3 + len(Figures._fields))})
    ON CONFLICT (environment, test) DO UPDATE SET accepted_s = excluded.accepted_s,
        commit_hash = excluded.commit_hash, {_NEW_FIGURES}
"""
_RUNS = f"""
    SELECT {_RUN}, {_ENVIRONMENT} FROM runs JOIN environments ON environments.id = runs.environment
    ORDER BY started_s DESC, runs.id DESC LIMIT $1
"""
_OF_TEST = f"""
    SELECT {_RUN}, {_ENVIRONMENT}, nodeid, outcome, attempts, {_FIGURES}
    FROM results JOIN tests ON tests.id = results.test JOIN runs ON runs.id = results.run
    JOIN environments ON environments.id = runs.environment
    WHERE nodeid = $1 ORDER BY started_s, runs.id
"""
_PUT_IN_OUTBOX = "INSERT INTO outbox VALUES ($1)"
_UNSENT = f"""
    SELECT {_RUN}, {_ENVIRONMENT} FROM outbox JOIN runs ON runs.id = outbox.run
    JOIN environments ON environments.id = runs.environment ORDER BY runs.id
"""
_OF_RUN = f"""
    SELECT nodeid, outcome, attempts, {_FIGURES} FROM results JOIN tests ON tests.id = results.test
    WHERE run = (SELECT id FROM runs WHERE uuid = $1) ORDER BY test
"""
_SENT = "DELETE FROM outbox WHERE run = (SELECT id FROM runs WHERE uuid = $1)"
_NODE_IDS = "SELECT nodeid FROM tests ORDER BY nodeid"


# By node id, then by a number of the run that rises with time.
Window = dict[str, dict[int, Figures]]


class Past(NamedTuple):
    """A result and the run that it comes from."""

    run: RunRow
    result: Result


class Store:
    """The history of one project. `database` is the only thing that differs between SQLite and PostgreSQL.

    All methods raise HistoryError.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, run: RunRow, results: Iterable[Result], to_send: bool = False) -> None:
        """Store a run, once and as a whole, and drop the oldest ones beyond RUNS_KEPT.

        With `to_send` it is also added to the `unsent` ones.
        """
        with self.database.transaction():
            environment = self._environment(run.environment)
            added = self.database.query(_ADD_RUN, environment, *_run_values(run))
            if not added:
                return
            results = list(results)
            self.database.execute_many(_ADD_TEST, [(result.nodeid,) for result in results])
            rows = [(r.nodeid, added[0][0], r.outcome, r.attempts, *r.figures) for r in results]
            self.database.execute_many(_ADD_RESULT, rows)
            if to_send:
                self.database.query(_PUT_IN_OUTBOX, added[0][0])
            self.database.query(_FORGET, environment, run.scope, RUNS_KEPT)

    def window(self, environment: Environment, scope: str) -> Window:
        """The newest comparable figures of every test in this environment, oldest first, at most WINDOW.

        Only those since the last `accept` count: a change that was meant makes earlier ones worthless.
        Those of partial runs only count for another partial run: a test that runs alone pays for imports
        and caches that others share.
        """
        found: Window = {}
        for nodeid, run, *figures in self._of(environment, _WINDOW, WINDOW, scope):
            found.setdefault(nodeid, {})[run] = Figures(*figures)
        return found

    def anchors(self, environment: Environment) -> dict[str, Figures]:
        """The accepted figures of every test that has any in this environment."""
        return {nodeid: Figures(*figures) for nodeid, *figures in self._of(environment, _ANCHORS)}

    def accept(
        self,
        environment: Environment,
        commit: Commit,
        figures: Collection[tuple[str, Figures]],
        accepted_s: float = 0.0,
    ) -> None:
        """Make these the accepted figures of their tests in this environment.

        `accepted_s` is the Unix time at which a user accepted them, 0 if nobody did.
        """
        with self.database.transaction():
            number = self._environment(environment)
            self.database.execute_many(_ADD_TEST, [(nodeid,) for nodeid, _ in figures])
            rows = [(nodeid, number, accepted_s, commit.hash, *each) for nodeid, each in figures]
            self.database.execute_many(_ACCEPT, rows)

    def runs(self, limit: int = RUNS_KEPT) -> list[RunRow]:
        """The newest runs of all environments, newest first."""
        return [_run(row) for row in self.database.query(_RUNS, limit)]

    def of_test(self, nodeid: str) -> list[Past]:
        """All results of one test, in all environments, oldest first."""
        found = self.database.query(_OF_TEST, nodeid)
        return [Past(_run(row), _result(row[_RUN_WIDTH:])) for row in found]

    def results(self, run: RunRow) -> list[Result]:
        """The results of one run."""
        return [_result(row) for row in self.database.query(_OF_RUN, run.uuid)]

    def unsent(self) -> list[RunRow]:
        """The runs that have not been sent to the other store yet, oldest first."""
        return [_run(row) for row in self.database.query(_UNSENT)]

    def send(self, run: RunRow, other: "Store") -> None:
        """Add an unsent run to another store; sending it again has no effect."""
        other.add(run, self.results(run))
        self.database.query(_SENT, run.uuid)

    def node_ids(self) -> list[str]:
        """The tests that have ever run, sorted."""
        return [nodeid for (nodeid,) in self.database.query(_NODE_IDS)]

    def _of(self, environment: Environment, sql: str, *values: object) -> Sequence[Row]:
        found = self.database.query(_FIND_ENVIRONMENT, *environment)
        return self.database.query(sql, found[0][0], *values) if found else []

    def _environment(self, environment: Environment) -> int:
        self.database.query(_ADD_ENVIRONMENT, *environment)
        ((number,),) = self.database.query(_FIND_ENVIRONMENT, *environment)
        return int(number)


def _run_values(run: RunRow) -> Row:
    return (
        run.uuid,
        run.started_s,
        run.duration_ns,
        run.scope,
        run.exitstatus,
        *run.commit,
        run.tests,
        run.failed,
    )


def _run(row: Row) -> RunRow:
    uuid, started_s, duration_ns, scope, exitstatus, hash_, branch, dirty, tests, failed, *rest = row
    cpu, python, plugins, workers, warm, instruments = rest[:6]
    environment = Environment(cpu, python, plugins, workers, bool(warm), instruments)
    commit = Commit(hash_, branch, bool(dirty))
    return RunRow(uuid, started_s, duration_ns, scope, exitstatus, environment, commit, tests, failed)


def _result(row: Row) -> Result:
    nodeid, outcome, attempts, *figures = row
    return Result(nodeid, outcome, attempts, Figures(*figures))
