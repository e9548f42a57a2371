"""The order service of a small shop.

Every function takes the connection that it works on, so the caller decides about transactions.
"""
