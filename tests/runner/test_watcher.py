import asyncio
import subprocess
from pathlib import Path

from tdd_monitor.runner.watcher import SaveFilter, Saves, git_ignored, saves


def test_only_what_tests_are_made_of_counts(tmp_path: Path) -> None:
    wanted = SaveFilter(tmp_path, ["generated/*"])
    answers = {
        name: wanted(tmp_path / name)
        for name in (
            "app.py",
            "schema.sql",
            "pyproject.toml",
            "data.json",
            "app.pyc",
            ".venv/lib/x.py",
            "__pycache__/x.py",
            "build/lib/x.py",
            "generated/models.py",
            ".app.py.swp",
            ".#app.py",
        )
    }
    assert [name for name, answer in answers.items() if answer] == ["app.py", "schema.sql", "pyproject.toml"]


def test_a_touch_is_no_save(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("1")
    seen = Saves()
    assert seen.changed([file]) == [file]
    file.touch()
    assert seen.changed([file]) == []
    file.write_text("2")
    assert seen.changed([file]) == [file]
    file.unlink()
    assert seen.changed([file]) == [file]


def test_git_tells_what_it_ignores(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("out/\n")
    paths = [tmp_path / "out" / "a.py", tmp_path / "a b.py"]
    assert git_ignored(tmp_path, paths) == {paths[0]}


def test_without_a_repository_nothing_is_ignored(tmp_path: Path) -> None:
    assert git_ignored(tmp_path, [tmp_path / "a.py"]) == set()


async def test_a_burst_of_saves_is_one_batch(tmp_path: Path) -> None:
    batches = saves(tmp_path, [], debounce_ms=100)

    async def save() -> None:
        # The first write may come before the watch is set up: go on until it is noticed.
        for turn in range(100):
            for name in ("a.py", "b.py"):
                (tmp_path / name).write_text(f"{turn}")
            await asyncio.sleep(0.2)

    writer = asyncio.create_task(save())
    async with asyncio.timeout(20):
        batch = await anext(batches)
    writer.cancel()
    assert {path.name for path in batch} == {"a.py", "b.py"}
