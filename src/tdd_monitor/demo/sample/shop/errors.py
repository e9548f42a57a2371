"""Errors that a caller can handle."""


class ShopError(Exception):
    """Base of all errors of the shop."""


class NotFoundError(ShopError):
    """There is no such customer, product, order or invoice."""


class EmailTakenError(ShopError):
    """Another customer has registered with this address."""


class OutOfStockError(ShopError):
    """Fewer units are available than requested."""


class WrongStatusError(ShopError):
    """The order is not in a state that allows this."""


class TooHeavyError(ShopError):
    """No parcel can carry this item."""
