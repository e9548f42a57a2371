"""Discounts, shipping, VAT: amounts in, amounts out."""

from decimal import ROUND_DOWN, Decimal

CENT = Decimal("0.01")
DISCOUNTS = ((Decimal(1000), 10), (Decimal(500), 5), (Decimal(200), 2))  # from this total on, percent
FREE_SHIPPING_FROM = Decimal("50.00")
SHIPPING = Decimal("4.90")
VAT_PERCENT = {"AT": 20, "DE": 19, "FR": 20, "NL": 21}


def discount(total: Decimal) -> Decimal:
    """The discount on an order of this size."""
    for lowest, percent in DISCOUNTS:
        if total >= lowest:
            return (total * percent / 100).quantize(CENT)
    return Decimal("0.00")


def shipping_cost(total: Decimal) -> Decimal:
    """The cost of shipping an order; large ones ship free."""
    if total > FREE_SHIPPING_FROM:
        return Decimal("0.00")
    return SHIPPING


def vat(net: Decimal, country: str) -> Decimal:
    """The tax on an amount; there is none on exports."""
    return (net * VAT_PERCENT.get(country, 0) / 100).quantize(CENT)


def instalments(total: Decimal, count: int) -> list[Decimal]:
    """Split an amount into equal payments."""
    return [(total / count).quantize(CENT, rounding=ROUND_DOWN)] * count
