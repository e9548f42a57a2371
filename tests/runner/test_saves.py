"""Which tests a save reruns: saves of data too, but never in an endless loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.projects import appears, ended, engine_for, reached, started, write

from tdd_monitor.runner.watching import save_watch, watcher

READS = "import pathlib\ndef test_page(): assert pathlib.Path('page.html').read_text()\n"
WRITES = """
import pathlib, time
def test_writes():
    pathlib.Path('out.json').write_text(str(time.time_ns()))
    pathlib.Path('written').touch()
    for _ in range(12_000):
        if pathlib.Path('may_end').exists(): break
        time.sleep(0.01)
    pathlib.Path('may_end').unlink()
"""


class Watch:
    """The real watch, which also sees saves of probes that the engine never gets."""

    def __init__(self) -> None:
        self._seen: dict[str, asyncio.Event] = {}

    async def saves(self, *args: Any) -> AsyncIterator[list[Path]]:
        async for batch in watcher.saves(*args):
            probes = [path.name for path in batch if path.name in self._seen]
            if others := [path for path in batch if path.name not in probes]:
                yield others
            for probe in probes:
                self._seen[probe].set()

    async def catch_up(self, root: Path) -> None:
        """Wait until every save below `root` before now has been reported; the watch is ready then."""
        probe = root / f"probe-{len(self._seen)}.txt"
        seen = self._seen[probe.name] = asyncio.Event()
        async with asyncio.timeout(60):
            while not seen.is_set():  # a probe from before the watch was ready is not reported
                probe.write_text(f"{probe.read_text()}again\n" if probe.exists() else "")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(seen.wait(), 0.2)


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
        await watch.catch_up(root)
        (root / "page.html").write_text("new")
        run = await reached(session, ended(2))
        assert run.reason == "saved page.html" and run.scope == "all"


async def end_runs(root: Path, watch: Watch) -> None:
    """Let each run end once the watch has reported what it wrote."""
    while True:
        await appears(root / "written")
        (root / "written").unlink()
        await watch.catch_up(root)
        (root / "may_end").touch()


async def test_files_that_tests_write_rerun_them_at_most_once(tmp_path: Path, watch: Watch) -> None:
    root = write(tmp_path, test_it=WRITES)
    engine = engine_for(root, watch=True, record=root / "run.ndjson")
    ending = asyncio.create_task(end_runs(root, watch))
    async with started(engine) as session:
        await reached(session, lambda run: bool(session.runs[0].finished_ns))
        assert session.runs[0].counts == {"passed": 1}  # not interrupted
        await watch.catch_up(root)  # the second run has begun by now, or will not
        await reached(session, lambda run: not run.active)
        number = len(session.runs)
        assert number <= 2
        if number == 2:
            assert "out.json" in engine.notices[-1]
        # Saves are reported in order: a run too many would come before those of these.
        for name in ("page.html", "style.css", "out.json"):
            await watch.catch_up(root)
            (root / name).write_text("by hand")
            number += 1
            assert (await reached(session, ended(number))).reason == f"saved {name}"
    ending.cancel()


async def test_watching_can_be_resumed_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
        await watch.catch_up(root)
        (root / "page.html").write_text("new")
        await reached(session, ended(2))
