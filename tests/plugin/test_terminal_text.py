"""What pytest and its plugins print around the tests is told, and printed as before."""

import re
from pathlib import Path

import pytest

from plugin.conftest import Suite
from plugin.harness import Run, plain_pytest, run_pytest
from tdd_monitor.plugin.terminal_text import HEAD_CHARS, TAIL_CHARS, Excerpt
from tdd_monitor.protocol.events import Printed

XDIST = ("-p", "xdist", "-n1")
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
def test_error(nope): pass
"""


def printed(run: Run, part: str) -> str:
    return "".join(event.text for event in run.events(Printed) if event.part == part)


@pytest.fixture(scope="module")
def project(new_suite: Suite) -> Path:
    return new_suite(conftest=TALKATIVE, test_it=SUITE)


@pytest.fixture(scope="module")
def single(project: Path) -> Run:
    return run_pytest(project)


@pytest.fixture(scope="module")
def distributed(project: Path) -> Run:
    return run_pytest(project, *XDIST)


@pytest.mark.parametrize("mode", ["single", "distributed"])
def test_header_and_summary_without_what_other_events_contain(
    mode: str, request: pytest.FixtureRequest
) -> None:
    run: Run = request.getfixturevalue(mode)
    assert run.exitcode == 1
    header, summary = printed(run, "header"), printed(run, "summary")
    assert "seed 7\nweather: fine\n" in header
    # xdist's controller collects nothing itself
    assert ("group 1 of 3\n" in header) is (mode == "single")
    assert "rootdir" not in header and "plugins:" not in header
    assert "before all\n" in summary and "- after all -" in summary
    assert "UserWarning: this will change" in summary
    assert "1 == 2" not in summary and "1 failed" not in summary and "FAILED" not in summary
    # Nothing of it is missing where it always was.
    for line in (*header.splitlines(), *summary.splitlines(), "def test_fails(): assert 1 == 2"):
        assert line in run.output
    assert "FAILED test_it.py::test_fails" in run.output
    assert "1 failed, 1 passed, 1 warning, 1 error in" in run.output


def test_output_and_exit_code_are_those_of_plain_pytest(project: Path, single: Run) -> None:
    code, plain = plain_pytest(project)

    def without_time(output: str) -> str:
        return re.sub(r" in \d+\.\d+s =+", "", output)

    assert without_time(plain) != plain
    assert (single.exitcode, without_time(single.output)) == (code, without_time(plain))


def test_without_a_terminal_reporter(suite: Suite) -> None:
    run = run_pytest(suite(test_it=SUITE), "-p", "no:terminal")
    assert run.exitcode == 1
    assert not run.events(Printed)
    assert run.counted == {"passed": 1, "failed": 1, "error": 1}


def test_an_unknown_terminal_reporter_is_left_alone(suite: Suite) -> None:
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


def test_both_ends_of_a_long_text_are_kept_in_bounded_memory() -> None:
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
