"""What pytest and its plugins print around the tests is told, and printed as before."""

import pytest

from plugin.conftest import Suite
from plugin.harness import Run, plain_pytest, run_pytest
from tdd_monitor.plugin.terminal_text import HEAD_CHARS, TAIL_CHARS, Excerpt
from tdd_monitor.protocol.events import Printed

XDIST = ("-p", "xdist", "-n2")
BOTH = pytest.mark.parametrize("args", [(), XDIST], ids=["single", "xdist"])
TALKATIVE = """
import pytest

def pytest_report_header(): return ["seed 7", "weather: fine"]
def pytest_report_collectionfinish(): return "group 1 of 3"

@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line("before all")
    result = yield
    terminalreporter.section("after all", sep="-")
    return result
"""
SUITE = """
import warnings
def test_passes(): warnings.warn("this will change")
def test_fails(): assert 1 == 2
"""


def printed(run: Run, part: str) -> str:
    return "".join(event.text for event in run.events(Printed) if event.part == part)


@BOTH
def test_header_and_summary_are_told_without_what_other_events_tell(
    args: tuple[str, ...], suite: Suite
) -> None:
    project = suite(conftest=TALKATIVE, test_it=SUITE)
    run = run_pytest(project, *args)
    assert run.exitcode == 1
    header, summary = printed(run, "header"), printed(run, "summary")
    assert "seed 7\nweather: fine\n" in header
    assert ("group 1 of 3\n" in header) is not bool(args)  # xdist's controller collects nothing itself
    assert "rootdir" not in header and "plugins:" not in header
    assert "before all\n" in summary and "- after all -" in summary
    assert "UserWarning: this will change" in summary
    assert "1 == 2" not in summary and "1 failed" not in summary and "FAILED" not in summary
    # Nothing of it is missing where it always was.
    for line in (*header.splitlines(), *summary.splitlines(), "def test_fails(): assert 1 == 2"):
        assert line in run.output
    assert "FAILED test_it.py::test_fails" in run.output and "1 failed, 1 passed, 1 warning in" in run.output


def test_what_is_printed_is_what_plain_pytest_prints(suite: Suite) -> None:
    project = suite(conftest=TALKATIVE, test_it=SUITE)
    _code, plain = plain_pytest(project, "-p", "no:cacheprovider")
    monitored = run_pytest(project, "-p", "no:cacheprovider").output

    def end_of(output: str) -> list[str]:
        lines = output[output.index("= FAILURES") :].splitlines()
        return [line for line in lines if " in 0." not in line and " in 1." not in line]

    assert end_of(monitored) == end_of(plain)


def test_without_a_terminal_reporter_nothing_is_told_and_nothing_fails(suite: Suite) -> None:
    run = run_pytest(suite(test_it=SUITE), "-p", "no:terminal")
    assert run.exitcode == 1
    assert not run.events(Printed)
    assert run.counted == {"passed": 1, "failed": 1}


def test_a_reporter_of_another_making_is_let_alone(suite: Suite) -> None:
    conftest = """
class Slotted:
    __slots__ = ()
    def write_line(self, text): pass

def pytest_sessionfinish(session):
    plugins = session.config.pluginmanager
    plugins.unregister(name="terminalreporter")
    plugins.register(Slotted(), "terminalreporter")
"""
    run = run_pytest(suite(conftest=conftest, test_it="def test_passes(): pass"))
    assert run.exitcode == 0
    assert run.counted == {"passed": 1}


def test_of_a_long_text_both_ends_are_kept_in_bounded_memory() -> None:
    excerpt = Excerpt()
    excerpt.add("first line\n")
    for number in range(100_000):
        excerpt.add(f"{number:099}\n")
    excerpt.add("last line\n")
    text = excerpt.text()
    assert text.startswith("first line\n") and text.endswith("last line\n")
    assert "characters cut" in text
    assert len(text) < HEAD_CHARS + TAIL_CHARS + 200
    whole = Excerpt()
    whole.add("x" * (HEAD_CHARS + TAIL_CHARS))
    assert whole.text() == "x" * (HEAD_CHARS + TAIL_CHARS)
