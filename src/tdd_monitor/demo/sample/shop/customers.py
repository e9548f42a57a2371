"""Registering customers and finding them again."""

import asyncpg

from .database import Connection
from .errors import EmailTakenError, NotFoundError
from .models import Customer


async def register(connection: Connection, email: str, name: str, country: str = "DE") -> Customer:
    """Add a customer; addresses are case-insensitive."""
    try:
        row = await connection.fetchrow(
            "INSERT INTO customers (email, name, country) VALUES ($1, $2, $3) RETURNING *",
            email.strip().lower(),
            name,
            country,
        )
    except asyncpg.UniqueViolationError as error:
        raise EmailTakenError(f"{email} is already registered") from error
    return Customer(**row)


async def get(connection: Connection, customer_id: int) -> Customer:
    """The customer with this number."""
    row = await connection.fetchrow("SELECT * FROM customers WHERE id = $1", customer_id)
    if row is None:
        raise NotFoundError(f"no customer {customer_id}")
    return Customer(**row)


async def by_email(connection: Connection, email: str) -> Customer:
    """The customer with this address."""
    row = await connection.fetchrow("SELECT * FROM customers WHERE email = $1", email.strip().lower())
    if row is None:
        raise NotFoundError(f"no customer with the address {email}")
    return Customer(**row)


async def move(connection: Connection, customer_id: int, country: str) -> Customer:
    """Change the country of a customer."""
    row = await connection.fetchrow(
        "UPDATE customers SET country = $2 WHERE id = $1 RETURNING *", customer_id, country
    )
    if row is None:
        raise NotFoundError(f"no customer {customer_id}")
    return Customer(**row)
