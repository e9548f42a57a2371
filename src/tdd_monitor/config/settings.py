"""Settings with their defaults, and the reader of `[tool.tdd-monitor]`.

Any mistake in the file is an error that names the file, the key and the accepted values: a
setting that is silently ignored costs more than one that stops the run.
"""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from . import overrides
from .gate import LEVELS, GateSettings
from .overrides import Override
from .thresholds import SHARES, Thresholds
from .values import TABLE, ConfigError, convert, unknown


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of `[tool.tdd-monitor]`; `root` is the directory of pyproject.toml, or the start."""

    root: Path = field(default_factory=Path.cwd)
    paths: tuple[str, ...] = ()
    pytest_args: tuple[str, ...] = ()
    python: str = ""
    watch_ignore: tuple[str, ...] = ()
    debounce_ms: int = 50
    database_url: str = ""
    use_database_url: bool = False
    theme: str = "textual-dark"
    thresholds: Thresholds = field(default_factory=Thresholds)
    count_connections: bool = True
    watch_include: tuple[str, ...] = ()
    history: str = "local"  # or "off", or the URL of a PostgreSQL server that a team shares
    gate: GateSettings = field(default_factory=GateSettings)
    overrides: tuple[Override, ...] = ()

    @property
    def keeps_history(self) -> bool:
        """False if no results of earlier runs are kept."""
        return self.history != "off"

    @property
    def history_url(self) -> str:
        """The server of a shared history, or ""."""
        return self.history if "://" in self.history else ""


_TABLES: dict[str, Any] = {"thresholds": Thresholds, "gate": GateSettings}


def find_pyproject(start: Path) -> Path | None:
    """Return the nearest pyproject.toml in `start` or its parents."""
    for directory in (start, *start.parents):
        candidate = directory / "pyproject.toml"
        if candidate.is_file():
            return candidate
    return None


def load(start: Path) -> Settings:
    """Return the settings of the project that contains the directory `start`.

    Raises ConfigError when the nearest pyproject.toml cannot be read, is not TOML, or has an unknown key or a
    value of the wrong type in `[tool.tdd-monitor]`.
    """
    file = find_pyproject(start.resolve())
    if file is None:
        return Settings(root=start.resolve())
    try:
        text = file.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error
    tools = document.get("tool", {})
    table = tools.get("tdd-monitor", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: [{TABLE}] must be a table")
    tables = overrides.read(table.get("overrides", []), text, file)
    others = {key: value for key, value in table.items() if key != "overrides"}
    values = _read(others, Settings, f"[{TABLE}]", file)
    return Settings(**{**values, "overrides": tables, "root": file.parent})


def _read(table: dict[str, Any], kind: Any, where: str, file: Path) -> dict[str, Any]:
    known = {f.name: f.type for f in fields(kind) if f.name != "root"}
    values = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            raise unknown(key, list(known), where, file)
        if name in values:
            raise ConfigError(f"{file}: {where} {name} is set twice, once with dashes")
        if kind is Settings and name in _TABLES:
            if not isinstance(value, dict):
                raise ConfigError(f"{file}: {where} {name} must be a table of numbers, not {value!r}")
            kind_of_table = _TABLES[name]
            values[name] = kind_of_table(**_read(value, kind_of_table, f"[{TABLE}.{name}]", file))
        else:
            values[name] = convert(value, known[name], f"{file}: {where} {key}")
            if kind is GateSettings and known[name] is str and values[name] not in LEVELS:
                raise ConfigError(f"{file}: {where} {key} must be one of {', '.join(LEVELS)}, not {value!r}")
            if name == "history":
                _check_history(values[name], f"{file}: {where} {key}")
            if name in SHARES and value > 1:
                raise ConfigError(f"{file}: {where} {key} must be between 0 and 1, not {value!r}")
    return values


def _check_history(value: Any, where: str) -> None:
    if value not in ("local", "off") and not value.startswith(("postgresql://", "postgres://")):
        raise ConfigError(f"{where} must be 'local', 'off' or a postgresql:// URL, not {value!r}")
