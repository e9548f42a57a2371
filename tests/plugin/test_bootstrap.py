"""bootstrap.py is `python -m pytest` with the plugin in it, or one clear line."""

import gc
import json
import os
import shutil
import subprocess
import sys
import venv
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugin import interpreters
from plugin.conftest import Suite, require
from plugin.harness import BOOTSTRAP, environment, listening, plain_pytest, run_pytest
from tdd_monitor.plugin.activation import activate
from tdd_monitor.protocol.events import RunFinish

WHAT_A_SUITE_SEES = """
    import json
    import multiprocessing
    import sys


    def test_dump():
        main = sys.modules["__main__"]
        seen = {
            "path": sys.path,
            "argv": [argument for argument in sys.argv if argument not in ("-p", "tdd_monitor.plugin")],
            "main": [main.__name__, main.__spec__.name, main.__file__],
            "monitor": sorted(name for name in sys.modules if name.startswith("tdd_monitor")),
            "environ": sorted(name for name in __import__("os").environ if "TDD" in name),
        }
        with open("seen.json", "w") as file: json.dump(seen, file)


    def target(): pass
    def test_spawn():
        process = multiprocessing.get_context("spawn").Process(target=target)
        process.start()
        process.join()
        assert process.exitcode == 0
"""
METRICS = """
    from tdd_monitor.plugin import record_metric

    def test_metric():
        record_metric("ddl_operations_saved", 3)
        record_metric("nonsense", float("nan"))
        record_metric("more of it", "x")
"""


