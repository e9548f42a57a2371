"""Products, their stock, and their exports."""

import asyncio
import json
from datetime import date
from decimal import Decimal

import asyncpg
import pytest
from shop import exports, products, stock
from shop.database import Connection
from shop.errors import NotFoundError, OutOfStockError
from shop.models import Product


async def test_a_new_product_is_found_by_its_number(db: Connection) -> None:
    """A product added to the catalogue can be found in it."""
    cup = await products.add(db, "CUP-1", "White cup", Decimal("8.50"))
    assert await products.by_sku(db, ["CUP-1"]) == {"CUP-1": cup}


async def test_a_missing_product_is_named(db: Connection, teapot: Product) -> None:
    """The error says which of several products does not exist."""
    with pytest.raises(NotFoundError, match="no product LAMP-9"):
        await products.by_sku(db, [teapot.sku, "LAMP-9"])


async def test_a_price_can_change(db: Connection, teapot: Product) -> None:
    """The new price applies from now on."""
    await products.change_price(db, teapot.sku, Decimal("27.50"))
    assert (await products.by_sku(db, [teapot.sku]))[teapot.sku].price == Decimal("27.50")


async def test_a_delivery_adds_to_the_stock(db: Connection, teapot: Product) -> None:
    """Ten units and five more."""
    await stock.receive(db, teapot.id, 5)
    assert await stock.available(db, teapot.id) == 15


async def test_reserved_pieces_are_not_available(db: Connection, teapot: Product) -> None:
    """A reservation counts at once, and can be released."""
    await stock.reserve(db, teapot.id, 4)
    assert await stock.available(db, teapot.id) == 6
    await stock.release(db, teapot.id, 4)
    assert await stock.available(db, teapot.id) == 10


async def test_nobody_gets_more_than_there_is(db: Connection, teapot: Product) -> None:
    """A rejected reservation changes nothing."""
    with pytest.raises(OutOfStockError):
        await stock.reserve(db, teapot.id, 11)
    assert await stock.available(db, teapot.id) == 10


async def test_the_last_piece_is_sold_once(pool: asyncpg.Pool) -> None:
    """Three buyers on three connections, one unit: committed, so cleaned up explicitly."""

    async def buy() -> None:
        async with pool.acquire() as connection:
            await stock.reserve(connection, lamp.id, 1)

    async with pool.acquire() as connection:
        lamp = await products.add(connection, "LAMP-1", "The last lamp", Decimal("99.00"))
        await stock.receive(connection, lamp.id, 1)
    try:
        results = await asyncio.gather(buy(), buy(), buy(), return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["NoneType", *["OutOfStockError"] * 2]
    finally:
        await pool.execute("DELETE FROM products WHERE id = $1", lamp.id)


async def test_slow_ddl_rebuilds_the_search_index(db: Connection) -> None:
    """Slow, on purpose: a view and an index over 20,000 products, created within a test."""
    await db.execute(
        "INSERT INTO products (sku, name, price)"
        " SELECT 'BOOK-' || n, 'A book about ' || md5(n::text) || ', volume ' || n, 10"
        " FROM generate_series(1, 20000) n"
    )
    await products.rebuild_search(db)
    assert await products.search(db, "book volume 4711") == ["BOOK-4711"]


def test_an_export_lists_each_product() -> None:
    """Prices are strings: a float would not be exact."""
    cup = Product(1, "CUP-1", "White cup", Decimal("8.50"))
    export = exports.catalogue([cup], "bazaar", date(2026, 3, 1))
    assert json.loads(export) == [{"id": 1, "sku": "CUP-1", "name": "White cup", "price": "8.50"}]


def test_leaks_memory_by_keeping_every_export() -> None:
    """Leaks, on purpose: 18 exports of 1 MB each stay in memory."""
    books = [Product(n, f"BOOK-{n}", "A very long title. " * 220, Decimal(10)) for n in range(250)]
    for day in range(1, 19):
        assert len(exports.catalogue(books, "bazaar", date(2026, 4, day))) > 1_000_000
