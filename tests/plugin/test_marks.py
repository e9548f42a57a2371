"""Markers and `tdd_threshold`, as the plugin reports them; a wrong mark never breaks a test."""

import sys

import pytest

from plugin.conftest import Suite
from plugin.harness import Run, plain_pytest, run_pytest
from tdd_monitor.protocol.events import CollectedTest, WarningRaised

XDIST = ("-p", "xdist", "-n1")
BOTH = pytest.mark.parametrize("args", [(), XDIST], ids=["single", "xdist"])
MARKED = """
    import pytest

    pytestmark = [pytest.mark.db, pytest.mark.tdd_threshold(test_duration_ms=300, memory_usage_mb=50)]
    LOWER = pytest.mark.tdd_threshold(test_duration_ms=7)


    def test_of_module(): pass


    @pytest.mark.tdd_threshold(test_duration_ms=200, repeated_queries=0)
    class TestSlow:
        @pytest.mark.slow
        def test_of_class(self): pass

        @pytest.mark.tdd_threshold(test_duration_ms=100)
        @pytest.mark.tdd_threshold(test_duration_ms=150, fixture_setup_ms=9)
        def test_of_its_own(self): pass

        @pytest.mark.parametrize("n", [1, pytest.param(2, marks=LOWER)])
        @pytest.mark.tdd_threshold(test_duration_ms=8)
        def test_parameter(self, n): pass
"""
INI = "[pytest]\nmarkers =\n    db\n    slow\n"
STRICT = ("--strict-markers",)


def collected(run: Run, name: str) -> CollectedTest:
    (test,) = [test for test in run.collected if test.nodeid.endswith(name)]
    return test


def thresholds(test: CollectedTest) -> dict[str, tuple[float, str]]:
    return {each.metric: (each.value, each.rule) for each in test.thresholds}


def warnings(run: Run) -> list[str]:
    return [each.message for each in run.events(WarningRaised) if each.category == "tdd-monitor"]


@BOTH
def test_the_nearest_mark_wins_for_each_metric(args: tuple[str, ...], suite: Suite) -> None:
    directory = suite(test_marked=MARKED)
    (directory / "pytest.ini").write_text(INI)
    run = run_pytest(directory, *STRICT, *args)
    assert (run.exitcode, warnings(run)) == (0, [])
    module, of_class = (
        "tdd_threshold of module, test_marked.py:4",
        "tdd_threshold of class TestSlow, test_marked.py:11",
    )
    own, memory = "tdd_threshold of test_of_its_own, test_marked.py:16", (50, module)
    assert thresholds(collected(run, "test_of_module")) == {
        "test_duration_ms": (300, module),
        "memory_usage_mb": memory,
    }
    inherited = {"memory_usage_mb": memory, "repeated_queries": (0, of_class)}
    assert thresholds(collected(run, "test_of_class")) == {"test_duration_ms": (200, of_class), **inherited}
    assert thresholds(collected(run, "test_of_its_own")) == {
        "test_duration_ms": (100, own),
        "fixture_setup_ms": (9, own),
        **inherited,
    }
    values = [thresholds(collected(run, f"[{n}]"))["test_duration_ms"][0] for n in (1, 2)]
    assert values == [8, 7]


def test_names_of_markers_are_sent_without_those_of_pytest(suite: Suite) -> None:
    directory = suite(
        test_marked=MARKED, test_plain="import pytest\n@pytest.mark.skip\ndef test_plain(): pass"
    )
    (directory / "pytest.ini").write_text(INI)
    run = run_pytest(directory)
    assert collected(run, "test_of_class").markers == ("slow", "db")
    assert collected(run, "test_of_module").markers == ("db",)
    plain = collected(run, "test_plain")
    assert (plain.markers, plain.thresholds) == ((), ())


@BOTH
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("test_duratio_ms=5", "there is no threshold test_duratio_ms per test"),
        ("pool_utilization=1", "there is no threshold pool_utilization per test"),
        ("500", "its thresholds must be named"),
        ("test_duration_ms='5'", "test_duration_ms must be a number of 0 or more, not '5'"),
        ("test_duration_ms=-1", "test_duration_ms must be a number of 0 or more, not -1"),
        ("test_duration_ms=float('nan')", "test_duration_ms must be a number of 0 or more, not nan"),
        ("test_duration_ms=Hostile()", "test_duration_ms must be a number of 0 or more, not a Hostile"),
    ],
)
def test_a_wrong_mark_is_one_warning_and_breaks_nothing(
    args: tuple[str, ...], arguments: str, said: str, suite: Suite
) -> None:
    text = f"""
        import pytest

        class Hostile:
            def __repr__(self): raise RuntimeError

        @pytest.mark.parametrize("n", range(3))
        @pytest.mark.tdd_threshold({arguments})
        @pytest.mark.tdd_threshold(memory_usage_mb=3)
        def test_wrong(n): pass
    """
    run = run_pytest(suite(test_wrong=text), *STRICT, *args)
    assert (run.exitcode, run.counted) == (0, {"passed": 3})
    (message,) = warnings(run)
    assert message.startswith(
        f"tdd_threshold of test_wrong.py::test_wrong[0]: {said}. Valid names: test_duration_ms, "
    )
    assert [list(thresholds(test)) for test in run.collected] == [["memory_usage_mb"]] * 3


def test_tests_without_a_function_have_marks_too(suite: Suite) -> None:
    conftest = """
        import pytest

        class Item(pytest.Item):
            def runtest(self): pass

        class File(pytest.File):
            def collect(self):
                yield Item.from_parent(self, name="one")

        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".yaml":
                return File.from_parent(parent, path=file_path)

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.tdd_threshold(test_duration_ms=1))
                item.add_marker("made")
    """
    directory = suite(conftest=conftest)
    (directory / "case.yaml").touch()
    (test,) = run_pytest(directory).collected
    assert (test.nodeid, test.markers) == ("case.yaml::one", ("made",))
    assert [each.rule.partition(",")[0] for each in test.thresholds] == ["tdd_threshold of one"]


def test_the_toolkit_declares_the_mark_for_runs_without_a_monitor(suite: Suite) -> None:
    marked = "import pytest\n@pytest.mark.tdd_threshold(test_duration_ms=1)\ndef test_one(): pass"
    directory = suite(test_one=marked)
    toolkit = ("-p", "tdd_monitor.testing.pytest_plugin.database")
    assert plain_pytest(directory, *STRICT, *toolkit, python=sys.executable)[0] == 0
    run = run_pytest(directory, "--markers", *toolkit, python=sys.executable)
    assert run.output.count("@pytest.mark.tdd_threshold(") == 1
