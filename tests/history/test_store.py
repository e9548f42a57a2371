"""What the history keeps and forgets, and what cannot hurt its file."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.history import COMMIT, HERE, result, run

from tdd_monitor.history.database import Database, HistoryError
from tdd_monitor.history.rows import Figures
from tdd_monitor.history.sqlite import SQLite
from tdd_monitor.history.store import RUNS_KEPT, WINDOW, Store


def test_what_was_added_can_be_read_by_another_connection(opened: Callable[[], Database]) -> None:
    other = result("b.py::t", 8, "failed", 3)
    Store(opened()).add(run(1), [result(), other])
    again = Store(opened())
    assert again.runs() == [run(1)]
    assert again.node_ids() == ["a.py::t", "b.py::t"]
    assert again.of_test("b.py::t") == [(run(1), other)]


def test_a_run_is_kept_once(store: Store) -> None:
    store.add(run(1), [result()])
    store.add(run(1), [result(wall_ns=99)])
    assert [past.result for past in store.of_test("a.py::t")] == [result()]


def test_the_window_has_the_newest_figures_of_passed_first_attempts(store: Store) -> None:
    store.add(run(0), [result(outcome="failed")])
    store.add(run(1), [result(attempts=2)])
    for number in range(2, WINDOW + 5):
        store.add(run(number), [result(wall_ns=number)])
    window = store.window(HERE, "all")["a.py::t"]
    assert [figures.wall_ns for figures in window.values()] == list(range(5, WINDOW + 5))
    assert list(window) == sorted(window)


def test_the_window_of_a_full_run_leaves_out_partial_ones(store: Store) -> None:
    for number, scope in enumerate(("all", "some", "all")):
        store.add(run(number, scope=scope), [result(wall_ns=number)])
    of_scope = {scope: store.window(HERE, scope)["a.py::t"].values() for scope in ("all", "some")}
    assert {scope: [each.wall_ns for each in found] for scope, found in of_scope.items()} == {
        "all": [0, 2],
        "some": [0, 1, 2],
    }


def test_what_a_user_accepted_starts_the_window_afresh(store: Store) -> None:
    for number in range(3):
        store.add(run(number), [result(wall_ns=number), result("b.py::t")])
    store.accept(HERE, COMMIT, [("b.py::t", Figures(1, 1, 1))])  # set by itself
    store.accept(HERE, COMMIT, [("a.py::t", Figures(1, 1, 1))], accepted_s=run(1).started_s)
    window = store.window(HERE, "all")
    assert [figures.wall_ns for figures in window["a.py::t"].values()] == [2]
    assert len(window["b.py::t"]) == 3


def test_environments_are_kept_apart(store: Store) -> None:
    elsewhere = HERE._replace(workers=4)
    store.add(run(1), [result(wall_ns=1)])
    store.add(run(2, elsewhere), [result(wall_ns=2)])
    store.accept(elsewhere, COMMIT, [("a.py::t", Figures(3, 3, 3))])
    assert list(store.window(HERE, "all")["a.py::t"].values()) == [result(wall_ns=1).figures]
    assert store.anchors(HERE) == {}
    assert store.anchors(elsewhere) == {"a.py::t": Figures(3, 3, 3)}
    assert store.window(HERE._replace(warm=True), "all") == {}


def test_the_last_accepted_figures_stay_however_many_runs_follow(store: Store) -> None:
    store.accept(HERE, COMMIT, [("a.py::t", Figures(1, 1, 1))])
    store.accept(HERE, COMMIT, [("a.py::t", Figures(2, 2, 2))])
    for number in range(RUNS_KEPT + 3):
        store.add(run(number), [result()])
    assert store.anchors(HERE) == {"a.py::t": Figures(2, 2, 2)}


def test_the_oldest_runs_are_forgotten_apart_for_full_and_partial_ones(store: Store) -> None:
    for number in range(RUNS_KEPT + 3):
        store.add(run(number), [result()])
    store.add(run(1000, scope="some"), [result()])
    kept = [row.uuid for row in store.runs(10 * RUNS_KEPT)]
    assert kept == ["run-1000", *(f"run-{number}" for number in reversed(range(3, RUNS_KEPT + 3)))]
    assert len(store.of_test("a.py::t")) == RUNS_KEPT + 1


def test_the_directory_keeps_itself_out_of_git(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    SQLite(tmp_path).close()
    status = subprocess.run(["git", "-C", tmp_path, "status", "--porcelain"], check=True, capture_output=True)
    assert (tmp_path / ".tdd-monitor" / "history.sqlite").exists()
    assert status.stdout == b""


def path_of(root: Path) -> Path:
    return root / ".tdd-monitor" / "history.sqlite"


def damage(root: Path, start: int, content: bytes) -> bytes:
    """Make a history of 2,000 results, and overwrite some of its bytes. Returns all of the file."""
    first = Store(SQLite(root))
    first.add(run(1), [result(f"a.py::t{n}") for n in range(2000)])
    first.database.close()
    file = bytearray(path_of(root).read_bytes())
    file[start : start + len(content)] = content
    path_of(root).write_bytes(file)
    return bytes(file)


@pytest.mark.parametrize(
    ("start", "content"),
    [(0, b"not a database, but longer than its header: " * 9), (0, bytes(16)), (100, b"\xff" * 50_000)],
    ids=["text", "no header", "no tables"],
)
def test_a_damaged_file_is_set_aside(start: int, content: bytes, tmp_path: Path) -> None:
    damaged = damage(tmp_path, start, content)
    database = SQLite(tmp_path)
    (aside,) = path_of(tmp_path).parent.glob("history.damaged-*.sqlite")
    assert aside.read_bytes() == damaged
    assert str(aside) in database.notice
    Store(database).add(run(2), [result()])
    assert Store(database).runs() == [run(2)]


def test_damage_that_a_query_finds_is_set_aside_for_the_next_run(tmp_path: Path) -> None:
    damage(tmp_path, 8192, b"\xff" * 100_000)
    store = Store(SQLite(tmp_path))
    with pytest.raises(HistoryError, match=r"The history was damaged .* The next run starts a new"):
        store.add(run(2), [result()])
    again = Store(SQLite(tmp_path))
    again.add(run(3), [result()])
    assert again.runs() == [run(3)]


def test_a_newer_history_is_left_alone(tmp_path: Path) -> None:
    SQLite(tmp_path).close()
    with sqlite3.connect(path_of(tmp_path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path_of(tmp_path).read_bytes()
    with pytest.raises(HistoryError, match=r"history.sqlite was written by a newer tdd-monitor. Upgrade"):
        SQLite(tmp_path)
    assert path_of(tmp_path).read_bytes() == before


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / ".tdd-monitor").write_text("a file of somebody else")
    with pytest.raises(HistoryError, match=r"No history is kept: .*\.tdd-monitor: File exists"):
        SQLite(tmp_path)


WRITER = """
import resource, sys
from pathlib import Path
from support.history import result, run
from tdd_monitor.history.database import Database, HistoryError
from tdd_monitor.history.sqlite import SQLite
from tdd_monitor.history.store import Store
root, first, count, limit = Path(sys.argv[1]), *map(int, sys.argv[2:])
store = Store(SQLite(root))
if limit:
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print("open", flush=True)
for number in range(first, first + count):
    try:
        store.add(run(number), [result(f"a.py::t{n}") for n in range(200)])
    except HistoryError as error:
        sys.exit(str(error))
    print(number, flush=True)
