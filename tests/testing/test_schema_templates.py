"""Tables by template; names quoted, whatever is in them."""

import pytest

from tdd_monitor.testing import COMMON_SCHEMA_TEMPLATES, TDDTestContext, register_schema_template
from tdd_monitor.testing.schema.templates import quote_identifier

NASTY = 'x"; DROP TABLE users; --'


@pytest.mark.parametrize("name", sorted(COMMON_SCHEMA_TEMPLATES))
@pytest.mark.parametrize("table", ["plain", NASTY, "Großbuchstaben", "select"])
async def test_each_template_makes_a_table_of_that_name(
    tdd_test_context: TDDTestContext, name: str, table: str
) -> None:
    await tdd_test_context.connection.execute(COMMON_SCHEMA_TEMPLATES[name].format(table_name=table))
    found = await tdd_test_context.connection.fetchval(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    assert found == table


def test_names_are_quoted() -> None:
    assert quote_identifier("shop.orders") == '"shop"."orders"'
    assert quote_identifier(NASTY) == '"x""; DROP TABLE users; --"'
    for bad in ("", "a..b", "a\0b", "ä" * 32):
        with pytest.raises(ValueError, match="is not a valid table name"):
            quote_identifier(bad)


def test_users_register_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMON_SCHEMA_TEMPLATES, "mine", COMMON_SCHEMA_TEMPLATES["user_table"])
    register_schema_template("mine", "CREATE TABLE {table_name} (tags jsonb DEFAULT '{}')")
    assert (
        COMMON_SCHEMA_TEMPLATES["mine"].format(table_name="t")
        == "CREATE TABLE \"t\" (tags jsonb DEFAULT '{}')"
    )
    with pytest.raises(ValueError, match=r"does not contain \{table_name\}"):
        register_schema_template("mine", "CREATE TABLE t ()")
