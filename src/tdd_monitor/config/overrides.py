"""`[[tool.tdd-monitor.overrides]]`: thresholds of the tests that a table selects."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from tdd_monitor.protocol.marks import PER_TEST, PYTEST_MARKS

from .thresholds import Thresholds
from .values import TABLE, ConfigError, convert, unknown

SELECTORS = ("path", "nodeid", "marker")
_HEADER = re.compile(r"""\s*\[\[\s*tool\s*\.\s*["']?tdd-monitor["']?\s*\.\s*["']?overrides["']?\s*\]\]""")
_PROCESS_WIDE = frozenset(Thresholds().items()) - frozenset(PER_TEST)


@dataclass(frozen=True, slots=True)
class Override:
    """One table. All selectors that are not empty must match a test."""

    place: str  # "pyproject.toml:12"
    path: str = ""
    nodeid: str = ""
    marker: str = ""
    limits: tuple[tuple[str, float], ...] = ()


def read(tables: Any, text: str, file: Path) -> tuple[Override, ...]:
    """Return the overrides of pyproject.toml, whose source is `text`. Raises ConfigError."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{file}: [{TABLE}] overrides must be tables, each headed [[{TABLE}.overrides]]")
    numbers = [number for number, line in enumerate(text.split("\n"), 1) if _HEADER.match(line)]
    if len(numbers) != len(tables):  # written as inline tables
        numbers = [0] * len(tables)
    return tuple(
        _override(table, count, number, file)
        for count, (table, number) in enumerate(zip(tables, numbers, strict=True), 1)
    )


def _override(table: dict[str, Any], count: int, number: int, file: Path) -> Override:
    where = f"[[{TABLE}.overrides]] " + (f"in line {number}" if number else f"number {count}")
    place = f"{file.name}:{number}" if number else f"{file.name}, override {count}"
    selectors: dict[str, str] = {}
    limits: dict[str, float] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name in _PROCESS_WIDE:
            raise ConfigError(
                f"{file}: {where}: {key} is not measured per test; set it in [{TABLE}.thresholds]"
            )
        if name not in (*SELECTORS, *PER_TEST):
            raise unknown(key, [*SELECTORS, *PER_TEST], where, file)
        if name in limits:
            raise ConfigError(f"{file}: {where} {name} is set twice, once with dashes")
        if name in SELECTORS:
            selectors[name] = _selector(name, convert(value, str, f"{file}: {where} {key}"), where, file)
        else:
            limits[name] = convert(value, float, f"{file}: {where} {key}")
    if not selectors:
        raise ConfigError(f"{file}: {where} selects no tests: add {', '.join(SELECTORS[:-1])} or marker")
    if not limits:
        raise ConfigError(f"{file}: {where} sets no threshold: add one of {', '.join(PER_TEST)}")
    return Override(place, **selectors, limits=tuple(limits.items()))


def _selector(name: str, value: str, where: str, file: Path) -> str:
    """The value of a selector, if it can match a test at all."""
    problem = ""
    if not value.strip():
        problem = "must not be empty"
    elif name == "marker" and not value.isidentifier():
        problem = f"must be the name of one marker, not {value!r}"
    elif name == "marker" and value in PYTEST_MARKS:
        problem = f"must be a marker of your own, not {value!r}"
    elif name == "path" and (PurePosixPath(value).is_absolute() or PureWindowsPath(value).drive):
        problem = f"must be relative to pytest's rootdir, not {value!r}"
    elif name == "path" and "\\" in value:
        problem = f"must have forward slashes, not {value!r}"
    elif name == "path" and "::" in value:
        problem = f"must be a file; for {value!r} use nodeid"
    if problem:
        raise ConfigError(f"{file}: {where} {name} {problem}")
    return value.removeprefix("./") if name == "path" else value
