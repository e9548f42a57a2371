"""The environment of every pytest that a test starts."""

from collections.abc import Generator, Iterator

import pytest
from support.coverage import save_coverage

from tdd_monitor.cli.agents import VARIABLES

# This suite uses them itself; importing them takes a child pytest three times as long as all the rest.
# A test whose child needs one of them passes `-p anyio`, say.
NOT_IN_CHILDREN = ("hypothesispytest", "syrupy", "textual-snapshot", "anyio")
# It collects garbage five times at the end of each run, an eighth of what a short one costs. pytest has
# imported it by then: `-p` brings it back with a warning, the fixture below without one.
UNRAISABLE = "unraisableexception"
ADDOPTS = "PYTEST_ADDOPTS"
NO_AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"


def without(*plugins: str) -> str:
    return " ".join(f"-p no:{name}" for name in plugins)


@pytest.fixture(scope="session", autouse=True)
def _few_plugins_in_children() -> Iterator[None]:
    """Blocks those plugins in child processes: not in xdist's workers, which have started by now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDOPTS, without(*NOT_IN_CHILDREN, UNRAISABLE))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_coding_agent() -> Iterator[None]:
    """Whoever runs this suite, `tdd-monitor run` prints what it prints for people."""
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def no_plugins() -> Iterator[None]:
    """Child processes load no installed plugin but those of `-p`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(NO_AUTOLOAD, "1")
        yield


@pytest.fixture
def unraisable_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes warn of what is left for the garbage collector and cannot be closed there."""
    monkeypatch.setenv(ADDOPTS, without(*NOT_IN_CHILDREN))


@pytest.fixture
def all_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes load every installed plugin, as a user's pytest does."""
    monkeypatch.delenv(ADDOPTS)
    monkeypatch.delenv(NO_AUTOLOAD, raising=False)


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by mark
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need an environment with other libraries."""
    for item in items:
        if "newest" in getattr(item, "fixturenames", ()):
            item.add_marker("environments")


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One worker more than cores: many tests wait for processes and servers."""
    return (yield) + 1


def pytest_sessionfinish() -> None:
    """In xdist's workers too, which may not live to the end."""
    save_coverage()
