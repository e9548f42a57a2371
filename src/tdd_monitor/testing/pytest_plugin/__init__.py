"""The plugin of the toolkit: fixtures and markers, in every pytest run of an environment with tdd-monitor.

PYTEST_DONT_REWRITE: part of every start of pytest, and nothing here asserts for tests.
"""
