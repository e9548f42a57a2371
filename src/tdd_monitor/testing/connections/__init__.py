"""Warm connections, one module per driver, and what a test does on them that cannot be rolled back."""
