"""Which saves are reported, and that no kind of file in a project stops the watch."""

import asyncio
import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.projects import becomes

from tdd_monitor.runner.watching import tree, watcher
from tdd_monitor.runner.watching.contents import FileContents
from tdd_monitor.runner.watching.filter import SaveFilter, git_ignored
from tdd_monitor.runner.watching.watcher import saves

NAMES = (
    *("app.py", "schema.sql", "pyproject.toml", "data.json", "page.html", "app.pyc", ".venv/lib/x.py"),
    *("__pycache__/x.py", "build/lib/x.py", "generated/models.py", ".app.py.swp", ".#app.py", "picture.png"),
    *("tdd_performance_baseline.json", "tdd_performance_baseline.json.lock"),
    *(".coverage", "test.db-journal", "build/schema/a.json"),
)


def git(root: Path) -> None:
    subprocess.run(["git", "init", "-q", str(root)], check=True)


@pytest.mark.parametrize("has_git", [False, True])
def test_files_that_git_would_track_are_watched(tmp_path: Path, has_git: bool) -> None:
    if has_git:
        git(tmp_path)
    wanted = SaveFilter(tmp_path, ["generated/*"], ["build/schema/*"])
    expected = ["app.py", "schema.sql", "pyproject.toml", "data.json", "page.html", "build/schema/a.json"]
    if has_git:
        expected.insert(-1, "picture.png")
    assert [name for name in NAMES if wanted(tmp_path / name)] == expected


def test_the_recording_is_never_watched(tmp_path: Path) -> None:
    assert not SaveFilter(tmp_path, include=["*"], never=frozenset([tmp_path / "r"]))(tmp_path / "r")


def test_ignored_directories_are_not_walked_unless_included(tmp_path: Path) -> None:
    git(tmp_path)
    (tmp_path / ".gitignore").write_text("out/\ncache/\n")
    for name in ("out/schema", "cache/deep/er", "src", "node_modules/x", "build"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.json").touch()
    wanted = SaveFilter(tmp_path, include=["out/schema/*"])
    walked = {directory.relative_to(tmp_path).as_posix(): files for directory, files in wanted.walk()}
    assert set(walked) == {".", "src", "out", "out/schema"}
    assert wanted.without_ignored([tmp_path / "out/schema/a.json", tmp_path / "cache/a.json"]) == [
        tmp_path / "out/schema/a.json"
    ]


def test_files_that_git_ignores_are_found_whatever_the_name(tmp_path: Path) -> None:
    git(tmp_path)
    (tmp_path / ".gitignore").write_text("out/\n")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    strange = Path(os.fsdecode(os.fsencode(tmp_path / "out") + b"/\xff.py"))
    paths = [strange, tmp_path / "a b.py", tmp_path / "link" / "x.py", Path("/elsewhere.py")]
    assert git_ignored(tmp_path, paths) == {strange}


def test_without_a_repository_nothing_is_ignored(tmp_path: Path) -> None:
    assert git_ignored(tmp_path, [tmp_path / "a.py"]) == set()


def test_a_touch_is_not_a_save(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("1")
    seen = FileContents()
    assert seen.changed([file]) == [file]
    file.touch()
    assert seen.changed([file]) == []
    file.write_text("2")
    assert seen.changed([file]) == [file]
    file.unlink()
    assert seen.changed([file]) == [file]


def test_a_temporary_file_is_not_a_save(tmp_path: Path) -> None:
    seen = FileContents()
    seen.add_existing([tmp_path / "known.py"])
    assert seen.changed([tmp_path / "known.py", tmp_path / "passing.py"]) == [tmp_path / "known.py"]


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_dump(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(8 << 30)


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFO there")
@pytest.mark.parametrize("make", [make_fifo, make_endless, make_dump])
def test_endless_and_huge_files_are_not_read_whole(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "x.py")
    program = (
        "import resource, sys, pathlib\n"
        "from tdd_monitor.runner.watching.contents import FileContents\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "FileContents().changed([pathlib.Path(sys.argv[1])])\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "x.py"], timeout=60, check=True)


@asynccontextmanager
async def watched(
    root: Path, notices: list[str] | None = None, debounce_ms: int = 20
) -> AsyncIterator[Callable[[Sequence[str]], "asyncio.Future[set[str]]"]]:
    """Gives a function that waits until these names, at least, were saved."""
    batches: asyncio.Queue[list[Path]] = asyncio.Queue()

    async def follow() -> None:
        notify = (notices if notices is not None else []).append
        async for batch in saves(SaveFilter(root), debounce_ms, notify):
            batches.put_nowait(batch)

    following = asyncio.create_task(follow())

    async def wait(names: Sequence[str]) -> set[str]:
        found: set[str] = set()
        async with asyncio.timeout(60):
            while not found >= set(names):
                found |= {path.name for path in await batches.get()}
        return found

    # The watch is ready once it has reported a first save.
    async with asyncio.timeout(60):
        turn, ready = 0, False
        while not ready:
            (root / "first.py").write_text(str(turn := turn + 1))
            with contextlib.suppress(TimeoutError):
                ready = bool(await asyncio.wait_for(batches.get(), 0.2 + debounce_ms / 1000))
    yield lambda names: asyncio.ensure_future(wait(names))
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_saves_in_new_directories_and_of_any_name_are_reported(tmp_path: Path) -> None:
    async with watched(tmp_path) as saved:
        strange = os.fsdecode(b"\xff.py")
        (tmp_path / strange).write_text("1")
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "b" / "early.py").write_text("1")
        await saved([strange, "early.py"])
        (tmp_path / "a" / "b" / "late.py").write_text("1")
        await saved(["late.py"])
        shutil.rmtree(tmp_path / "a")
        (tmp_path / "a").mkdir()
        await asyncio.sleep(0)
        (tmp_path / "a" / "again.py").write_text("1")
        await saved(["again.py"])


async def test_a_fifo_and_an_endless_file_do_not_stop_the_watch(tmp_path: Path) -> None:
    async with watched(tmp_path) as saved:
        make_fifo(tmp_path / "fifo.py")
        make_endless(tmp_path / "endless.py")
        (tmp_path / "a.py").write_text("1")
        await saved(["a.py"])


@pytest.fixture
def fast_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "CHECK_ROOT_S", 0.05)
    monkeypatch.setattr(tree, "MIN_POLL_S", 0.05)