"""


def writer(root: Path, first: int = 0, count: int = 1000, limit: int = 0) -> subprocess.Popen[str]:
    tests = Path(__file__).parent.parent
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, root, str(first), str(count), str(limit)],
        cwd=tests,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    writers = [writer(tmp_path, first, count=30) for first in (0, 30)]
    for process in writers:
        _, problems = process.communicate()
        assert (process.returncode, problems) == (0, "")
    assert {row.uuid for row in Store(SQLite(tmp_path)).runs()} == {f"run-{number}" for number in range(60)}


def test_a_file_that_another_process_is_creating_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".tdd-monitor" / "history.sqlite"
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waits: list[float] = []

    def finish_creating(seconds: float) -> None:
        waits.append(seconds)
        other.execute("COMMIT")

    monkeypatch.setattr(time, "sleep", finish_creating)
    assert SQLite(tmp_path).query("PRAGMA journal_mode") == [("wal",)]
    assert len(waits) == 1


def test_a_killed_writer_leaves_whole_runs(tmp_path: Path) -> None:
    process = writer(tmp_path)
    assert process.stdout is not None
    for _ in range(5):
        last = process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    store = Store(SQLite(tmp_path))
    assert store.database.notice == ""
    kept = [row.uuid for row in store.runs()]
    assert f"run-{int(last)}" in kept
    assert {len(store.of_test(f"a.py::t{n}")) for n in range(200)} == {len(kept)}


def test_a_full_disk_is_reported_and_loses_only_the_new_run(tmp_path: Path) -> None:
    process = writer(tmp_path, limit=400_000)
    output, problems = process.communicate()
    assert process.returncode == 1
    assert problems.startswith(f"No history is kept: {path_of(tmp_path)}: ")
    written = len(output.splitlines()) - 1
    assert written > 0
    assert len(Store(SQLite(tmp_path)).runs()) == written
