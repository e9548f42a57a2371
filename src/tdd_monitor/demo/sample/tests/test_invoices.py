"""What customers owe."""

from datetime import date
from decimal import Decimal

import pytest
from shop import customers, invoices, orders
from shop.database import Connection
from shop.errors import WrongStatusError
from shop.models import Customer, Order, Product

MARCH = date(2026, 3, 2)


async def test_an_invoice_can_be_read_again(db: Connection, order: Order) -> None:
    """An issued invoice is stored."""
    invoice = await invoices.issue(db, order.id, MARCH)
    assert await invoices.get(db, invoice.number) == invoice


async def test_numbers_have_no_gaps_and_restart_each_year(
    db: Connection, anna: Customer, teapot: Product
) -> None:
    """The tax office requires it."""
    days = [date(2025, 12, 30), date(2025, 12, 31), MARCH]
    placed = [await orders.place(db, anna.id, {teapot.sku: 1}) for _ in days]
    issued = [await invoices.issue(db, order.id, day) for order, day in zip(placed, days, strict=True)]
    assert [invoice.number for invoice in issued] == ["2025-00001", "2025-00002", "2026-00001"]


@pytest.mark.parametrize(("country", "vat"), [("DE", "14.25"), ("FR", "15.00"), ("US", "0.00")])
async def test_vat_depends_on_the_country(
    db: Connection, anna: Customer, teapot: Product, country: str, vat: str
) -> None:
    """Three teapots, 75.00 net."""
    await customers.move(db, anna.id, country)
    order = await orders.place(db, anna.id, {teapot.sku: 3})
    invoice = await invoices.issue(db, order.id, MARCH)
    assert invoice.vat == Decimal(vat)
    assert invoice.gross == Decimal("75.00") + Decimal(vat)


async def test_an_invoice_is_overdue_after_two_weeks(db: Connection, order: Order) -> None:
    """The last day still counts."""
    invoice = await invoices.issue(db, order.id, MARCH)
    assert await invoices.overdue(db, date(2026, 3, 16)) == []
    assert await invoices.overdue(db, date(2026, 3, 17)) == [invoice]


async def test_a_cancelled_order_gets_no_invoice(db: Connection, order: Order) -> None:
    """There is nothing to pay."""
    await orders.cancel(db, order.id)
    with pytest.raises(WrongStatusError):
        await invoices.issue(db, order.id, MARCH)


async def test_slow_waiting_on_the_database(db: Connection, order: Order) -> None:
    """Slow, on purpose: the database sleeps for a second, as if waiting for a lock."""
    await db.execute("SELECT pg_sleep(1.0)")
    assert (await invoices.issue(db, order.id, MARCH)).due == date(2026, 3, 16)
