"""Small pytest projects and a live engine on them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tdd_monitor.config import Settings
from tdd_monitor.history.recording import Recorder
from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.pytest_process.launch import Target
from tdd_monitor.session.model import Run, Session

MIXED = """
import pytest

def test_passes(): pass
def test_fails(): assert [1, 2] == [1, 3]
@pytest.mark.skip(reason="on purpose")
def test_skipped(): pass
@pytest.mark.xfail
def test_xfails(): assert False
@pytest.mark.xfail
def test_xpasses(): pass
@pytest.fixture
def broken(): raise RuntimeError("no")
def test_setup_error(broken): pass
@pytest.fixture
def breaks_after(): yield; raise RuntimeError("late")
def test_teardown_error(breaks_after): pass
"""
MIXED_COUNTS = {"passed": 2, "failed": 1, "skipped": 1, "xfailed": 1, "xpassed": 1, "error": 2}

# For runs that are interrupted: formatting that traceback takes the terminal reporter 0.7 s of CPU time.
QUIET = ("-p", "no:terminal")


def write(root: Path, **files: str) -> Path:
    """Write modules given as name=source into `root`/tests; returns `root`."""
    (root / "tests").mkdir(exist_ok=True)
    (root / "pyproject.toml").touch()
    for name, source in files.items():
        (root / "tests" / f"{name}.py").write_text(source)
    return root


def engine_for(root: Path, *args: str, record: Path | None = None, watch: bool = False) -> Engine:
    """An engine for the tests of `root`, in this interpreter; without a history, which a thread writes."""
    target = Target(sys.executable, root, ("tests",), args)
    return Engine(Settings(root=root, history="off"), target, Recorder(record) if record else None, watch)


@asynccontextmanager
async def started(engine: Engine) -> AsyncIterator[Session]:
    """The engine, running until the block ends."""
    await engine.start()
    try:
        yield engine.board.session
    finally:
        await engine.stop()


async def reached(session: Session, condition: Callable[[Run], bool], timeout_s: float = 60) -> Run:
    """The current run as soon as it meets `condition`."""
    async with asyncio.timeout(timeout_s):
        while session.run is None or not condition(session.run):
            await asyncio.sleep(0.01)
    return session.run


async def becomes(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    """Wait until `condition` is true."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def appears(path: Path) -> None:
    """Wait until a test has made this file."""
    await becomes(path.exists)


def ended(number: int) -> Callable[[Run], bool]:
    """True for run `number` once it is over."""
    return lambda run: run.number == number and not run.active


# A test that waits, and a shared fixture whose teardown takes so many seconds.
SLOW_END = """
import pathlib, time, pytest

@pytest.fixture(scope="session", autouse=True)
def server():
    yield
    pathlib.Path("ending").touch()
    time.sleep({seconds})
    pathlib.Path("ended").touch()

def test_waits():
    pathlib.Path("up").touch()
    time.sleep(60)
"""
