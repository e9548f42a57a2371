"""What a save runs: of data too, once, and never for ever."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.projects import ended, engine_for, reached, started, write

from tdd_monitor.runner.watching import save_watch, watcher

READS = "import pathlib\ndef test_page(): assert pathlib.Path('page.html').read_text()\n"
WRITES = """
import pathlib, time
def test_writes():
    pathlib.Path('out.json').write_text(str(time.time_ns()))
    pathlib.Path('up').touch()
    time.sleep(1.0)
"""


class Watch:
    """The real watch, which also sees saves of probes that the engine is not told of."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._probes = 0

    async def saves(self, *args: Any) -> AsyncIterator[list[Path]]:
        async for batch in watcher.saves(*args):
            probes = {path.name for path in batch if path.name.startswith("probe-")}
            if others := [path for path in batch if path.name not in probes]:
                yield others
            self._seen |= probes

    async def told_all(self, root: Path) -> None:
        """Wait until all that was saved below `root` before now has been told; the watch is there then."""
        self._probes += 1
        probe, turn = root / f"probe-{self._probes}.txt", 0
        async with asyncio.timeout(60):
            while probe.name not in self._seen:
                probe.write_text(str(turn := turn + 1))
                await asyncio.sleep(0.05)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr(save_watch, "saves", watch.saves)
    return watch


async def test_a_saved_template_runs_everything(tmp_path: Path, watch: Watch) -> None:
    root = write(tmp_path, test_page=READS)
    (root / "page.html").write_text("old")
    engine = engine_for(root, watch=True, record=root / "run.ndjson")
    async with started(engine) as session:
        await reached(session, ended(1))
        await watch.told_all(root)
        (root / "page.html").write_text("new")
        run = await reached(session, ended(2))
        assert run.reason == "saved page.html" and run.scope == "all"


async def test_what_the_tests_write_runs_them_once_more_at_most(tmp_path: Path, watch: Watch) -> None:
    root = write(tmp_path, test_it=WRITES)
    engine = engine_for(root, watch=True, record=root / "run.ndjson")
    async with started(engine) as session:
        await reached(session, lambda run: bool(session.runs[0].finished_ns))
        assert session.runs[0].counts == {"passed": 1}  # not interrupted
        await watch.told_all(root)  # the second run has begun by now, or will not
        await reached(session, lambda run: not run.active)
        number = len(session.runs)
        assert number <= 2
        if number == 2:
            assert "out.json" in engine.notices[-1]
        # Saves are told in order: a run that is one too many would come before those of these.
        for name in ("page.html", "style.css", "out.json"):
            await watch.told_all(root)
            (root / name).write_text("by hand")
            number += 1
            assert (await reached(session, ended(number))).reason == f"saved {name}"


async def test_watching_begins_again_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path, test_page=READS)
    (root / "page.html").write_text("old")
    engine, watch = engine_for(root, watch=True), Watch()
    monkeypatch.setattr(save_watch, "saves", lambda *_: 1 / 0)
    async with started(engine) as session:
        await reached(session, ended(1))
        assert not engine.watching and "no longer watched" in engine.notices[-1]
        monkeypatch.setattr(save_watch, "saves", watch.saves)
        engine.toggle_watching()
        assert engine.watching
        await watch.told_all(root)
        (root / "page.html").write_text("new")
        await reached(session, ended(2))
