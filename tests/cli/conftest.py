import pytest


@pytest.fixture(scope="module", autouse=True)
def _no_plugins(no_plugins: None) -> None:
    """The monitor does not ask which plugins there are; a test that does loads them."""
