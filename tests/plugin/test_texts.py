"""Texts of failures, as pytest prints them."""

from plugin.conftest import Suite
from plugin.harness import run_pytest
from tdd_monitor.ui.tabs.waterfall import _headline


def test_the_first_line_keeps_its_indent(suite: Suite) -> None:
    run = run_pytest(suite(test_it="def test_it():\n    x = 1\n    assert x == 2\n"))
    text = run.phase("::test_it", "call").longrepr
    assert text.splitlines()[:3] == ["    def test_it():", "        x = 1", ">       assert x == 2"]
    assert text in run.output


def test_the_headline_of_chained_exceptions_is_pytests(suite: Suite) -> None:
    chained = """
        def low(): raise KeyError("low")
        def test_cause():
            try: low()
            except KeyError as error: raise ValueError("high") from error
        def test_context():
            try: low()
            except KeyError: raise OSError("meanwhile")
    """
    run = run_pytest(suite(test_it=chained), "-rf")
    for name, said in (("::test_cause", "ValueError: high"), ("::test_context", "OSError: meanwhile")):
        assert _headline(run.phase(name, "call").longrepr.splitlines()) == said
        assert f"{name} - {said}" in run.output
