"""Connection pools for tests that say who holds each connection."""
