"""Invoices: one for an order, numbered without gaps."""

from datetime import date, timedelta

from . import customers, orders, pricing
from .database import Connection
from .errors import NotFoundError, WrongStatusError
from .models import Invoice

DAYS_TO_PAY = 14


async def issue(connection: Connection, order_id: int, issued: date) -> Invoice:
    """Write the invoice for an order; a cancelled one gets none."""
    async with connection.transaction():
        order = await orders.get(connection, order_id)
        if order.status == "cancelled":
            raise WrongStatusError(f"order {order_id} is cancelled")
        customer = await customers.get(connection, order.customer_id)
        goods = order.total - pricing.discount(order.total)
        net = goods + pricing.shipping_cost(goods)
        row = await connection.fetchrow(
            "INSERT INTO invoices (number, order_id, net, vat, issued, due)"
            " VALUES ($1, $2, $3, $4, $5, $6) RETURNING *",
            await _next_number(connection, issued.year),
            order_id,
            net,
            pricing.vat(net, customer.country),
            issued,
            issued + timedelta(days=DAYS_TO_PAY),
        )
    return Invoice(**row)


async def get(connection: Connection, number: str) -> Invoice:
    """The invoice with this number."""
    row = await connection.fetchrow("SELECT * FROM invoices WHERE number = $1", number)
    if row is None:
        raise NotFoundError(f"no invoice {number}")
    return Invoice(**row)


async def overdue(connection: Connection, today: date) -> list[Invoice]:
    """Invoices that should have been paid before `today`, oldest first."""
    rows = await connection.fetch("SELECT * FROM invoices WHERE due < $1 ORDER BY due, number", today)
    return [Invoice(**row) for row in rows]


async def _next_number(connection: Connection, year: int) -> str:
    # A row of our own rather than a sequence: a sequence leaves a gap when a transaction rolls back.
    last = await connection.fetchval(
        "INSERT INTO invoice_numbers (year, last) VALUES ($1, 1)"
        " ON CONFLICT (year) DO UPDATE SET last = invoice_numbers.last + 1 RETURNING last",
        year,
    )
    return f"{year}-{last:05d}"
