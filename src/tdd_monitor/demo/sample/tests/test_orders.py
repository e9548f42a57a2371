"""The life of an order."""

from decimal import Decimal

import pytest
from shop import orders, products, stock
from shop.database import Connection
from shop.errors import NotFoundError, OutOfStockError, WrongStatusError
from shop.models import Customer, Order, Product


async def test_an_order_has_lines_and_a_total(order: Order) -> None:
    """Two teapots at 25.00."""
    assert [(line.sku, line.quantity) for line in order.lines] == [("TEA-1", 2)]
    assert order.total == Decimal("50.00")


async def test_an_order_keeps_its_price(db: Connection, order: Order, teapot: Product) -> None:
    """A later price does not change what was agreed."""
    await products.change_price(db, teapot.sku, Decimal("99.00"))
    assert (await orders.get(db, order.id)).total == Decimal("50.00")


async def test_an_order_is_all_or_nothing(db: Connection, anna: Customer, teapot: Product) -> None:
    """One product is out of stock, so the other one is not reserved either."""
    await products.add(db, "CUP-1", "White cup", Decimal("8.50"))
    with pytest.raises(OutOfStockError):
        await orders.place(db, anna.id, {teapot.sku: 1, "CUP-1": 1})
    assert await stock.available(db, teapot.id) == 10
    assert await orders.history(db, anna.id) == []


async def test_cancelling_gives_the_pieces_back(db: Connection, order: Order, teapot: Product) -> None:
    """Two of the ten teapots are reserved, then none."""
    assert await stock.available(db, teapot.id) == 8
    assert (await orders.cancel(db, order.id)).status == "cancelled"
    assert await stock.available(db, teapot.id) == 10


async def test_a_shipped_order_cannot_be_cancelled(db: Connection, order: Order) -> None:
    """A shipped order cannot be cancelled."""
    await orders.ship(db, order.id)
    with pytest.raises(WrongStatusError, match="is already shipped"):
        await orders.cancel(db, order.id)


async def test_an_unknown_order_is_an_error(db: Connection) -> None:
    """The message names the number."""
    with pytest.raises(NotFoundError, match="no order 4711"):
        await orders.get(db, 4711)


async def test_n_plus_one_queries_for_the_history(db: Connection, anna: Customer, teapot: Product) -> None:
    """N+1, on purpose: 30 orders cost 31 queries, until shop/orders.py fetches the lines at once."""
    await db.execute(
        "INSERT INTO orders (customer_id) SELECT $1 FROM generate_series(1, 30)",
        anna.id,
    )
    await db.execute(
        "INSERT INTO order_lines SELECT id, $2, 1, 25 FROM orders WHERE customer_id = $1", anna.id, teapot.id
    )
    history = await orders.history(db, anna.id)
    assert [order.total for order in history] == [Decimal("25.00")] * 30


def test_flaky_carrier_answers_every_other_time(pytestconfig: pytest.Config) -> None:
    """Flaky, on purpose: fails at the first attempt, passes at the second (counted in pytest's cache)."""
    attempt = pytestconfig.cache.get("shop/carrier_attempts", 0) + 1
    pytestconfig.cache.set("shop/carrier_attempts", attempt)
    assert attempt % 2 == 0, f"the carrier did not answer attempt {attempt}"


@pytest.fixture
def carrier_account() -> str:
    """Broken, on purpose: the connection is refused."""
    raise ConnectionRefusedError("the carrier's sandbox at carrier.example:8443 refuses connections")


def test_fixture_error_of_the_carrier_account(carrier_account: str) -> None:
    """Error, on purpose: the fixture fails, so the test never starts."""
    assert carrier_account
