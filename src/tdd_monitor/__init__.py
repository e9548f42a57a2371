"""A live performance monitor for pytest, in the terminal.

This module stays empty but for the version: the plugin is imported into every plain `pytest`
run of an environment that has tdd-monitor installed, and that must not be felt.
"""

__version__ = "0.1.0"
