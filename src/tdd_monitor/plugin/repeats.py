"""Runs each test several times in a row, for measurements that need it warm or need its growth."""

from typing import Any

import pytest


class Repeats:
    """Pytest plugin: every test runs `times` times; each is an attempt with a record of its own."""

    def __init__(self, times: int) -> None:
        self._times = times
        self._repeating = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> None:
        """Run all repetitions but the last, which is pytest's own.

        Each is a complete protocol, so that every other plugin sees an ordinary test. With its module or
        class as the "next item", pytest tears down the test and keeps shared fixtures.
        """
        if self._repeating:
            return
        self._repeating = True
        try:
            for _ in range(self._times - 1):
                item.ihook.pytest_runtest_protocol(item=item, nextitem=item.parent)
        finally:
            self._repeating = False
