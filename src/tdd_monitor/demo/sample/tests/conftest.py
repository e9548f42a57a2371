"""A database for each process that runs tests, a transaction for each test."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
from shop import customers, database, orders, products, reports, stock
from shop.models import Customer, Order, Product
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tdd_monitor.testing import Schema, TDDTestContext, declare_schema, get_database_manager


@pytest.fixture(scope="session")
def tdd_schema() -> Schema:
    """The tables for every test: created once, kept for later runs; only rows are rolled back."""
    return declare_schema(Path(database.__file__).with_name("schema.sql"), settings=database.SEARCH_PATH)


@pytest.fixture
def db(tdd_test_context: TDDTestContext) -> database.Connection:
    """A connection whose transaction is rolled back after the test."""
    return tdd_test_context.connection


@pytest.fixture(scope="session")
def database_url(tdd_schema: Schema) -> str:
    """A separate database for pools, one per pytest-xdist worker."""
    return get_database_manager().pool_url(tdd_schema)


@pytest.fixture(scope="session")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """The application's pool: five connections at most."""
    pool = await database.connect(database_url, max_size=5)
    yield pool
    pool.terminate()  # close() would wait for the connection that a test forgets to release


@pytest.fixture
async def anna(db: database.Connection) -> Customer:
    """A customer in Germany."""
    return await customers.register(db, "anna@example.org", "Anna Schmidt", "DE")


@pytest.fixture
async def teapot(db: database.Connection) -> Product:
    """A product for 25.00, ten units in stock."""
    product = await products.add(db, "TEA-1", "Blue teapot", Decimal("25.00"))
    await stock.receive(db, product.id, 10)
    return product


@pytest.fixture
async def order(db: database.Connection, anna: Customer, teapot: Product) -> Order:
    """Two teapots for Anna."""
    return await orders.place(db, anna.id, {teapot.sku: 2})


@pytest.fixture(scope="session")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An SQLAlchemy engine on the same database."""
    engine = reports.connect(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def ledger(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for reports; closing it rolls its transaction back."""
    async with engine.connect() as connection:
        yield connection


@pytest.fixture
async def year_of_sales(ledger: AsyncConnection) -> AsyncConnection:
    """Slow, on purpose: creates 20,000 orders again for each test that requests them."""
    for statement in (
        "INSERT INTO customers (email, name, country) VALUES ('all@example.org', 'Everybody', 'DE')",
        "INSERT INTO products (sku, name, price) VALUES ('CUP', 'Cup', 8), ('POT', 'Pot', 25)",
        "INSERT INTO orders (customer_id, status, placed_at)"
        " SELECT c.id, CASE WHEN n % 10 = 0 THEN 'cancelled' ELSE 'shipped' END,"
        " make_timestamptz(2025, 1 + n % 12, 15, 12, 0, 0)"
        " FROM customers c, generate_series(1, 20000) n",
        "INSERT INTO order_lines SELECT o.id, p.id, 1, p.price FROM orders o, products p",
        # Autovacuum cannot see uncommitted rows and would record empty tables: reports then take minutes.
        "ANALYZE orders, order_lines",
    ):
        await ledger.execute(text(statement))
    return ledger


@pytest.fixture(scope="session")
async def exchange_rates() -> dict[str, Decimal]:
    """Slow but shared, on purpose: fetched once (here: a wait of 0.3 s), then used by all tests."""
    await asyncio.sleep(0.3)
    return {"CHF": Decimal("0.94"), "EUR": Decimal(1), "USD": Decimal("1.08")}
