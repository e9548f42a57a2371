"""Which tests a run selects, and pytest's arguments for them."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tdd_monitor.session.model import ItemState, RunState, Session
from tdd_monitor.terminal import shell_word


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection of tests. Empty `nodeids` and `files` mean all; files are relative to rootdir."""

    reason: str
    nodeids: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """True when all tests are selected."""
        return not self.nodeids and not self.files

    def merged(self, other: "Selection") -> "Selection":
        """The union of both, for one run."""
        reason = self.reason if self.reason == other.reason else f"{self.reason}, {other.reason}"
        if self.everything or other.everything:
            return Selection(reason)
        files = tuple(dict.fromkeys(self.files + other.files))
        nodeids = tuple(
            dict.fromkeys(n for n in self.nodeids + other.nodeids if n.partition("::")[0] not in files)
        )
        return Selection(reason, nodeids, files)

    def arguments(self, rootdir: str, cwd: Path, paths: Sequence[str]) -> list[str]:
        """pytest's positional arguments; `paths` when all tests are selected.

        Node ids are relative to rootdir, arguments to the working directory. Without --rootdir,
        pytest might infer another one for a narrower selection, and every node id would change.
        """
        if self.everything or not rootdir:
            return list(paths)
        prefix = os.path.relpath(rootdir, cwd)
        chosen = [os.path.normpath(file) for file in self.files] + list(self.nodeids)
        if prefix != ".":
            chosen = [f"{prefix}/{argument}" for argument in chosen]
        return [f"--rootdir={rootdir}", *chosen]


def is_test_file(name: str) -> bool:
    """True for names that pytest collects by default."""
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))


def shown_names(paths: Sequence[Path]) -> str:
    """The names of the first two paths and how many more there are; invalid UTF-8 is replaced."""
    names = [os.fsencode(path.name).decode("utf-8", "replace") for path in paths[:2]]
    return ", ".join(names) + (f" and {len(paths) - 2} more" if len(paths) > 2 else "")


def affected(session: Session, changed: Iterable[Path], rootdir: Path) -> Selection:
    """The tests to rerun after a save of `changed`.

    A test file: its own tests. A conftest.py: those of its directory. Any other file may affect every test.
    """
    changed = sorted(changed)
    reason = f"saved {shown_names(changed)}"
    known = {item.file or item.nodeid.partition("::")[0] for item in session.items.values()}
    files: list[str] = []
    for path in changed:
        try:
            relative = path.relative_to(rootdir).as_posix()
        except ValueError:
            return Selection(reason)
        if not path.exists():
            return Selection(reason)
        if relative in known or is_test_file(path.name):
            files.append(relative)
        elif path.name == "conftest.py":
            below = relative.removesuffix("conftest.py")
            files += [file for file in known if file.startswith(below)]
        else:
            return Selection(reason)
    return Selection(reason, files=tuple(dict.fromkeys(files)))


def touches_run(session: Session, selection: Selection) -> bool:
    """True when the run in progress includes a test of `selection`."""
    run = session.run
    if run is None or selection.everything or run.state in (RunState.STARTING, RunState.COLLECTING):
        return True
    files, nodeids = set(selection.files), set(selection.nodeids)
    return any(
        item.seen_run == run.number and (item.file in files or item.nodeid in nodeids)
        for item in session.items.values()
    )


def with_unfinished(session: Session, selection: Selection) -> Selection:
    """`selection` plus the tests an interrupted run did not reach, so that no save skips a test."""
    run = session.run
    if run is None or selection.everything:
        return selection
    if run.scope == "all" and not run.started_ns:
        return Selection(selection.reason)
    unfinished = tuple(
        item.nodeid
        for item in session.items.values()
        if item.seen_run == run.number
        and (item.state in (ItemState.PENDING, ItemState.RUNNING) or item.record_run != run.number)
    )
    return (
        replace(selection.merged(Selection(selection.reason, unfinished)), reason=selection.reason)
        if unfinished
        else selection
    )


def shell_command(python: str, arguments: Sequence[str], pytest_args: Sequence[str]) -> str:
    """The equivalent plain pytest command, to paste into a shell."""
    words = [python, "-m", "pytest", *pytest_args, *arguments]
    return " ".join(map(shell_word, words))
