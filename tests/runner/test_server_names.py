"""The name that a server has on the screen and in reports."""

import pytest

from tdd_monitor.protocol.servers import EMBEDDED
from tdd_monitor.runner.server_count import server_name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://me:pw@localhost:5432/shop", "localhost:5432"),
        ("postgresql://me@db/shop", "db:5432"),
        ("postgresql://me@[::1]:5433/shop", "[::1]:5433"),
        ("postgresql://me@/shop?host=/var/run/postgresql&port=5432", "/var/run/postgresql:5432"),
        ("postgresql://me@/shop?host=/tmp/tdd-monitor-0-77aa/pg&port=5432", EMBEDDED),
    ],
)
def test_a_server_is_named_by_its_address(url: str, name: str) -> None:
    assert server_name(url) == name
