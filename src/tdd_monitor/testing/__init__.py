"""The database-test toolkit and the embedded PostgreSQL under it."""