def run_bootstrap(python: str, *args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [python, str(BOOTSTRAP), *args]
    return subprocess.run(
        command, cwd=cwd, env=environment() | env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("safe_path", ["", "1"])
def test_a_suite_sees_what_it_sees_without_us(safe_path: str, suite: Suite) -> None:
    directory = suite(test_dump=WHAT_A_SUITE_SEES)
    seen = []
    env = environment(PYTHONSAFEPATH=safe_path)
    for command in (["-m", "pytest"], [str(BOOTSTRAP)]):
        with listening() as listener:
            told = {name: value for name, value in environment(listener).items() if "TDD" in name}
            subprocess.run(
                [sys.executable, *command, "-q", "-p", "no:cacheprovider"],
                cwd=directory,
                env=env | (told if command[0] != "-m" else {}),
                check=True,
                capture_output=True,
                timeout=60,
            )
        seen.append(json.loads((directory / "seen.json").read_text()))
    plain, ours = seen
    assert any(name.startswith("tdd_monitor.plugin.") for name in ours.pop("monitor"))
    assert not [name for name in plain.pop("monitor") if name.startswith("tdd_monitor.plugin")]
    assert ours == plain


@pytest.mark.environments
def test_the_plugin_comes_from_this_copy_whatever_is_installed(suite: Suite) -> None:
    python = require(interpreters.made(next(iter(interpreters.pythons()), ""), interpreters.OLDEST))
    directory = suite(
        test_copy=f"""
            import sys
            def test_copy():
                assert sys.modules["tdd_monitor"].__file__ == {str(BOOTSTRAP.parent.parent / "__init__.py")!r}
                assert not [path for path in sys.path if path == {str(BOOTSTRAP.parent.parent.parent)!r}]
        """
    )
    (directory / "tdd_monitor.py").write_text("raise RuntimeError('the wrong one')")
    run = run_pytest(directory, python=python)
    assert run.counted == {"passed": 1}, run.output


@pytest.mark.usefixtures("unraisable_reported")
@pytest.mark.parametrize("args", [("-p", "no:xdist"), ("-n1",)], ids=["without xdist", "with xdist"])
def test_no_warning_about_modules_imported_already(args: tuple[str, ...], suite: Suite) -> None:
    """Installed plugins are found by their entry points; those of the expensive ones are not imported."""
    autoload = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "", "PYTEST_ADDOPTS": os.environ["PYTEST_ADDOPTS"]}
    directory = suite(test_one="def test_one(): pass")
    run = run_pytest(directory, "-W", "error", *args, env=autoload, python=sys.executable)
    assert run.exitcode == 0, run.output
    assert "rewritten" not in run.output
    run.assert_well_formed()
    assert run.counted == {"passed": 1}
    assert run.hello.role == ("controller" if "-n1" in args else "single")


def test_many_arguments_come_in_a_file(suite: Suite, tmp_path: Path) -> None:
    directory = suite(test_many="import pytest\n@pytest.mark.parametrize('i', range(50))\ndef test(i): pass")
    arguments = ["-p", "no:cacheprovider", *(f"test_many.py::test[{i}]" for i in range(0, 50, 2))]
    file = tmp_path / "arguments.json"
    file.write_text(json.dumps(arguments))
    with listening() as listener:
        command = [sys.executable, str(BOOTSTRAP), f"--arguments-from={file}"]
        subprocess.run(command, cwd=directory, env=environment(listener), check=True, capture_output=True)
        listener.wait_idle()
    assert listener.lines[-1].event == RunFinish(0, {"passed": 25})


def old_pythons() -> list[str]:
    kept = sorted(Path.home().glob(".pyenv/versions/[23].*/bin/python"))
    old = [str(python) for python in kept if int(python.parts[-3].split(".")[1]) < 9]
    return old or [python for name in ("python2.7", "python3.8") if (python := shutil.which(name))]


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    pythons = old_pythons()
    if not pythons:
        pytest.skip("no Python older than 3.9 here")
    for python in pythons:
        process = run_bootstrap(python, cwd=tmp_path)
        assert process.returncode == 4
        (line,) = process.stderr.splitlines()
        assert line.startswith("tdd-monitor: ")
        assert "3.9 or newer" in line
        assert "--python" in line


def test_a_python_without_pytest(tmp_path: Path) -> None:
    venv.create(tmp_path / "empty")
    python = str(tmp_path / "empty" / "bin" / "python")
    process = run_bootstrap(python, cwd=tmp_path)
    assert process.returncode == 4
    (line,) = process.stderr.splitlines()
    assert line == f"tdd-monitor: {python} has no pytest. Install it: {python} -m pip install pytest"


@pytest.mark.parametrize(
    ("versions", "complaint"),
    [
        ({"pytest": "7.3.2", "pluggy": "99.1"}, "pytest 7.3.2 is too old"),
        ({"pytest": "7.4.0", "pluggy": "1.0.0"}, "pluggy 1.0.0 is too old"),
    ],
    ids=["pytest", "pluggy"],
)
def test_a_pytest_that_is_too_old(versions: dict[str, str], complaint: str, tmp_path: Path) -> None:
    for module, version in versions.items():
        (tmp_path / f"{module}.py").write_text(f"__version__ = {version!r}")
    process = run_bootstrap(sys.executable, cwd=tmp_path)
    assert process.returncode == 4
    (line,) = process.stderr.splitlines()
    assert complaint in line
    assert "pip install --upgrade" in line


@pytest.mark.parametrize("address", ["unix:/nowhere/at/all", ""])
def test_no_monitor_behind_the_address(address: str, suite: Suite) -> None:
    directory = suite(test_one="def test_one(): pass")
    env = {"TDD_MONITOR_ADDRESS": address, "TDD_MONITOR_TOKEN": "t", "TDD_MONITOR_RUN": "r"}
    process = run_bootstrap(sys.executable, "-q", "-p", "no:cacheprovider", cwd=directory, **env)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "1 passed" in process.stdout


@pytest.mark.parametrize("address", ["unix:/nowhere/at/all", "tcp:127.0.0.1:1", "nonsense", "tcp:x:y"])
def test_the_plugin_stays_inactive_without_a_monitor(address: str) -> None:
    plugins = pytest.PytestPluginManager()
    registered = plugins.get_plugins()
    gc.collect()  # what earlier tests left open is not of interest here
    with warnings.catch_warnings(record=True) as unclosed:
        warnings.simplefilter("always", ResourceWarning)
        assert activate(SimpleNamespace(pluginmanager=plugins), {"address": address}) is None
    assert unclosed == []
    assert plugins.get_plugins() == registered


def test_without_a_monitor_metrics_are_ignored_and_next_to_nothing_is_imported(suite: Suite) -> None:
    imports = """
        import sys

        def test_nothing():
            ours = {name for name in sys.modules if name.startswith("tdd_monitor")}
            assert ours <= {"tdd_monitor", "tdd_monitor.plugin"}, ours
    """
    directory = suite(test_metric=METRICS, test_nothing=imports)
    code, output = plain_pytest(directory, "-p", "tdd_monitor.plugin", python=sys.executable)
    assert code == 0, output


def test_metrics_are_recorded_with_a_monitor(suite: Suite) -> None:
    run = run_pytest(suite(test_metric=METRICS), python=sys.executable)
    assert run.test("test_metric").metrics == {"ddl_operations_saved": 3.0}


@pytest.mark.environments
def test_every_python_here_with_the_newest_pytest(suite: Suite) -> None:
    directory = suite(test_one="def test_one(): print('x')\ndef test_two(): assert 0")
    versions = interpreters.pythons()
    if not versions:
        pytest.skip("no other Pythons here")
    for version in versions:
        interpreter = interpreters.made(version, interpreters.BARE)
        if interpreter.python:
            run = run_pytest(directory, python=interpreter.python)
            assert run.counted == {"passed": 1, "failed": 1}, run.output
            assert run.hello.python.startswith(version)
