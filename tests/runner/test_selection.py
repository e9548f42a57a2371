from pathlib import Path

import pytest

from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectFinish,
    Event,
    FinishedTest,
    Hello,
    Line,
    Phase,
    RunCancel,
    RunRequest,
)
from tdd_monitor.runner.selection import Selection, affected, shell_command, touches_run, with_unfinished
from tdd_monitor.session.model import Session
from tdd_monitor.session.reducer import apply

NODEIDS = ("tests/test_a.py::one", "tests/test_a.py::two", "tests/db/test_b.py::three")


@pytest.fixture
def session() -> Session:
    """A whole run that has come as far as its first test."""
    session = Session()
    collected = tuple(CollectedTest(nodeid, nodeid.partition("::")[0], 1) for nodeid in NODEIDS)
    passed = FinishedTest(NODEIDS[0], "passed", 1, 5, (Phase("call", "passed", 10),))
    events: tuple[Event, ...] = (
        RunRequest("r", "all"),
        Hello(1, "t", "r", 1, "single"),
        Collect(collected),
        CollectFinish(3),
        passed,
    )
    for seq, event in enumerate(events):
        apply(session, Line(seq, seq, "", event))
    return session


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (
        "tests/test_a.py",
        "tests/db/test_b.py",
        "tests/db/conftest.py",
        "tests/test_new.py",
        "app.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("saved", "files"),
    [
        (["tests/test_a.py"], ("tests/test_a.py",)),
        (["tests/test_new.py"], ("tests/test_new.py",)),
        (["tests/db/conftest.py"], ("tests/db/test_b.py",)),
        (["tests/test_a.py", "tests/db/test_b.py"], ("tests/db/test_b.py", "tests/test_a.py")),
        (["app.py"], ()),
        (["app.py", "tests/test_a.py"], ()),
        (["tests/test_deleted.py"], ()),
    ],
)
def test_a_save_calls_for_the_tests_it_may_change(
    session: Session, root: Path, saved: list[str], files: tuple[str, ...]
) -> None:
    assert affected(session, [root / name for name in saved], root).files == files


def test_the_reason_names_what_was_saved(session: Session, root: Path) -> None:
    selection = affected(session, [root / name for name in ("app.py", "b.py", "c.py")], root)
    assert selection.reason == "saved app.py, b.py and 1 more"


def test_a_file_outside_the_project_calls_for_everything(
    session: Session, root: Path, tmp_path: Path
) -> None:
    assert affected(session, [Path("/elsewhere/test_a.py")], root).everything


def test_an_interrupted_run_leaves_no_test_behind(session: Session) -> None:
    apply(session, Line(9, 9, "", RunCancel("cancelled")))
    selection = with_unfinished(session, Selection("saved", files=("tests/test_a.py",)))
    assert selection.files == ("tests/test_a.py",)
    assert selection.nodeids == ("tests/db/test_b.py::three",)


def test_a_run_interrupted_while_collecting_starts_over() -> None:
    session = Session()
    apply(session, Line(1, 1, "", RunRequest("r", "all")))
    assert with_unfinished(session, Selection("saved", files=("tests/test_a.py",))).everything


def test_a_save_touches_the_run_only_when_it_runs_those_tests(session: Session) -> None:
    assert touches_run(session, Selection("saved", files=("tests/test_a.py",)))
    assert not touches_run(session, Selection("saved", files=("tests/test_new.py",)))
    assert touches_run(session, Selection("saved app.py"))


def test_two_wishes_become_one_run() -> None:
    one = Selection("saved a", nodeids=("x.py::a", "y.py::b"))
    other = Selection("saved b", files=("x.py",))
    assert one.merged(other) == Selection("saved a, saved b", ("y.py::b",), ("x.py",))
    assert one.merged(Selection("all")).everything


def test_arguments_are_relative_to_where_pytest_starts() -> None:
    chosen = Selection("", ("tests/test_a.py::one",))
    assert chosen.arguments("/p", Path("/p"), ["tests"]) == ["--rootdir=/p", "tests/test_a.py::one"]
    assert chosen.arguments("/p", Path("/p/sub"), ["x"]) == ["--rootdir=/p", "../tests/test_a.py::one"]
    assert Selection("").arguments("/p", Path("/p"), ["tests"]) == ["tests"]


def test_the_command_can_be_pasted_into_a_shell() -> None:
    command = shell_command("python", ["t.py::a[x y]"], ["-k", "not slow"])
    assert command == "python -m pytest -k 'not slow' 't.py::a[x y]'"
