"""The shop's data types. Amounts are euros, exact to the cent."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Customer:
    """A person who can place orders."""

    id: int
    email: str
    name: str
    country: str


@dataclass(frozen=True, slots=True)
class Product:
    """Something to sell."""

    id: int
    sku: str
    name: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A product in an order, at the price of that day."""

    sku: str
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """A customer's order; `status` is placed, shipped or cancelled."""

    id: int
    customer_id: int
    status: str
    lines: tuple[OrderLine, ...]

    @property
    def total(self) -> Decimal:
        """The sum of all lines, before discount, shipping and VAT."""
        return sum((line.quantity * line.unit_price for line in self.lines), Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a customer owes for an order."""

    number: str
    order_id: int
    net: Decimal
    vat: Decimal
    issued: date
    due: date

    @property
    def gross(self) -> Decimal:
        """The amount to pay."""
        return self.net + self.vat
