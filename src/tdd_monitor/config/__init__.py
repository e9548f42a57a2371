"""[tool.tdd-monitor] of pyproject.toml, read into frozen settings."""

from .settings import ConfigError, Settings, Thresholds, load

__all__ = ["ConfigError", "Settings", "Thresholds", "load"]
