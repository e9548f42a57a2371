"""[tool.tdd-monitor] of pyproject.toml, read into frozen settings; severities of exceeded thresholds."""

from .gate import GateSettings
from .overrides import Override
from .settings import Settings, load
from .severity import Severity, severity
from .thresholds import Thresholds
from .values import ConfigError

__all__ = [
    "ConfigError",
    "GateSettings",
    "Override",
    "Settings",
    "Severity",
    "Thresholds",
    "load",
    "severity",
]
