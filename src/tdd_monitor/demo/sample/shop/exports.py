"""The catalogue as JSON, for marketplaces that also sell it."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date

from .models import Product

_exports: dict[tuple[str, date], str] = {}


def catalogue(products: Iterable[Product], marketplace: str, day: date) -> str:
    """The export for a marketplace on that day; created once, then cached."""
    if (marketplace, day) not in _exports:
        _exports[marketplace, day] = json.dumps([asdict(product) for product in products], default=str)
    return _exports[marketplace, day]