@pytest.mark.usefixtures("fast_polling")
async def test_a_project_that_was_removed_and_recreated_is_polled_and_reported(tmp_path: Path) -> None:
    root, notices = tmp_path / "project", list[str]()
    root.mkdir()
    async with watched(root, notices) as saved:
        shutil.rmtree(root)
        await becomes(lambda: bool(notices))
        root.mkdir()
        (root / "a.py").write_text("1")
        await saved(["a.py"])
        assert "was removed or replaced" in notices[0]
        (root / "a.py").write_text("2")
        await saved(["a.py"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify")
@pytest.mark.usefixtures("fast_polling")
async def test_beyond_the_limit_of_inotify_watches_the_tree_is_polled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchdog.observers import inotify_c

    def none_left(*_: object) -> int:
        import ctypes
        import errno

        ctypes.set_errno(errno.ENOSPC)
        return -1

    monkeypatch.setattr(inotify_c, "inotify_add_watch", none_left)  # the limit is system-wide: not lowered
    notices: list[str] = []
    async with watched(tmp_path, notices) as saved:
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "a.py").write_text("1")
        await saved(["a.py"])
    assert "fs.inotify.max_user_watches" in notices[0]


async def test_a_file_that_is_written_all_the_time_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "LONGEST_BURST_S", 0.3)
    async with watched(tmp_path, debounce_ms=200) as saved:

        async def write() -> None:
            for turn in itertools.count():
                (tmp_path / "busy.py").write_text(str(turn))
                await asyncio.sleep(0.03)

        writing = asyncio.create_task(write())
        (tmp_path / "a.py").write_text("1")
        await saved(["a.py", "busy.py"])
        writing.cancel()


async def test_a_burst_ends_however_fast_changes_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "LONGEST_BURST_S", 0.05)
    loop, changes = asyncio.get_running_loop(), tree.Changes()
    running = True

    def change() -> None:
        changes.put_nowait(tmp_path)
        if running:
            loop.call_soon(change)

    def give_up() -> None:
        nonlocal running
        running = False

    change()
    guard = loop.call_later(30, give_up)
    watching = asyncio.create_task(asyncio.sleep(3600))
    for _ in range(10):
        assert await watcher._burst(changes, 10.0, watching) == [tmp_path]
        assert running
    guard.cancel()
    give_up()
    watching.cancel()


async def test_a_burst_of_saves_is_one_batch(tmp_path: Path) -> None:
    async with watched(tmp_path, debounce_ms=300) as saved:
        for name in ("a.py", "b.py"):
            (tmp_path / name).write_text("1")
        assert await saved(["a.py"]) >= {"a.py", "b.py"}
