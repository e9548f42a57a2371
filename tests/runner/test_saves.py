"""What a save runs: of data too, once, and never for ever."""

import asyncio
from pathlib import Path

import pytest
from support.projects import ended, engine_for, reached, started, write

from tdd_monitor.runner import save_watch, watcher

READS = "import pathlib\ndef test_page(): assert pathlib.Path('page.html').read_text()\n"
WRITES = """
import pathlib, time
def test_writes():
    pathlib.Path('out.json').write_text(str(time.time_ns()))
    pathlib.Path('up').touch()
    time.sleep(1.0)
"""


async def quiet(root: Path) -> None:
    """Until the watch of `root` is there: a save of a file that says so."""
    await asyncio.sleep(1.5)


async def test_a_saved_template_runs_everything(tmp_path: Path) -> None:
    root = write(tmp_path, test_page=READS)
    (root / "page.html").write_text("old")
    engine = engine_for(root, watch=True, record=root / "run.ndjson")
    async with started(engine) as session:
        await reached(session, ended(1))
        await quiet(root)
        (root / "page.html").write_text("new")
        run = await reached(session, ended(2))
        assert run.reason == "saved page.html" and run.scope == "all"


async def test_what_the_tests_write_runs_them_once_more_at_most(tmp_path: Path) -> None:
    root = write(tmp_path, test_it=WRITES)
    engine = engine_for(root, watch=True, record=root / "run.ndjson")
    async with started(engine) as session:
        await reached(session, lambda run: bool(session.runs[0].finished_ns))
        assert session.runs[0].counts == {"passed": 1}  # not interrupted
        # The second run has begun by now, or will not; the third would be one too many.
        await asyncio.sleep(1.0)
        await reached(session, lambda run: not run.active)
        number = len(session.runs)
        await asyncio.sleep(3.0)
        assert len(session.runs) == number <= 2
        if number == 2:
            assert "out.json" in engine.notices[-1]
        (root / "out.json").write_text("by hand")
        assert (await reached(session, ended(number + 1))).reason == "saved out.json"


async def test_watching_begins_again_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path, test_page=READS)
    (root / "page.html").write_text("old")
    engine = engine_for(root, watch=True)
    monkeypatch.setattr(save_watch, "saves", lambda *_: 1 / 0)
    async with started(engine) as session:
        await reached(session, ended(1))
        assert not engine.watching and "not watched any more" in engine.notices[-1]
        monkeypatch.setattr(save_watch, "saves", watcher.saves)
        engine.toggle_watching()
        assert engine.watching
        await quiet(root)
        (root / "page.html").write_text("new")
        await reached(session, ended(2))
