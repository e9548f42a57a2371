"""The catalogue: what the shop sells, and for how much."""

from collections.abc import Iterable
from decimal import Decimal

from .database import Connection
from .errors import NotFoundError
from .models import Product


async def add(connection: Connection, sku: str, name: str, price: Decimal) -> Product:
    """Add a product to the catalogue."""
    row = await connection.fetchrow(
        "INSERT INTO products (sku, name, price) VALUES ($1, $2, $3) RETURNING *", sku, name, price
    )
    return Product(**row)


async def by_sku(connection: Connection, skus: Iterable[str]) -> dict[str, Product]:
    """The products with these numbers; every one of them must exist."""
    wanted = set(skus)
    rows = await connection.fetch("SELECT * FROM products WHERE sku = ANY($1)", list(wanted))
    if missing := wanted - {row["sku"] for row in rows}:
        raise NotFoundError(f"no product {', '.join(sorted(missing))}")
    return {row["sku"]: Product(**row) for row in rows}


async def change_price(connection: Connection, sku: str, price: Decimal) -> Product:
    """Change the price of a product; existing orders keep theirs."""
    row = await connection.fetchrow("UPDATE products SET price = $2 WHERE sku = $1 RETURNING *", sku, price)
    if row is None:
        raise NotFoundError(f"no product {sku}")
    return Product(**row)


async def rebuild_search(connection: Connection) -> None:
    """Rebuild the full-text index of the catalogue."""
    await connection.execute("DROP MATERIALIZED VIEW IF EXISTS product_search")
    await connection.execute(
        "CREATE MATERIALIZED VIEW product_search AS"
        " SELECT sku, to_tsvector('english', name) AS words FROM products"
    )
    await connection.execute("CREATE INDEX product_search_words ON product_search USING gin (words)")


async def search(connection: Connection, words: str) -> list[str]:
    """The numbers of the products whose names contain all these words."""
    rows = await connection.fetch(
        "SELECT sku FROM product_search WHERE words @@ plainto_tsquery('english', $1) ORDER BY sku", words
    )
    return [row["sku"] for row in rows]
