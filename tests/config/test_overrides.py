"""[[tool.tdd-monitor.overrides]]: valid tables, and mistakes that are said with file, line and fix."""

from pathlib import Path

import pytest

from tdd_monitor.config import ConfigError, Override, Thresholds, load
from tdd_monitor.protocol.marks import PER_TEST

HEAD = "[[tool.tdd-monitor.overrides]]\n"


def read(directory: Path, text: str) -> tuple[Override, ...]:
    (directory / "pyproject.toml").write_text(text, encoding="utf-8")
    return load(directory).overrides


def error(directory: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(directory, text)
    said = str(caught.value)
    assert said.startswith(f"{directory / 'pyproject.toml'}: ")
    return said


def test_tables_are_read_in_their_order_with_their_lines(tmp_path: Path) -> None:
    text = f"""\
[tool.tdd-monitor]
theme = "nord"
{HEAD}path = "./tests/integration/**"
marker = "slow"
test-duration-ms = 2000
memory_usage_mb = 0

  [[ tool . "tdd-monitor" . overrides ]]  # one more
nodeid = "*[postgres*"
repeated_queries = 20.5
"""
    first, second = read(tmp_path, text)
    limits = (("test_duration_ms", 2000.0), ("memory_usage_mb", 0.0))
    assert first == Override("pyproject.toml:3", "tests/integration/**", "", "slow", limits)
    assert second == Override("pyproject.toml:9", nodeid="*[postgres*", limits=(("repeated_queries", 20.5),))


def test_inline_tables_are_numbered(tmp_path: Path) -> None:
    text = "[tool.tdd-monitor]\noverrides = [{marker = 'a', test_duration_ms = 1}, {test_duration_ms = 2}]\n"
    assert "[[tool.tdd-monitor.overrides]] number 2 selects no tests" in error(tmp_path, text)
    (one,) = read(tmp_path, text.replace(", {test_duration_ms = 2}", ""))
    assert one.place == "pyproject.toml, override 1"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("test_duration_ms = 5", "selects no tests: add path, nodeid or marker"),
        ("path = 'a'", "sets no threshold: add one of test_duration_ms, fixture_setup_ms, "),
        ("pth = 'a'", "has no key 'pth'; did you mean 'path'?"),
        ("path = 'a'\ntest_duration = 5", "did you mean 'test_duration_ms'?"),
        ("path = 3", "path must be a string, not 3"),
        ("path = ''", "path must not be empty"),
        ("path = '/home/me/tests'", "path must be relative to pytest's rootdir"),
        ("path = 'C:/tests'", "path must be relative to pytest's rootdir"),
        ("path = 'tests\\unit'", "path must have forward slashes"),
        ("path = 'a.py::test_b'", "path must be a file; for 'a.py::test_b' use nodeid"),
        ("marker = 'slow or db'", "marker must be the name of one marker, not 'slow or db'"),
        ("marker = 'xfail'", "marker must be a marker of your own, not 'xfail'"),
        ("path = 'a'\ntest_duration_ms = '5'", "test_duration_ms must be a number of 0 or more, not '5'"),
        ("path = 'a'\ntest_duration_ms = -1", "test_duration_ms must be a number of 0 or more, not -1"),
        ("path = 'a'\ntest_duration_ms = 1\ntest-duration-ms = 1", "test_duration_ms is set twice"),
        (
            "path = 'a'\npool_utilization = 0.5",
            ": pool_utilization is not measured per test; set it in [tool.tdd-monitor.thresholds]",
        ),
    ],
)
def test_a_mistake_names_the_table_and_the_fix(table: str, said: str, tmp_path: Path) -> None:
    message = error(tmp_path, f"[tool.tdd-monitor]\n\n{HEAD}{table}\n")
    assert "[[tool.tdd-monitor.overrides]] in line 3" in message
    assert said in message


@pytest.mark.parametrize("text", ["[tool.tdd-monitor.overrides]", "[tool.tdd-monitor]\noverrides = [1]"])
def test_anything_but_tables_is_an_error(text: str, tmp_path: Path) -> None:
    said = "[tool.tdd-monitor] overrides must be tables, each headed [[tool.tdd-monitor.overrides]]"
    assert said in error(tmp_path, text)


def test_every_threshold_of_a_test_can_be_overridden_and_no_other() -> None:
    assert set(Thresholds().items()) - set(PER_TEST) == {
        "memory_growth_mb",
        "pool_utilization",
        "server_connections",
    }
    assert set(PER_TEST) < set(Thresholds().items())
