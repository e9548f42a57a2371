"""The life of an order: placed, then shipped or cancelled."""

import logging
from collections.abc import Mapping

from . import products, stock
from .database import Connection
from .errors import NotFoundError, WrongStatusError
from .models import Order, OrderLine

logger = logging.getLogger(__name__)


async def place(connection: Connection, customer_id: int, quantities: Mapping[str, int]) -> Order:
    """Order quantities by product number: all of them or none."""
    async with connection.transaction():
        wanted = await products.by_sku(connection, quantities)
        order_id = await connection.fetchval(
            "INSERT INTO orders (customer_id) VALUES ($1) RETURNING id", customer_id
        )
        for sku, quantity in quantities.items():
            await stock.reserve(connection, wanted[sku].id, quantity)
        await connection.executemany(
            "INSERT INTO order_lines (order_id, product_id, quantity, unit_price) VALUES ($1, $2, $3, $4)",
            [(order_id, wanted[sku].id, quantity, wanted[sku].price) for sku, quantity in quantities.items()],
        )
    logger.info("order %d placed by customer %d", order_id, customer_id)
    return await get(connection, order_id)


async def get(connection: Connection, order_id: int) -> Order:
    """The order with this number."""
    row = await connection.fetchrow("SELECT id, customer_id, status FROM orders WHERE id = $1", order_id)
    if row is None:
        raise NotFoundError(f"no order {order_id}")
    return Order(**row, lines=await lines_of(connection, order_id))


async def lines_of(connection: Connection, order_id: int) -> tuple[OrderLine, ...]:
    """What the order consists of."""
    rows = await connection.fetch(
        "SELECT sku, quantity, unit_price FROM order_lines JOIN products ON products.id = product_id"
        " WHERE order_id = $1 ORDER BY sku",
        order_id,
    )
    return tuple(OrderLine(**row) for row in rows)


async def history(connection: Connection, customer_id: int) -> list[Order]:
    """All orders of a customer, newest first."""
    rows = await connection.fetch(
        "SELECT id, customer_id, status FROM orders WHERE customer_id = $1 ORDER BY placed_at DESC, id DESC",
        customer_id,
    )
    return [Order(**row, lines=await lines_of(connection, row["id"])) for row in rows]


async def ship(connection: Connection, order_id: int) -> Order:
    """Hand the order to the carrier."""
    return await _finish(connection, order_id, "shipped")


async def cancel(connection: Connection, order_id: int) -> Order:
    """Cancel the order and release its reserved units."""
    async with connection.transaction():
        order = await _finish(connection, order_id, "cancelled")
        ordered = await products.by_sku(connection, [line.sku for line in order.lines])
        for line in order.lines:
            await stock.release(connection, ordered[line.sku].id, line.quantity)
    return order


async def _finish(connection: Connection, order_id: int, status: str) -> Order:
    changed = await connection.fetchval(
        "UPDATE orders SET status = $2 WHERE id = $1 AND status = 'placed' RETURNING id", order_id, status
    )
    order = await get(connection, order_id)
    if changed is None:
        raise WrongStatusError(f"order {order_id} is already {order.status}")
    return order
