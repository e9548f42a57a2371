"""Warm connections, one module per driver, and handling of changes that cannot be rolled back."""
