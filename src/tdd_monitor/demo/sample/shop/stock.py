"""Units in stock, and units reserved for orders."""

from .database import Connection
from .errors import NotFoundError, OutOfStockError


async def receive(connection: Connection, product_id: int, quantity: int) -> None:
    """Add a delivery to the stock."""
    await connection.execute(
        "INSERT INTO stock (product_id, on_hand) VALUES ($1, $2)"
        " ON CONFLICT (product_id) DO UPDATE SET on_hand = stock.on_hand + excluded.on_hand",
        product_id,
        quantity,
    )


async def available(connection: Connection, product_id: int) -> int:
    """Units that can still be sold."""
    pieces = await connection.fetchval(
        "SELECT on_hand - reserved FROM stock WHERE product_id = $1", product_id
    )
    return pieces or 0


async def reserve(connection: Connection, product_id: int, quantity: int) -> None:
    """Reserve units for an order; two orders never get the same unit."""
    reserved = await connection.fetchval(
        "UPDATE stock SET reserved = reserved + $2"
        " WHERE product_id = $1 AND on_hand - reserved >= $2 RETURNING product_id",
        product_id,
        quantity,
    )
    if reserved is None:
        raise OutOfStockError(f"fewer than {quantity} units of product {product_id} are available")


async def release(connection: Connection, product_id: int, quantity: int) -> None:
    """Make reserved units available again."""
    released = await connection.fetchval(
        "UPDATE stock SET reserved = reserved - $2 WHERE product_id = $1 RETURNING product_id",
        product_id,
        quantity,
    )
    if released is None:
        raise NotFoundError(f"product {product_id} has no stock")
