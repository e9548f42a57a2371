"""The server of a run and its databases: found, named, copied, recycled and dropped.

PYTEST_DONT_REWRITE: part of every start of pytest, and nothing here asserts for tests.
"""
