"""Which database the tests may use; DATABASE_URL only when the project says so."""

from pathlib import Path

import pytest

from tdd_monitor.testing.database_url import find_database_url, with_database

PRODUCTION = {"DATABASE_URL": "postgresql://prod/shop"}
OWN = {"TDD_MONITOR_DATABASE_URL": "postgresql://own/shop"}


@pytest.mark.parametrize(
    ("settings", "environment", "expected"),
    [
        ("", {}, None),
        ("", PRODUCTION, None),
        ("use_database_url = false", PRODUCTION, None),
        ("use_database_url = true", {}, None),
        ("use_database_url = true", PRODUCTION, "postgresql://prod/shop"),
        ("use_database_url = true", PRODUCTION | OWN, "postgresql://own/shop"),
        ("", PRODUCTION | OWN, "postgresql://own/shop"),
        ("database_url = 'postgresql+asyncpg://set/shop'", PRODUCTION | OWN, "postgresql://set/shop"),
    ],
)
def test_the_order(tmp_path: Path, settings: str, environment: dict[str, str], expected: str | None) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.tdd-monitor]\n{settings}\n")
    found = find_database_url(tmp_path, environment)
    assert (found and found.url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:pw@host:1/shop?sslmode=require", "postgresql://me:pw@host:1/x?sslmode=require"),
        (
            "postgresql://postgres@/postgres?host=/tmp/a b&port=5",
            "postgresql://postgres@/x?host=/tmp/a b&port=5",
        ),
        ("postgres://host", "postgres://host/x"),
    ],
)
def test_the_url_of_another_database_of_the_server(url: str, expected: str) -> None:
    assert with_database(url, "x") == expected
