"""Which files are watched: those git tracks or would track, with the settings' additions and exclusions."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from tdd_monitor.testing.measuring.baseline_file import BASELINE_FILE

SOURCE_SUFFIXES = (".py", ".pyi", ".sql")
DATA_SUFFIXES = (
    *(".html", ".htm", ".jinja", ".jinja2", ".j2", ".mako", ".css", ".js", ".txt", ".md", ".rst"),
    *(".json", ".ndjson", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".csv", ".tsv", ".xml"),
    *(".po", ".mo", ".graphql", ".proto"),
)
CONFIGURATION = ("pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", ".env")
IGNORED_DIRECTORIES = frozenset(
    (
        *("__pycache__", ".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "site-packages"),
        *(".idea", "node_modules", ".mypy_cache", ".pytest_cache", ".hypothesis", ".ruff_cache"),
        *("build", "dist", ".eggs", "htmlcov", ".tdd-monitor"),
    )
)
# Files that editors, coverage, SQLite, Python and the monitor itself leave behind.
_LITTER = (
    f"{BASELINE_FILE}*",  # its lock and its temporary file too
    *("*.py[co]", "*~", ".#*", "#*#", "*.sw[a-z]", "4913", "*.tmp", ".goutputstream-*", "*___jb_*___"),
    *(".coverage", ".coverage.*", "coverage.xml", "*.log", "*-journal", "*-wal", "*-shm"),
)
_GIT_TIMEOUT_S = 10.0


class SaveFilter:
    """Selects the watched files below `root`. Patterns are fnmatch's, relative to `root`; `ignore` wins."""

    def __init__(
        self,
        root: Path,
        ignore: Sequence[str] = (),
        include: Sequence[str] = (),
        never: frozenset[Path] = frozenset(),
    ) -> None:
        """`never` are files that the monitor itself writes. Runs git, so call it in a thread."""
        self.root = root
        self._ignore = tuple(ignore)
        self._include = tuple(include)
        self._never = never
        self._has_git = _git(root, "rev-parse", "--git-dir") is not None
        self._ignored_directories = _ignored_directories(root) if self._has_git else frozenset()

    def __call__(self, path: Path) -> bool:
        """True when a change of `path` may rerun tests; `without_ignored` checks new files with git later."""
        relative = self._relative(path)
        if path in self._never or any(fnmatch(relative, pattern) for pattern in self._ignore):
            return False
        if self._is_included(relative):
            return True
        if any(fnmatch(path.name, pattern) for pattern in _LITTER):
            return False
        if not IGNORED_DIRECTORIES.isdisjoint(relative.split("/")[:-1]):
            return False
        known = path.name.endswith((*SOURCE_SUFFIXES, *DATA_SUFFIXES)) or path.name in CONFIGURATION
        return self._has_git or known

    def enters(self, directory: Path) -> bool:
        """True when `directory` itself may contain watched files."""
        relative = self._relative(directory)
        if any(_may_match_below(pattern, relative) for pattern in self._include):
            return True
        return directory.name not in IGNORED_DIRECTORIES and directory not in self._ignored_directories

    def without_ignored(self, paths: Sequence[Path]) -> list[Path]:
        """The `paths` that git does not ignore or that the settings include anyway. Blocks."""
        unsure = [path for path in paths if not self._is_included(self._relative(path))]
        ignored = git_ignored(self.root, unsure) if self._has_git and unsure else set()
        return [path for path in paths if path not in ignored]

    def walk(self, top: Path | None = None) -> Iterator[tuple[Path, list[Path]]]:
        """Yield every watched directory with its watched files. Blocks."""
        pending = [top or self.root]
        while pending:
            directory = pending.pop()
            files = []
            try:
                with os.scandir(directory) as entries:
                    for entry in entries:
                        path = directory / entry.name
                        if entry.is_dir(follow_symlinks=False):
                            if self.enters(path):
                                pending.append(path)
                        elif self(path):
                            files.append(path)
            except OSError:  # deleted meanwhile, or not readable
                continue
            yield directory, files

    def _is_included(self, relative: str) -> bool:
        return any(fnmatch(relative, pattern) for pattern in self._include)

    def _relative(self, path: Path) -> str:
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return path.as_posix()


def _may_match_below(pattern: str, directory: str) -> bool:
    """True when `pattern` names `directory`, something below it, or something above it."""
    literal = pattern
    for wildcard in "*?[":
        literal = literal.partition(wildcard)[0]
    return bool(literal) and (literal.startswith(directory + "/") or f"{directory}/".startswith(literal))


def git_ignored(root: Path, paths: Sequence[Path]) -> set[Path]:
    """The `paths` that git ignores; none without git or a repository. Blocks."""
    output = _git(root, "check-ignore", "--stdin", "-z", given=b"\0".join(map(os.fsencode, paths)))
    if output is None and len(paths) > 1:  # a single path in a submodule or behind a link makes git fail
        return {path for path in paths[:100] if git_ignored(root, [path])}
    return {Path(os.fsdecode(name)) for name in (output or b"").split(b"\0") if name}


def _ignored_directories(root: Path) -> frozenset[Path]:
    output = _git(root, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    names = (output or b"").split(b"\0")
    return frozenset(root / os.fsdecode(name[:-1]) for name in names if name.endswith(b"/"))


def _git(root: Path, *arguments: str, given: bytes = b"") -> bytes | None:
    """git's output; None without git or a repository, or when git times out. Blocks."""
    try:
        result = subprocess.run(
            ["git", *arguments],
            input=given,
            cwd=root,
            capture_output=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout if result.returncode in (0, 1) else None
