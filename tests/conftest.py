"""The environment of every pytest that a test starts."""

from collections.abc import Iterator

import pytest

# This suite uses them itself; importing them takes a child pytest three times as long as all the rest.
# A test whose child needs one of them passes `-p anyio`, say.
NOT_IN_CHILDREN = ("hypothesispytest", "syrupy", "textual-snapshot", "anyio")
ADDOPTS = "PYTEST_ADDOPTS"
NO_AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"


@pytest.fixture(scope="session", autouse=True)
def _few_plugins_in_children() -> Iterator[None]:
    """Blocks those plugins in child processes: not in xdist's workers, which have started by now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDOPTS, " ".join(f"-p no:{name}" for name in NOT_IN_CHILDREN))
        yield


@pytest.fixture(scope="module")
def no_plugins() -> Iterator[None]:
    """Child processes load no installed plugin but those of `-p`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(NO_AUTOLOAD, "1")
        yield


@pytest.fixture
def all_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes load every installed plugin, as a user's pytest does."""
    monkeypatch.delenv(ADDOPTS)
    monkeypatch.delenv(NO_AUTOLOAD, raising=False)
