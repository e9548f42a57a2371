"""Packing an order into as few parcels as possible."""

from collections.abc import Sequence
from itertools import permutations

from .errors import TooHeavyError

MAX_GRAMS = 10_000


def pack(weights: Sequence[int]) -> list[list[int]]:
    """Put items, given by their weights in grams, into parcels.

    Tries every order of the items, so it takes long from nine items on.
    """
    if too_heavy := [weight for weight in weights if weight > MAX_GRAMS]:
        raise TooHeavyError(f"{too_heavy[0]} g exceed the limit per parcel of {MAX_GRAMS} g")
    return min((_fill(order) for order in permutations(weights)), key=len)


def _fill(weights: Sequence[int]) -> list[list[int]]:
    parcels: list[list[int]] = []
    free_grams = 0
    for weight in weights:
        if weight > free_grams:
            parcels.append([])
            free_grams = MAX_GRAMS
        parcels[-1].append(weight)
        free_grams -= weight
    return parcels
