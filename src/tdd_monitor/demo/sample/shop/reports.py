"""Figures for the owner of the shop, on SQLAlchemy because the queries are composed."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from sqlalchemy import Date, Numeric, Select, cast, column, func, select, table
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from .database import SEARCH_PATH
from .pricing import CENT

orders = table("orders", column("id"), column("customer_id"), column("status"), column("placed_at"))
lines = table(
    "order_lines", column("order_id"), column("product_id"), column("quantity"), column("unit_price", Numeric)
)
products = table("products", column("id"), column("sku"))

amount = func.sum(lines.c.quantity * lines.c.unit_price, type_=Numeric)


def connect(url: str) -> AsyncEngine:
    """Open an engine on the shop's database."""
    return create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=2,
        max_overflow=0,
        connect_args={"server_settings": SEARCH_PATH},
    )


async def revenue_by_month(connection: AsyncConnection, year: int) -> dict[date, Decimal]:
    """Sales per month of a year, keyed by the first day of the month."""
    month = cast(func.date_trunc("month", orders.c.placed_at), Date)
    query = _sold(select(month.label("month"), amount.label("amount")))
    query = query.where(func.extract("year", orders.c.placed_at) == year).group_by(month).order_by(month)
    return {row.month: row.amount for row in await connection.execute(query)}


async def best_sellers(connection: AsyncConnection, limit: int = 3) -> list[str]:
    """The product numbers with the highest revenue."""
    query = _sold(select(products.c.sku)).join(products, products.c.id == lines.c.product_id)
    query = query.group_by(products.c.sku).order_by(amount.desc(), products.c.sku).limit(limit)
    return list((await connection.execute(query)).scalars())


async def revenue_in(connection: AsyncConnection, currency: str, rates: Mapping[str, Decimal]) -> Decimal:
    """The total of all sales, in another currency."""
    total = (await connection.execute(_sold(select(amount)))).scalar_one()
    return ((total or Decimal(0)) * rates[currency]).quantize(CENT)


def _sold(query: Select) -> Select:
    joined = query.select_from(orders).join(lines, lines.c.order_id == orders.c.id)
    return joined.where(orders.c.status != "cancelled")
