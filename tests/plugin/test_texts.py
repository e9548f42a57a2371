"""Texts of failures, as pytest prints them."""

import pytest

from plugin.conftest import Suite
from plugin.harness import Run, run_pytest
from tdd_monitor.session.tracebacks import headline

TESTS = """
    def low(): raise KeyError("low")
    def test_cause():
        try: low()
        except KeyError as error: raise ValueError("high") from error
    def test_context():
        try: low()
        except KeyError: raise OSError("meanwhile")


    def test_it():
        x = 1
        assert x == 2
"""


@pytest.fixture(scope="module")
def run(new_suite: Suite) -> Run:
    return run_pytest(new_suite(test_it=TESTS), "-rf")


def test_the_first_line_keeps_its_indent(run: Run) -> None:
    text = run.phase("::test_it", "call").longrepr
    assert text.splitlines()[:3] == ["    def test_it():", "        x = 1", ">       assert x == 2"]
    assert text in run.output


def test_the_headline_of_chained_exceptions_is_the_one_of_pytest(run: Run) -> None:
    for name, said in (("::test_cause", "ValueError: high"), ("::test_context", "OSError: meanwhile")):
        assert headline(run.phase(name, "call").longrepr.splitlines()) == said
        assert f"{name} - {said}" in run.output
