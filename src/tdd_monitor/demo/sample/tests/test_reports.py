"""Figures for the owner, on SQLAlchemy."""

from datetime import date
from decimal import Decimal

from shop import reports
from sqlalchemy.ext.asyncio import AsyncConnection


async def test_no_sales_no_revenue(ledger: AsyncConnection, exchange_rates: dict[str, Decimal]) -> None:
    """A shop without orders has no revenue."""
    assert await reports.revenue_by_month(ledger, 2025) == {}
    assert await reports.revenue_in(ledger, "USD", exchange_rates) == 0


async def test_every_month_has_its_revenue(year_of_sales: AsyncConnection) -> None:
    """Cancelled orders do not count."""
    revenue = await reports.revenue_by_month(year_of_sales, 2025)
    assert list(revenue) == [date(2025, month, 1) for month in range(1, 13)]
    assert sum(revenue.values()) == 18_000 * 33


async def test_best_sellers_are_ordered_by_revenue(year_of_sales: AsyncConnection) -> None:
    """The pot costs more than the cup."""
    assert await reports.best_sellers(year_of_sales) == ["POT", "CUP"]


async def test_revenue_in_another_currency(
    year_of_sales: AsyncConnection, exchange_rates: dict[str, Decimal]
) -> None:
    """594,000 euros in dollars."""
    assert await reports.revenue_in(year_of_sales, "USD", exchange_rates) == Decimal("641520.00")
