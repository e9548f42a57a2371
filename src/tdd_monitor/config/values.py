"""Checks of single keys and values, with errors that say what is accepted."""

import difflib
from pathlib import Path
from typing import Any

TABLE = "tool.tdd-monitor"


class ConfigError(Exception):
    """The configuration cannot be used; the message names file, key and accepted values."""


def unknown(key: str, known: list[str], where: str, file: Path) -> ConfigError:
    """The error for a key that does not exist."""
    near = difflib.get_close_matches(key.replace("-", "_"), known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return ConfigError(
        f"{file}: {where} has no key '{key}'{hint}\n  Accepted keys: {', '.join(sorted(known))}"
    )


def convert(value: Any, kind: Any, where: str) -> Any:
    """Return the value as `kind`. Raises ConfigError if it has another type or is out of range."""
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise ConfigError(f"{where} must be true or false, not {value!r}")
    if kind in (int, float):
        accepted = (int,) if kind is int else (int, float)
        if type(value) in accepted and 0 <= value < 1e12:
            return kind(value)
        number = "whole number" if kind is int else "number"
        raise ConfigError(f"{where} must be a {number} of 0 or more, not {value!r}")
    if kind is str:
        if isinstance(value, str):
            return value
        raise ConfigError(f"{where} must be a string, not {value!r}")
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ConfigError(f"{where} must be a list of strings, not {value!r}")
